"""Flows for the tests of FireWorks; worker processes import this module."""

import time
from pathlib import Path
from typing import ClassVar

from ase.build import bulk
from jobflow import Flow, Response, job
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from vitrion.documents.base import VitrionDoc
from vitrion.dynamics.makers import MDMaker
from vitrion.runtime.atomic import only_process

EMT = {"@module": "ase.calculators.emt", "@callable": "EMT"}


class ChainDoc(VitrionDoc):
    """What a chain of jobs has come to."""

    key_fields: ClassVar = {"links": "links"}

    property_name: str = "test_chain"
    links: int
    series: list[float]


@job(data=["series"])
def start(links):
    return {"links": links, "series": [links / 7] * 5}


@job(output_schema=ChainDoc, data=["series"])
def grow(previous, target):
    """Add links until there are as many as wanted, each by a job that replaces this one."""
    structure = Structure(Lattice.cubic(3), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    document = ChainDoc.from_structure(
        structure,
        phase="crystalline",
        links=previous["links"],
        series=[*previous["series"], previous["links"] / 3],
    )
    if document.links >= target:
        return document
    following = {"links": document.links + 1, "series": document.series}
    return Response(output=document, replace=grow(following, target))


@job
def check(document, target):
    assert document.links == target
    assert len(document.series) == target + 5
    return {"checked": True}


def chain_flow(target, name="chain"):
    first = start(1)
    second = grow(first.output, target)
    return Flow([first, second, check(second.output, target)], name=name)


@job
def hold(folder):
    """Work in a folder that one process at a time may have, until there is a file ``release``."""
    folder = Path(folder)
    with only_process(folder / "lock"):
        (folder / "begun").touch()
        while not (folder / "release").exists():
            time.sleep(0.05)
        with (folder / "ends").open("a") as ends:
            ends.write("1")
    return {"held": True}


@job
def fail():
    raise ValueError("this job never works")


def copper_run(root_dir=None, duration_ps=1.0, seed=0):
    """Return a real run of copper under EMT, some seconds long."""
    maker = MDMaker(
        name="copper MD",
        force_field_name=EMT,
        settings={
            "ensemble": "nvt",
            "temperature_K": 300.0,
            "timestep_fs": 2.0,
            "duration_ps": duration_ps,
            "save_interval_fs": 20.0,
            "checkpoint_interval_steps": 50,
            "seed": seed,
        },
        root_dir=None if root_dir is None else str(root_dir),
    )
    atoms = bulk("Cu", cubic=True).repeat(2)
    atoms.rattle(0.02, seed=seed)
    return maker.make(AseAtomsAdaptor.get_structure(atoms))
