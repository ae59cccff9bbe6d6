"""Programs that run in other Python environments."""
