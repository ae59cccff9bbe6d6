"""Relaxation of structures: one at a time and in batches, at fixed and variable cell."""
