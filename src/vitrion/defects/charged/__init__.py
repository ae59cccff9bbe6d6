"""Charged defects of a crystal, by density-functional theory."""
