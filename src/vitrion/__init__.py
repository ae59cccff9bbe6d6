"""Ion transport in crystals and glasses, as jobflow workflows.

The names below are loaded when they are first used, so ``import vitrion`` is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "VitrionClient": "vitrion.database.client",
    "Recipe": "vitrion.flows.recipe",
    "IonConductorMaker": "vitrion.flows.ion_conductor",
    "GlassConductivityMaker": "vitrion.flows.glass_conductivity",
    "CrystalConductivityMaker": "vitrion.flows.glass_conductivity",
    "ConductivityMaker": "vitrion.conductivity.makers",
    "DefectMaker": "vitrion.landscape.makers",
    "Trajectory": "vitrion.dynamics.trajectory",
    "analyze": "vitrion.transport.analysis",
    "analyze_file": "vitrion.transport.analysis",
    "arrhenius": "vitrion.transport.arrhenius_fit",
    "combine": "vitrion.transport.replicas",
    "compare": "vitrion.comparison.side_by_side",
    "find_reports": "vitrion.comparison.report_search",
    "load_calculator": "vitrion.potentials.calculators",
    "open_job_store": "vitrion.store.job_store",
    "to_frame": "vitrion.database.export",
}
"""Module of each name."""

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("vitrion")
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'vitrion' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
