"""Base class and provenance of vitrion's documents, which follow emmet-core."""
