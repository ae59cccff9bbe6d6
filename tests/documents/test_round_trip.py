"""Every kind of document, with NaN and infinities wherever a number may be, keeps all of it."""

import itertools
import math
import types
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import bson
import numpy as np
import pytest
from monty.json import MontyDecoder, jsanitize
from pydantic import BaseModel
from pymatgen.core import Lattice, Structure

from vitrion.database.kinds import document_classes
from vitrion.database.summary import SummaryDoc
from vitrion.errors import InputError
from vitrion.store.sqlite_store import SQLiteStore

SPECIAL = [math.nan, math.inf, -math.inf, 0.1 + 0.2, 1e-300]
CLASSES = {k: c for k, c in document_classes().items() if c.__module__.startswith("vitrion.")}


class Filler:
    """Fills documents with values of the types that their fields declare."""

    def __init__(self, numbers):
        self.numbers = itertools.cycle(numbers)

    def document(self, cls):
        structure = Structure(
            Lattice.from_parameters(4.1, 4.2, 4.3, 80.1, 85.2, 95.3),
            ["Li", "F"],
            np.array([[0, 0, 0], [0.5, 0.5, 1 / 3]]),
            site_properties={"velocities": np.array([[0.1, 0.2, 0.3], [1, 2, 3]])},
        )
        own = {name: info for name, info in cls.model_fields.items() if self.is_own(cls, name)}
        own["trust"] = cls.model_fields["trust"]
        values = {name: self.value(info.annotation) for name, info in own.items()}
        return cls.from_structure(structure, material_id="m-1", phase="amorphous", **values)

    @staticmethod
    def is_own(cls, name):
        parents = [base for base in cls.__mro__[1:] if issubclass(base, BaseModel)]
        return name != "property_name" and not any(name in base.model_fields for base in parents)

    def value(self, kind):
        origin, parts = get_origin(kind), get_args(kind)
        if origin is Annotated:
            return self.value(parts[0])
        if origin in (Union, types.UnionType):
            return self.value(next(part for part in parts if part is not type(None)))
        if origin is Literal:
            return parts[0]
        if origin in (list, set):
            return [self.value(parts[0]) for _ in range(3)]
        if origin is dict:
            keys = (300.5, 700.0) if parts[0] is float else ("a", "b")
            return {key: self.value(parts[1]) for key in keys}
        if origin is tuple:
            return tuple(self.value(part) for part in parts if part is not Ellipsis)
        plain = {int: 3, str: "text", bool: True, Any: 1.5, Path: Path("/x")}
        plain |= {dict: {}, datetime: datetime(2026, 1, 2, 3, 4, 5, 678000)}
        if kind is float:
            return next(self.numbers)
        if kind is Structure:
            return Structure(Lattice.cubic(3.1), ["Li"], [[0.1, 0.2, 1 / 3]])
        return self.model(kind) if issubclass(kind, BaseModel) else plain[kind]

    def model(self, cls):
        values = {name: self.value(info.annotation) for name, info in cls.model_fields.items()}
        try:
            return cls(**values)
        except (InputError, ValueError):  # bound by a validator of its own
            return cls()


def same(a, b):
    return repr(a.model_dump()) == repr(b.model_dump())


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("numbers", [SPECIAL, [0.1 + 0.2, 2.5e-17]], ids=["special", "plain"])
def test_nothing_is_lost(kind, numbers, tmp_path):
    cls = CLASSES[kind]
    document = Filler(numbers).document(cls)
    assert same(cls.model_validate_json(document.model_dump_json()), document)
    assert same(cls.model_validate(document.model_dump()), document)
    stored = jsanitize(document, strict=True, allow_bson=True)
    decoded = MontyDecoder().process_decoded(bson.decode(bson.encode(stored)))
    assert isinstance(decoded, cls)
    assert same(decoded, document)
    with SQLiteStore(str(tmp_path / "s.sqlite"), key="material_id") as store:
        store.update(stored)
        assert same(cls.model_validate(store.query_one()), document)


@pytest.mark.parametrize("kind", CLASSES)
def test_the_path_of_every_key_figure_leads_to_one(kind):
    cls = CLASSES[kind]
    stored = jsanitize(Filler([0.1]).document(cls), strict=True, allow_bson=True)
    stored["document_id"] = "a"
    summary = SummaryDoc.from_documents([stored], {kind: cls.key_fields})
    bound = {"sigma_300K_bound"}  # absent, because the filled document has a value
    assert set(cls.key_fields) - bound <= set(summary.values)
