"""Labelled frames and the record of what made them."""
