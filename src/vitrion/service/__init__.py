"""A read-only web service on the material collections, and pages of the store."""
