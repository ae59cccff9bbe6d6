"""Projection of documents to fields, as in a MongoDB query."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from vitrion.errors import StoreError

Properties = Mapping[str, Any] | Sequence[str] | None


def parse_projection(properties: Properties) -> Callable[[dict], dict]:
    """Read a projection.

    Parameters
    ----------
    properties
        Dotted paths to include, as a list or as ``{path: 1}``; or ``{path: 0}`` to exclude. None or
        empty includes everything.

    Returns
    -------
    Callable[[dict], dict]
        Returns a new document with the selected fields, or the whole document.

    Raises
    ------
    StoreError
        If the projection mixes inclusion and exclusion, uses an operator, or names a field and a
        subfield of it.
    """
    if not properties:
        return _whole
    flags = dict(properties) if isinstance(properties, Mapping) else dict.fromkeys(properties, 1)
    is_wanted = flags.pop("_id", 0)  # documents of the embedded store have none
    if not flags:
        return _nothing if is_wanted else _whole
    if any(not isinstance(flag, (bool, int, float)) for flag in flags.values()):
        raise StoreError("A projection of the embedded store takes 1 or 0 for each field.")
    keep = {bool(flag) for flag in flags.values()}
    if len(keep) > 1:
        raise StoreError("A projection either includes or excludes fields, not both.")
    return partial(_keep if keep == {True} else _drop, tree=_tree(flags))


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
        if not isinstance(path, str) or not all(path.split(".")) or "$" in path:
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
