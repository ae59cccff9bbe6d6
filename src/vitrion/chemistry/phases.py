"""Names of the phases of a material."""

from __future__ import annotations

from typing import Any

PHASE_NAMES = {"crystalline": "crystal", "amorphous": "glass", "liquid": "liquid"}
"""Word for a material in each phase."""
RUN_PHASES = ("crystalline", "amorphous")
"""Phases that a run computes."""
SYNONYMS = {"crystal": "crystalline", "glass": "amorphous", "glassy": "amorphous", "melt": "liquid"}


def read_phase(word: Any) -> Any:
    """Return the phase that a word names: ``amorphous`` for ``glass``; other values unchanged."""
    if not isinstance(word, str):
        return word
    plain = word.strip().lower()
    return SYNONYMS.get(plain, plain)
