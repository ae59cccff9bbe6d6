"""Programs that run in the environments of others."""
