"""A study of one host: its defects, their barriers, and the site-energy landscape."""
