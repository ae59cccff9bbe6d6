"""Fit a model to labelled frames."""
