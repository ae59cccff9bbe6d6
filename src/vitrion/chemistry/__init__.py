"""Formulas, ions, volumes, structures and their geometry."""

from vitrion.chemistry.charges import default_mobile_species
from vitrion.chemistry.formulas import parse_composition

__all__ = ["default_mobile_species", "parse_composition"]
