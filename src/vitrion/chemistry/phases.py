"""Names of the phases of a material."""

from __future__ import annotations

from typing import Any

SYNONYMS = {"crystal": "crystalline", "glass": "amorphous", "glassy": "amorphous", "melt": "liquid"}


def read_phase(word: Any) -> Any:
    """Return the phase that a word names: ``amorphous`` for ``glass``; other values unchanged."""
    if not isinstance(word, str):
        return word
    plain = word.strip().lower()
    return SYNONYMS.get(plain, plain)
