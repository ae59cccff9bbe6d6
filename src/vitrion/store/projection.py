"""Picking fields out of documents, as the projection of a MongoDB query does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vitrion.errors import StoreError

Properties = Mapping[str, Any] | Sequence[str] | None


def project(document: dict, properties: Properties) -> dict:
    """Return a document with the wanted fields only.

    Parameters
    ----------
    document
        The whole document.
    properties
        Dotted paths to keep, as a list or as ``{path: 1}``; or ``{path: 0}`` to leave out. None or
        empty keeps everything.

    Returns
    -------
    dict
        The document, or a new one with part of it.

    Raises
    ------
    StoreError
        If the projection mixes keeping and leaving out, or uses an operator.
    """
    if not properties:
        return document
    flags = dict(properties) if isinstance(properties, Mapping) else dict.fromkeys(properties, 1)
    is_wanted = flags.pop("_id", 0)  # documents of the embedded store have none
    if not flags:
        return {} if is_wanted else document
    if any(not isinstance(flag, (bool, int)) for flag in flags.values()):
        raise StoreError("A projection of the embedded store takes 1 or 0 for each field.")
    keep = {bool(flag) for flag in flags.values()}
    if len(keep) > 1:
        raise StoreError("A projection either keeps fields or leaves them out, not both.")
    if keep == {True}:
        return _keep(document, _tree(flags))
    return _drop(document, _tree(flags))


def _tree(paths: Mapping[str, Any]) -> dict:
    tree: dict = {}
    for path in sorted(paths, key=len):
        node, parts = tree, path.split(".")
        for part in parts[:-1]:
            node = node.setdefault(part, {})
            if node is True:  # a shorter path has taken the whole branch
                break
        else:
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
