"""Conductivity of a structure at several temperatures, from dynamics or from defects."""
