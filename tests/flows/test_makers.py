"""What every Maker of the package keeps to."""

import importlib
import inspect
import pkgutil
from dataclasses import fields

import pytest
from jobflow import Maker

import vitrion


def makers():
    """Return all Makers of the package that are dataclasses, by their place."""
    found = {}
    for module in pkgutil.walk_packages(vitrion.__path__, "vitrion."):
        if not module.name.endswith(".makers") and ".flows." not in module.name:
            continue
        content = importlib.import_module(module.name)
        for name, kind in inspect.getmembers(content, inspect.isclass):
            if issubclass(kind, Maker) and kind.__module__ == module.name and fields_of(kind):
                found[f"{module.name}.{name}"] = kind
    return found


def fields_of(kind):
    return [field.name for field in fields(kind)] if "__dataclass_fields__" in vars(kind) else []


MAKERS = makers()


def test_the_makers_are_found():
    names = {place.rpartition(".")[2] for place in MAKERS}
    assert {"MDMaker", "ConductivityMaker", "PolymorphSearchMaker", "GenerateMaker"} <= names
    assert {"InpaintMaker", "DefectMaker", "IonConductorMaker", "TrainMaker"} <= names


@pytest.mark.parametrize("place", MAKERS)
def test_name_is_the_first_field(place):
    assert fields_of(MAKERS[place])[0] == "name"


def test_a_conductivity_has_settings_in_place_of_a_long_list():
    names = fields_of(MAKERS["vitrion.conductivity.makers.ConductivityMaker"])
    assert len(names) == 12
    assert names[0] == "name"
    assert "temperatures_K" not in names
