"""Tables and figures of results, and an HTML page that works offline."""
