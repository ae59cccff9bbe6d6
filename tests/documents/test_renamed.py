"""Documents and settings with the names that fields had before are still read."""

from typing import get_args

import pytest
from pydantic import BaseModel

from vitrion.database.kinds import document_classes
from vitrion.defects.settings import BarrierSettings, DefectSettings
from vitrion.documents.defects import DefectDoc, DefectRecord
from vitrion.polymorphs.document import Polymorph
from vitrion.renamed import FORMER, or_former, read_field

MODELS = (BarrierSettings, DefectSettings, DefectDoc, DefectRecord, Polymorph)


def test_settings_take_the_former_names_and_dump_the_new_ones():
    former = DefectSettings(fmax_eV_A=0.1, force_bound_eV_A=0.3, barriers={"fmax_eV_A": 0.2})
    now = DefectSettings(
        fmax_eV_per_A=0.1, force_bound_eV_per_A=0.3, barriers={"fmax_eV_per_A": 0.2}
    )
    assert former == now
    assert now.model_dump()["fmax_eV_per_A"] == 0.1
    assert "fmax_eV_A" not in now.model_dump()
    assert "fmax_eV_per_A" in DefectSettings.model_json_schema()["properties"]


def test_every_former_name_is_read_by_some_field():
    renamed = {
        name
        for model in MODELS
        for name, field in model.model_fields.items()
        if name in FORMER and field.validation_alias == or_former(name)
    }
    assert renamed == set(FORMER)


def test_finished_defects_of_an_earlier_version_are_read():
    assert read_field({"max_force_eV_A": 0.01}, "max_force_eV_per_A") == 0.01
    both = {"max_force_eV_A": 0.01, "max_force_eV_per_A": 0.02}
    assert read_field(both, "max_force_eV_per_A") == 0.02


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
