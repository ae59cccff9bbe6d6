"""Recipes, and the flows that a user submits."""
