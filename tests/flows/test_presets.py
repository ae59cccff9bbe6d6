"""The presets make the Makers that they made before there were recipes."""

import json
from pathlib import Path

import pytest

from vitrion.flows.ion_conductor import IonConductorMaker

MAKERS = json.loads((Path(__file__).parent / "preset_makers.json").read_text())
"""Parameters of all Makers of each preset, as they were before there were recipes.

How often a run writes a checkpoint is left out: no number follows from it. So are the barriers of
the crystal's defects, which the recipe has stated apart since its conductivity follows from them.
"""


def plain(value):
    """Return a Maker's dictionary without the tags of monty."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items() if not name.startswith("@")}
    return [plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def of_conductivity(maker, n_structures):
    settings = maker.settings.model_dump(mode="json")
    del settings["extension"]
    names = ("potential", "reference_potential", "walltime_s", "root_dir", "workers", "phase")
    return {
        **{name: getattr(maker, name) for name in names},
        **settings,
        "budget_ps": maker.settings.budget_ps(n_structures),
    }


def of_defects(maker):
    defects = maker.defect_maker
    return {
        **{name: getattr(defects, name) for name in ("potential", "root_dir", "walltime_s")},
        "settings": defects.settings.model_dump(mode="json"),
        "charges": list(defects.charges),
    }


def parameters(maker):
    """Return what decides the numbers of an ion conductor's Maker."""
    search, crystal = maker.polymorph_maker, maker.crystal_maker
    replicas = maker.glass_maker.glass_maker
    quench = replicas.melt_quench_maker
    found = {
        "search": {
            "settings": search.settings.model_dump(mode="json"),
            **{name: getattr(search, name) for name in ("potential", "parallel", "seed")},
        },
        "crystal": {
            "min_side_A": crystal.min_side_A,
            "conductivity": of_conductivity(crystal.conductivity_maker, 1),
        },
        "glass": {
            "n_replicas": replicas.n_replicas,
            "settings": quench.settings.model_dump(mode="json"),
            "md": {
                "potential": quench.md_maker.potential,
                "reference_potential": quench.md_maker.reference_potential,
                "settings": quench.md_maker.settings.model_dump(mode="json"),
            },
            "relax": plain(quench.relax_maker.as_dict()),
            "conductivity": of_conductivity(
                maker.glass_maker.conductivity_maker, replicas.n_replicas
            ),
        },
        "relax": plain(maker.relax_maker.as_dict()),
        "crystal_defects": of_defects(maker.crystal_landscape_maker),
        "glass_defects": of_defects(maker.glass_landscape_maker),
    }
    return json.loads(json.dumps(found, default=str))


@pytest.mark.parametrize("preset", ["quick", "standard", "paper"])
def test_presets_make_the_makers_that_they_always_made(preset):
    found = parameters(IonConductorMaker.from_preset(preset))
    assert among(MAKERS[preset], found) == MAKERS[preset]


def among(wanted, found):
    """Return the found values of the wanted names; settings may have got further fields."""
    if not isinstance(wanted, dict):
        return found
    return {name: among(value, found[name]) for name, value in wanted.items()}
