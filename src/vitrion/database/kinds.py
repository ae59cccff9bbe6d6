"""All kinds of documents, found in the ``document.py`` of each package."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.util import find_spec

import vitrion
from vitrion import documents
from vitrion.database.field_paths import plain_type
from vitrion.documents.base import VitrionDoc


def document_classes() -> dict[str, type[VitrionDoc]]:
    """Return the classes of all kinds of documents by property name."""
    _import_documents()  # a class is known once imported
    classes: dict[str, type[VitrionDoc]] = {}
    pending = VitrionDoc.__subclasses__()
    while pending:
        cls = pending.pop()
        pending += cls.__subclasses__()
        name = cls.model_fields["property_name"].default
        if isinstance(name, str):
            classes[name] = cls
    return classes


def quantity_types() -> dict[str, type | None]:
    """Return bool, float or str, or None for other types, by the names of quantities."""
    return {
        name: plain_type(cls, path)
        for cls in document_classes().values()
        for name, path in cls.key_fields.items()
    }


@cache
def _import_documents() -> None:
    for module in pkgutil.iter_modules(documents.__path__):
        importlib.import_module(f"{documents.__name__}.{module.name}")
    importlib.import_module("vitrion.database.summary")
    for package in pkgutil.iter_modules(vitrion.__path__, "vitrion."):
        name = f"{package.name}.document"
        if package.ispkg and find_spec(name) is not None:
            importlib.import_module(name)
