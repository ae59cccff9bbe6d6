"""Candidate structures for a composition."""
