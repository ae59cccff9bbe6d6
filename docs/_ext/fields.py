"""Adds to the docstring of a pydantic model what its fields are, with their units."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_SEVERAL = re.compile(r":(ivar|vartype) (\w+(?:, \w+)+):(.*)")


def add_fields(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Append one entry for each field that the class itself declares."""
    if what not in ("class", "exception") or not _is_model(obj):
        return
    own = [field for field in obj.model_fields if field in obj.__annotations__]
    if not own:
        return
    lines.append("")
    for field in own:
        info = obj.model_fields[field]
        lines.append(f":ivar {field}: {info.description or ''}{_default(info)}")
    lines.append("")


def part_names(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Give every attribute an entry of its own where a docstring names several at once."""
    blocks: list[list[str]] = []
    for line in lines:
        if line.startswith(" ") and blocks:
            blocks[-1].append(line)
        else:
            blocks.append([line])
    parted: list[str] = []
    for first, *others in blocks:
        found = _SEVERAL.match(first)
        names = found.group(2).split(", ") if found else []
        for each in (name.replace("_", "\\_") for name in names):
            parted += [f":{found.group(1)} {each}:{found.group(3)}", *others]
        if not names:
            parted += [first, *others]
    lines[:] = parted


def _is_model(obj: Any) -> bool:
    return isinstance(obj, type) and issubclass(obj, BaseModel)


def _default(info: Any) -> str:
    if info.is_required() or info.default_factory is not None or info.default in (None, ""):
        return ""
    return f" Default: ``{info.default!r}``."


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hook."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", add_fields)
    app.connect("autodoc-process-docstring", part_names, priority=900)  # after napoleon
    return {"parallel_read_safe": True}
