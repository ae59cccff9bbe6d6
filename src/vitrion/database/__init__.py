"""Material collections: builders, query client, export, archive of files."""
