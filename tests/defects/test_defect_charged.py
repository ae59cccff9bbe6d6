"""Charged defects up to the inputs that VASP would read."""

from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Incar, Poscar

pytest.importorskip("pymatgen.analysis.defects")

from vitrion.defects.charged.objects import charged_defects
from vitrion.errors import InputError

VALENCE = {"Li_sv": 3, "F": 7}


@pytest.fixture
def lif() -> Structure:
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.03), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


@pytest.fixture
def pseudopotentials(tmp_path, monkeypatch) -> None:
    """Make files that hold all of a POTCAR that its reader wants: its name and its electrons."""
    import pymatgen.io.vasp.inputs as inputs

    folder = tmp_path / "psp" / "POT_GGA_PAW_PBE_54"
    folder.mkdir(parents=True)
    for name, electrons in VALENCE.items():
        element = name.partition("_")[0]
        (folder / f"POTCAR.{name}").write_text(
            f"  PAW_PBE {name} 01Jan2000\n   {electrons:.8f}\n"
            " parameters from PSCTR are:\n"
            f"   VRHFIN ={element}: s\n   LEXCH  = PE\n"
            f"   TITEL  = PAW_PBE {name} 01Jan2000\n"
            f"   POMASS =    6.941; ZVAL   =   {electrons:.3f}    mass and valenz\n"
            "   ENMAX  =  400.000; ENMIN  =  300.000 eV\n   EAUG   =  500.000\n"
            "END of PSCTR-controll parameters\n local part\n  1.0 2.0 3.0\n End of Dataset\n"
        )
    monkeypatch.setitem(inputs.SETTINGS, "PMG_VASP_PSP_DIR", str(tmp_path / "psp"))


def relax_maker():
    from atomate2.vasp.jobs.core import RelaxMaker
    from atomate2.vasp.sets.defect import SPECIAL_KPOINT, ChargeStateRelaxSetGenerator

    generator = ChargeStateRelaxSetGenerator(user_kpoints_settings=SPECIAL_KPOINT)
    return RelaxMaker(input_set_generator=generator)


def test_distinct_defects_with_their_charges(lif):
    vacancy, interstitial = charged_defects(lif, "Li")
    assert (vacancy.name, vacancy.multiplicity, vacancy.get_charge_states()) == ("v_Li", 4, [-1, 0])
    assert (interstitial.name, interstitial.multiplicity) == ("Li_i", 8)
    assert interstitial.get_charge_states() == [1, 0]
    with pytest.raises(InputError, match="does not contain Na"):
        charged_defects(lif, "Na")
    with pytest.raises(InputError, match="charge of the F"):
        charged_defects(lif, "F")


@pytest.mark.usefixtures("pseudopotentials")
def test_inputs_of_every_charge_state_are_written(lif, tmp_path, monkeypatch):
    from atomate2.vasp.jobs import base
    from jobflow import JobStore, run_locally
    from maggma.stores import MemoryStore

    from vitrion.defects.charged.makers import charged_flow

    written: list[Path] = []

    def stop(*args, **kwargs):
        written.append(Path.cwd())
        raise RuntimeError("VASP would run now")

    monkeypatch.setattr(base, "run_vasp", stop)
    flow = charged_flow(
        lif, charged_defects(lif, "Li"), relax_maker(), supercell_side_A=8.0, bulk=False
    )
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    run_locally(flow, root_dir=tmp_path, create_folders=True, store=store, log=False)
    found = {}
    for folder in written:
        structure = Poscar.from_file(folder / "POSCAR").structure
        incar = Incar.from_file(folder / "INCAR")
        n_li = round(structure.composition["Li"])
        neutral = 3 * n_li + 7 * 32
        found[n_li, round(neutral - incar["NELECT"])] = incar
        assert structure.composition["F"] == 32
        assert np.allclose(structure.lattice.abc, 8.06)
        assert incar["ISIF"] == 2
        assert (folder / "KPOINTS").is_file()
    assert set(found) == {(31, -1), (31, 0), (33, 1), (33, 0)}


def test_the_same_maker_spawns_charged_defects_and_the_bulk_once(lif):
    from jobflow import Flow
    from monty.json import MontyDecoder, jsanitize

    from vitrion.landscape.makers import DefectMaker
    from vitrion.landscape.study_settings import DefectSettings

    maker = DefectMaker(
        charged_relax_maker=relax_maker(), settings=DefectSettings(supercell_side_A=8.0)
    )
    maker = MontyDecoder().process_decoded(jsanitize(maker, strict=True, enum_values=True))
    job = maker.make(lif)
    flow = job.run(_memory()).replace
    assert isinstance(flow, Flow)
    names = [j.name for j, _ in flow.iterflow()]
    assert names.count("bulk supercell") == 1
    assert names.count("spawn_defect_q_jobs") == 2


def test_a_relax_maker_that_ignores_the_charge_is_refused(lif):
    from atomate2.vasp.jobs.core import RelaxMaker

    from vitrion.defects.charged.makers import charged_flow

    with pytest.raises(ValueError, match="use_structure_charge"):
        charged_flow(lif, charged_defects(lif, "Li"), RelaxMaker())


def _memory():
    from jobflow import JobStore
    from maggma.stores import MemoryStore

    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    store.connect()
    return store
