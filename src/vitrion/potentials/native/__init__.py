"""Native evaluation of MACE models with scalar node features.

The kernel is C++ (``kernel/``), compiled when vitrion is installed, in one variant for each vector
width. :func:`~vitrion.potentials.native.model_tables.extract` reads its tables off a torch module;
:class:`~vitrion.potentials.native.native_calculator.NativeCalculator` evaluates.
"""

from vitrion.potentials.native.kernel_library import choose_variant, usable_variants
from vitrion.potentials.native.model_tables import Tables, extract
from vitrion.potentials.native.native_calculator import NativeCalculator
from vitrion.potentials.native.native_model import Evaluated, FixedSystem, NativeModel, Workspace
from vitrion.potentials.native.native_scope import why_not, why_not_described
from vitrion.potentials.native.table_source import TableSource

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
    "usable_variants",
    "why_not",
    "why_not_described",
]
