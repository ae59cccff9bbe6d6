"""Cells whose energy and forces are worth knowing: packed, relaxed, moved, changed."""
