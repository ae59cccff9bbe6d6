"""Read-only REST service of the material collections, and HTML pages."""
