"""Known crystals, from published cells (starting points only).

The lattice parameters are experimental, from the source named with each cell. Relax the cells with
the potential before using them as references.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ase.build import bulk
from ase.spacegroup import crystal

from vitrion.chemistry.facts import load_facts

if TYPE_CHECKING:
    from ase import Atoms


def known_crystals() -> dict[str, Atoms]:
    """Return primitive or conventional cells by name (2 to 32 atoms)."""
    return {name: _cell(name, facts) for name, facts in load_facts("crystals").items()}


def _cell(name: str, facts: dict[str, Any]) -> Atoms:
    if "prototype" in facts:
        return bulk(name, facts["prototype"], a=facts["a_A"], cubic=True)
    symbols, positions = zip(*facts["sites"], strict=True)
    return crystal(
        list(symbols),
        [tuple(position) for position in positions],
        spacegroup=facts["spacegroup"],
        cellpar=facts["cell"],
        primitive_cell=facts.get("primitive", False),
    )
