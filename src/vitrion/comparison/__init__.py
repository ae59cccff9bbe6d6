"""Comparison of materials, and cautions about their results, as data."""
