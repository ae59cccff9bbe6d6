"""Projection of documents to fields, as in a MongoDB query."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from vitrion.errors import StoreError

Properties = Mapping[str, Any] | Sequence[str] | None


@dataclass(frozen=True)
class Projection:
    """A selection of fields; a call returns a new document with them, or the whole document.

    Attributes
    ----------
    select : Callable
        Makes the selection.
    tree : dict or None
        The included fields: True, or a tree of their fields, by name; None if unknown.
    """

    select: Callable[[dict], dict]
    tree: dict[str, Any] | None = None

    def __call__(self, document: dict) -> dict:
        """Return the selection."""
        return self.select(document)


def parse_projection(properties: Properties) -> Projection:
    """Read a projection.

    Parameters
    ----------
    properties
        Dotted paths to include, as a list or as ``{path: 1}``; or ``{path: 0}`` to exclude. None or
        empty includes everything.

    Returns
    -------
    Projection

    Raises
    ------
    StoreError
        If the projection is not a list or mapping of paths, mixes inclusion and exclusion, uses an
        operator, or names a field and a subfield of it.
    """
    if not properties:
        return Projection(_whole)
    if isinstance(properties, str) or not all(isinstance(path, str) for path in properties):
        raise StoreError(f"A projection is a list of paths, not {properties!r}.")
    flags = dict(properties) if isinstance(properties, Mapping) else dict.fromkeys(properties, 1)
    is_wanted = flags.pop("_id", 0)  # documents of the embedded store have none
    if not flags:
        return Projection(_nothing, {}) if is_wanted else Projection(_whole)
    if any(not isinstance(flag, (bool, int, float)) for flag in flags.values()):
        raise StoreError("A projection of the embedded store takes 1 or 0 for each field.")
    keep = {bool(flag) for flag in flags.values()}
    if len(keep) > 1:
        raise StoreError("A projection either includes or excludes fields, not both.")
    tree = _tree(flags)
    if keep == {True}:
        return Projection(partial(_keep, tree=tree), tree)
    return Projection(partial(_drop, tree=tree))


def without_collisions(paths: Iterable[str]) -> list[str]:
    """Return paths without those inside of another one, which a projection does not take."""
    wanted = dict.fromkeys(paths)
    starts = tuple(f"{path}." for path in wanted)
    return [path for path in wanted if not path.startswith(starts)]


def _whole(document: dict) -> dict:
    return document


def _nothing(document: dict) -> dict:
    return {}


def _tree(paths: Iterable[str]) -> dict:
    tree: dict = {}
    for path in sorted(paths, key=len):
        if not all(path.split(".")) or "$" in path:
            raise StoreError(f"A projection takes the path of a field, not {path!r}.")
        node, parts = tree, path.split(".")
        for depth, part in enumerate(parts[:-1]):
            node = node.setdefault(part, {})
            if node is True:
                short = ".".join(parts[: depth + 1])
                raise StoreError(
                    f"A projection takes '{short}' or '{path}', not both: the paths collide."
                )
        node[parts[-1]] = True
    return tree


def _keep(node: Any, tree: Any) -> Any:
    if tree is True:
        return node
    if isinstance(node, list):
        return [_keep(item, tree) for item in node if isinstance(item, (dict, list))]
    return {
        name: _keep(value, tree[name])
        for name, value in node.items()
        if name in tree and (tree[name] is True or isinstance(value, (dict, list)))
    }


def _drop(node: Any, tree: dict) -> Any:
    if isinstance(node, list):
        return [_drop(item, tree) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        name: _drop(value, tree[name]) if name in tree else value
        for name, value in node.items()
        if tree.get(name) is not True
    }
