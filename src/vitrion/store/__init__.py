"""The embedded store of jobflow and maggma: one SQLite file, MongoDB queries, no server."""
