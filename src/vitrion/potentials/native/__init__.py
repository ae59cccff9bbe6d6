"""Native evaluation of MACE models with scalar node features.

The kernel is C++ (``kernel/``), compiled when vitrion is installed, in one variant for each vector
width. :func:`~vitrion.potentials.native.tables.extract` reads the tables that it needs off a torch
module; :class:`~vitrion.potentials.native.calculator.NativeCalculator` evaluates.
"""

from vitrion.potentials.native.calculator import NativeCalculator
from vitrion.potentials.native.library import choose_variant, usable_variants
from vitrion.potentials.native.model import Evaluated, FixedSystem, NativeModel, Workspace
from vitrion.potentials.native.source import TableSource, student_source
from vitrion.potentials.native.tables import Tables, extract, why_not

__all__ = [
    "Evaluated",
    "FixedSystem",
    "NativeCalculator",
    "NativeModel",
    "TableSource",
    "Tables",
    "Workspace",
    "choose_variant",
    "extract",
    "student_source",
    "usable_variants",
    "why_not",
]
