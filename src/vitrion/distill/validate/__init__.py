"""Errors of a student: by regime, of crystals, of endurance."""
