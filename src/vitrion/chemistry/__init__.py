"""Formulas, ions, volumes, structures and their geometry."""
