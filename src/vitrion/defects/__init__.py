"""Defects of the mobile ion and its site-energy landscape, in a crystal and in a glass."""
