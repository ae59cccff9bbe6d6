"""Interatomic potentials: a registry of names, and their calculators."""

from vitrion.potentials.calculators import force_field, load_calculator, usable_potential
from vitrion.potentials.known_elements import check_elements
from vitrion.potentials.registry import (
    DEFAULT_POTENTIAL,
    describe_potential,
    get_potential,
    list_potentials,
)
from vitrion.potentials.spec import PotentialSpec

__all__ = [
    "DEFAULT_POTENTIAL",
    "PotentialSpec",
    "check_elements",
    "describe_potential",
    "force_field",
    "get_potential",
    "list_potentials",
    "load_calculator",
    "usable_potential",
]
