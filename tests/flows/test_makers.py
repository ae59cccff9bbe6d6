"""What every Maker of the package keeps to."""

import importlib
import inspect
import json
import pkgutil
from dataclasses import fields

import pytest
from jobflow import Maker
from monty.json import MontyDecoder, MontyEncoder
from pymatgen.core import Lattice, Structure

import vitrion
from vitrion.conductivity.conductivity_settings import ConductivitySettings
from vitrion.dynamics.makers import MDMaker
from vitrion.dynamics.md_settings import MDSettings
from vitrion.flows.ion_conductor import IonConductorMaker
from vitrion.generation.random import RandomGenerator
from vitrion.landscape.study_settings import DefectSettings
from vitrion.polymorphs.search_settings import SearchSettings

LIF = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(4.05), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]]
)


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


OTHERS = {
    "MDMaker": {
        "settings": MDSettings(temperature_K=(900.0, 300.0), duration_ps=2.0),
        "task_document_kwargs": {"additional_fields": {"batch": 7}},
    },
    "MDSeriesMaker": {"temperatures_K": (600.0, 800.0), "replicas": 2},
    "DefectMaker": {"settings": DefectSettings(kinds=("vacancy",)), "charges": (0, 1)},
    "RelaxMaker": {
        "force_field_name": {"@module": "ase.calculators.emt", "@callable": "EMT"},
    },
    "PolymorphSearchMaker": {"references": {"LiF": LIF}, "settings": SearchSettings(hosts=0)},
    "GenerateMaker": {"generator": RandomGenerator(formula_units=(1, 2))},
    "InpaintMaker": {"sampler": {"n_steps": 5}},
    "MeltQuenchMaker": {"replica": 2, "md_maker": MDMaker(potential="chgnet")},
    "CrystalConductivityMaker": {"min_side_A": 9.0},
    "ConductivityMaker": {"phase": "glass", "settings": ConductivitySettings(first_ps=9.0)},
    "ScreenMaker": {"maker": IonConductorMaker(glass_maker=None)},
    "IonConductorMaker": {"relax_maker": None, "glass_maker": None},
}


@pytest.mark.parametrize("values", ["default", "other"])
@pytest.mark.parametrize("place", MAKERS)
def test_a_maker_survives_serialization(place, values):
    kind = MAKERS[place]
    maker = kind(**(OTHERS.get(kind.__name__, {"name": "mine"}) if values == "other" else {}))
    assert kind.from_dict(maker.as_dict()) == maker
    written = json.dumps(maker.as_dict(), cls=MontyEncoder)
    read = MontyDecoder().process_decoded(json.loads(written))
    assert type(read) is kind
    assert read == maker


def test_a_conductivity_has_settings_in_place_of_a_long_list():
    names = fields_of(MAKERS["vitrion.conductivity.makers.ConductivityMaker"])
    assert len(names) == 14
    assert names[0] == "name"
    assert "temperatures_K" not in names
