"""Every document keeps its data through JSON, BSON and validation, and describes itself."""

import json
import math
from datetime import datetime
from typing import get_args

import bson
import numpy as np
import pytest
from monty.json import MontyDecoder, jsanitize
from pydantic import BaseModel
from pymatgen.core import Lattice, Structure

from vitrion.database.kinds import document_classes
from vitrion.documents.base import VitrionDoc
from vitrion.documents.provenance import Provenance, utc_now


class SampleDoc(VitrionDoc):
    property_name: str = "test_sample"
    value: float = 0.0
    series: list[float] = []  # noqa: RUF012


@pytest.fixture
def glass():
    lattice = Lattice.from_parameters(4.1, 4.2, 4.3, 80.1, 85.2, 95.3)
    return Structure(
        lattice,
        ["Li+", "F-"],
        [[0, 0, 0], [0.5, 0.5, 1 / 3]],
        site_properties={"velocities": [[0.1, 0.2, 0.3], [1, 2, 3]], "role": ["a", "b"]},
    )


@pytest.fixture
def sample(glass):
    return SampleDoc.from_structure(
        glass,
        material_id="local-abc",
        phase="amorphous",
        value=math.nan,
        series=np.linspace(0, 1, 7).tolist(),
        provenance=Provenance.collect("chgnet", seeds={"pack": 2**40}),
    )


def assert_same(found, sample):
    first, second = sample.model_dump(), found.model_dump()
    assert math.isnan(first.pop("value"))
    assert math.isnan(second.pop("value"))
    assert first == second
    assert found.structure == sample.structure
    assert np.array_equal(found.structure.lattice.matrix, sample.structure.lattice.matrix)
    assert np.array_equal(found.structure.frac_coords, sample.structure.frac_coords)


def test_json_bson_and_monty_keep_everything(sample):
    assert_same(SampleDoc.model_validate_json(sample.model_dump_json()), sample)
    stored = bson.decode(bson.encode(jsanitize(sample, strict=True, allow_bson=True)))
    decoded = MontyDecoder().process_decoded(stored)
    assert isinstance(decoded, SampleDoc)
    assert_same(decoded, sample)


def test_the_traps_of_the_parent_are_avoided(sample, glass):
    assert sample.deprecated is False
    assert sample.material_id == "local-abc"
    assert sample.model_dump()["structure"] == jsanitize(glass.as_dict())
    assert sample.structure.site_properties["role"] == ["a", "b"]
    assert sample.chemsys == "F-Li"
    assert sample.density_atomic == pytest.approx(glass.volume / 2)
    assert sample.last_updated.microsecond % 1000 == 0
    assert SampleDoc(deprecated=True).deprecated is True


def test_provenance_states_what_is_needed_to_repeat(sample):
    provenance = sample.provenance
    assert provenance.potential.name == "chgnet"
    assert len(provenance.potential.sha256) == 64
    assert provenance.seeds == {"pack": 2**40}
    assert {"vitrion", "pymatgen", "numpy"} <= set(provenance.package_versions)
    assert abs((provenance.created_at - utc_now()).total_seconds()) < 100
    assert isinstance(provenance.created_at, datetime)
    assert provenance.job_uuids == []
    kept = Provenance.collect(job_uuids=["a", "b", "a"])
    assert kept.job_uuids == ["a", "b"]


def models_of(cls, seen):
    """Yield a model and the models in its fields, vitrion's own only."""
    if cls in seen:
        return
    seen.add(cls)
    yield cls
    for info in cls.model_fields.values():
        pending = [info.annotation]
        while pending:
            part = pending.pop()
            pending += getattr(part, "__args__", ())
            is_ours = isinstance(part, type) and part.__module__.startswith("vitrion.")
            if is_ours and issubclass(part, BaseModel):
                yield from models_of(part, seen)


@pytest.mark.parametrize("name", sorted(document_classes()))
def test_every_document_describes_itself(name):
    cls = document_classes()[name]
    json.dumps(cls.model_json_schema())
    inherited = set(VitrionDoc.model_fields)
    for model in models_of(cls, set()):
        if not model.__module__.startswith("vitrion."):
            continue
        for field, info in model.model_fields.items():
            if field not in inherited:
                assert info.description, f"{model.__name__}.{field} has no description"


def _models(annotation):
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from _models(field.annotation)
    for part in get_args(annotation):
        yield from _models(part)


@pytest.mark.parametrize("kind", document_classes())
def test_units_are_spelled_one_way(kind):
    """Per is written out for a force and a density; no document says eV_A or g_cm3."""
    for model in _models(document_classes()[kind]):
        for name in model.model_fields:
            assert not name.endswith(("eV_A", "g_cm3")), f"{model.__name__}.{name}"
