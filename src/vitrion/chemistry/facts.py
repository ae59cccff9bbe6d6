"""Tables of chemical facts: JSON files in ``chemistry/data``."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any


@lru_cache(maxsize=8)
def load_facts(name: str) -> dict[str, Any]:
    """Return the content of ``chemistry/data/<name>.json``; do not modify it."""
    path = files("vitrion.chemistry") / "data" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))
