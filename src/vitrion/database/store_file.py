"""Read a JobStore from a ``jobflow.yaml`` or a JSON file, restricted to known stores."""

from __future__ import annotations

import json
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from jobflow import JobStore
from maggma.core import Store
from monty.json import MontyDecoder

from vitrion.errors import StoreError
from vitrion.runtime.text_files import read_settings, read_text

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = (".yaml", ".yml", ".json")
_PACKAGES = ("vitrion", "jobflow", "maggma")


def names_store_file(path: Path) -> bool:
    """Return whether a path names a file, which may be missing, and not a results folder."""
    # Of os.path, as those of pathlib raise an error for names that no file can have.
    return os.path.isfile(path) or (path.suffix in SUFFIXES and not os.path.isdir(path))


def read_store_file(path: Path) -> JobStore:
    """Return the JobStore of a file.

    Parameters
    ----------
    path
        YAML or JSON, at the top level or under ``JOB_STORE``.

    Raises
    ------
    StoreError
        If the file describes no JobStore, or names a class that is not a store of vitrion, jobflow
        or maggma.
    """
    try:
        is_json = path.suffix == ".json"
        content = json.loads(read_text(path)) if is_json else read_settings(path)
        content = content.get("JOB_STORE", content)
        _check_stores(content)
        store = (
            MontyDecoder().process_decoded(content)
            if "@class" in content
            else JobStore.from_dict_spec(content)
        )
    except Exception as error:  # invalid files raise many types of errors
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise StoreError(f"The file {path} does not describe a JobStore ({reason}).") from error
    if not isinstance(store, JobStore):
        raise StoreError(f"The file {path} describes a {type(store).__name__}, not a JobStore.")
    return store


def _check_stores(content: Any) -> None:
    """Refuse classes that are not stores, before they are called."""
    if isinstance(content, dict):
        if "@callable" in content or "@bound" in content:
            raise StoreError("it names a function")
        if "@module" in content:
            _check_named(str(content["@module"]), str(content.get("@class")))
        for value in content.values():
            _check_stores(value)
    elif isinstance(content, list):
        for value in content:
            _check_stores(value)


def _check_named(module: str, name: str) -> None:
    found = None
    if module.split(".")[0] in _PACKAGES:
        found = getattr(import_module(module), name, None)
    if not (isinstance(found, type) and issubclass(found, Store)):
        raise StoreError(f"it names '{module}.{name}', which is not a store of vitrion or maggma")
