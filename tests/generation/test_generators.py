"""Candidates of every generator, and what they refuse."""

from __future__ import annotations

import os
import stat
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from pymatgen.core import Composition, Lattice, Structure

from vitrion.chemistry.distances import closeness, shortest_distance
from vitrion.chemistry.geometry import face_distances
from vitrion.errors import InputError, SimulationError
from vitrion.generation.diffusion.generator import DiffusionGenerator, ScoreModel
from vitrion.generation.external import MatterGenGenerator, xtalpaint_inpaint
from vitrion.generation.given import FileGenerator
from vitrion.generation.hosts import make_hosts, ordered_host
from vitrion.generation.inpainting import inpaint
from vitrion.generation.lattices import enumerate_lattices
from vitrion.generation.random import RandomGenerator, class_order
from vitrion.generation.substitution import SubstitutionGenerator

FAST = {"levels": 12, "correctors": 0}


def rock_salt(a=4.03, cation="Li", anion="F"):
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(a), [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


GENERATORS = {
    "diffusion": DiffusionGenerator(formula_units=(1, 2), sampler=FAST),
    "random": RandomGenerator(formula_units=(1, 2)),
    "substitution": SubstitutionGenerator(),
}


@pytest.mark.filterwarnings("ignore:The score net")
@pytest.mark.parametrize("name", GENERATORS)
def test_composition_seed_and_origin(name):
    generator = GENERATORS[name]
    found = generator.generate("LiPO2F2", 4, seed=7)
    assert len(found) == 4
    for candidate in found:
        assert candidate.structure.composition.reduced_formula == "LiP(OF)2"
        assert candidate.origin.generator == name
        units = len(candidate.structure) / 6
        assert candidate.origin.formula_units == units
        assert 7 < candidate.structure.volume / len(candidate.structure) < 25
    again = generator.generate("LiPO2F2", 4, seed=7)
    other = generator.generate("LiPO2F2", 4, seed=8)
    assert [c.structure for c in again] == [c.structure for c in found]
    assert [c.structure for c in other] != [c.structure for c in found]
    assert type(found[0]).model_validate_json(found[0].model_dump_json()) == found[0]


def test_precision_set_by_another_potential_changes_nothing():
    expected = next(iter(DiffusionGenerator().generate("LiF", 1, seed=4))).structure
    torch.set_default_dtype(torch.float64)
    try:
        found = next(iter(DiffusionGenerator().generate("LiF", 1, seed=4))).structure
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert np.array_equal(found.frac_coords, expected.frac_coords)


def test_random_crystals_have_symmetry_and_room():
    found = RandomGenerator(formula_units=(2,)).generate("Li3PO4", 6, seed=1)
    groups = [c.structure.get_space_group_info(symprec=0.01)[1] for c in found]
    assert groups == [c.origin.details["space_group_number"] for c in found]
    assert min(closeness(c.structure) for c in found) > 0.5


def test_symmetric_places_leave_the_rarest_element_room():
    """Of LiPO2F2, no P sits where more than two operations meet; PyXtal alone puts it anywhere."""
    generator = DiffusionGenerator(formula_units=(1, 2), symmetric_share=1.0, sampler=FAST)
    kinds = [(c.origin, c.origin.details["cell"]) for c in generator.generate("LiPO2F2", 8, seed=2)]
    numbers = [(o.formula_units, int(k.split()[-1])) for o, k in kinds if k.startswith("space")]
    assert len(numbers) >= 6
    assert all(class_order(number) <= 2 * units for units, number in numbers)
    assert [class_order(number) for number in (2, 14, 15, 62, 148, 225)] == [2, 4, 4, 8, 6, 48]
    with pytest.raises(InputError, match="largest_site_order"):
        DiffusionGenerator(largest_site_order=0).generate("LiF", 1, seed=0)


def test_prototypes_of_rock_salt_and_shared_anion_sites():
    for candidate in SubstitutionGenerator().generate("LiF", 30, seed=0):
        assert candidate.structure.composition.reduced_formula == "LiF"
    shared = SubstitutionGenerator().generate("LiPO2F2", 20, seed=0)
    assert any("/" in sites for c in shared for sites in c.origin.details["sites"].values())
    with pytest.raises(InputError, match="No prototype matches"):
        SubstitutionGenerator(most_atoms=8).generate("Li4P2O7", 1, seed=0)


def test_cells_have_the_volume_and_all_kinds_come_first():
    cells = list(islice(enumerate_lattices(160.0, seed=0), 14))
    assert {kind for kind, _ in cells[:7]} == {kind for kind, _ in cells[7:]}
    assert len({kind for kind, _ in cells}) == 7
    for _, lattice in cells:
        assert lattice.volume == pytest.approx(160.0)
        assert min(face_distances(lattice.matrix)) > 2.2
    with pytest.raises(InputError, match="increase the volume"):
        next(enumerate_lattices(5.0, seed=0))


def test_elements_the_weights_do_not_know_and_anions_never_seen_together():
    with pytest.raises(InputError, match="was not trained on Og"):
        ScoreModel.load().check({"Li", "Og"})
    with pytest.warns(UserWarning, match="was not trained on crystals with"):
        ScoreModel.load().check({"Li", "P", "N", "S", "F"})


@pytest.mark.parametrize("generator", [RandomGenerator, SubstitutionGenerator, DiffusionGenerator])
def test_negative_seeds_and_volumes_are_refused(generator):
    with pytest.raises(InputError, match="Seed -1 must be at least 0"):
        generator().generate("LiF", 1, seed=-1)
    for volume in (-5.0, 0.0, float("nan")):
        with pytest.raises(InputError, match="must be positive, or None"):
            generator(volume_per_atom_A3=volume).generate("LiF", 1, seed=0)


def test_bad_requests_are_refused():
    generator = DiffusionGenerator()
    with pytest.raises(InputError, match="must be at least 1"):
        generator.generate("LiF", 0, seed=0)
    with pytest.raises(InputError, match="not a chemical formula"):
        generator.generate("Lif2x", 1, seed=0)
    with pytest.raises(InputError, match="formula units"):
        DiffusionGenerator(formula_units=(0,)).generate("LiF", 1, seed=0)
    with pytest.raises(InputError, match="steps is not a setting"):
        DiffusionGenerator(sampler={"steps": 3}).generate("LiF", 1, seed=0)
    with pytest.raises(InputError, match="is 'RePaint', but must be 'conditioned' or 'repaint'"):
        inpaint(Structure(Lattice.cubic(3), ["F"], [[0, 0, 0]]), {"Li": 1}, mode="RePaint")
    with pytest.raises(InputError, match="increase the volume"):
        DiffusionGenerator(volume_per_atom_A3=1.0).generate("LiF", 1, seed=0)


def test_files(tmp_path):
    path = tmp_path / "a.cif"
    rock_salt().to(filename=str(path))
    (candidate,) = FileGenerator([str(path)]).generate("LiF", 5)
    assert candidate.origin.parent == str(path)
    assert len(candidate.structure) == 8
    with pytest.raises(InputError, match="holds LiF, not Li2O"):
        FileGenerator([str(path)]).generate("Li2O", 1)
    with pytest.raises(InputError, match="no structure file"):
        FileGenerator([str(tmp_path / "b.cif")]).generate("LiF", 1)
    close = Structure(Lattice.cubic(4), ["Li", "F"], [[0, 0, 0], [0.05, 0, 0]])
    close.to(filename=str(tmp_path / "c.json"))
    with pytest.raises(InputError, match=r"0\.20 A apart"):
        FileGenerator([str(tmp_path / "c.json")]).generate("LiF", 1)


def test_hosts_are_reduced_and_the_number_to_insert_with_them():
    displaced = rock_salt()
    displaced.perturb(0.03)
    (host,) = [h for h in make_hosts(displaced, "Li") if h.space_group == "Fm-3m"]
    assert len(host.structure) == 1  # fcc of F, from a cell of four
    assert host.insert == {"Li": 1}
    assert host.structure.volume == pytest.approx(displaced.volume / 4, rel=0.01)


def test_a_reduced_host_that_needs_half_an_atom_is_repeated():
    """Li on every other site of an F lattice: the primitive F cell would hold half a Li."""
    lattice = Lattice.tetragonal(4.0, 5.6)
    structure = Structure(lattice, ["F", "F", "Li"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0.25]])
    for host in make_hosts(structure, "Li"):
        assert host.insert["Li"] / len(host.structure) == pytest.approx(0.5)
        composition = Composition({"F": len(host.structure)}) + Composition(host.insert)
        assert composition.reduced_formula == structure.composition.reduced_formula


@pytest.mark.parametrize(("cells", "left"), [((7, 1, 1), 6), ((3, 3, 1), 8), ((2, 2, 2), 5)])
def test_vacancies_of_a_supercell_are_kept(cells, left):
    parent = rock_salt().get_primitive_structure().make_supercell(cells, in_place=False)
    lithium = [i for i, site in enumerate(parent) if site.specie.symbol == "Li"]
    parent.remove_sites(lithium[left:])
    for host in make_hosts(parent, "Li"):
        held = Composition({"F": len(host.structure)}) + Composition(host.insert)
        assert held.reduced_formula == parent.composition.reduced_formula


def test_hosts_that_would_be_too_large():
    parent = rock_salt().get_primitive_structure().make_supercell([3, 3, 3], in_place=False)
    parent.remove_sites([next(i for i, site in enumerate(parent) if site.specie.symbol == "Li")])
    for triclinic in (True, False):
        with pytest.raises(InputError, match="12 reduced cells holds the Li of Li26 F27"):
            make_hosts(parent, "Li", allow_triclinic=triclinic)


def test_hosts_that_cannot_be_made():
    with pytest.raises(InputError, match="does not contain Na"):
        make_hosts(rock_salt(), "Na")
    with pytest.raises(InputError, match="contains only"):
        make_hosts(Structure(Lattice.cubic(3.4), ["Li"], [[0, 0, 0]]), "Li")


def test_partial_sites_become_whole_atoms_to_insert():
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0]]
    disordered = Structure(Lattice.cubic(4), ["Cl", {"Li": 0.5}, {"Li": 0.25, "Na": 0.25}], sites)
    host = ordered_host(disordered)
    assert host.structure.composition == Composition("Cl4")
    assert host.insert == {"Li": 3, "Na": 1}
    with pytest.raises(InputError, match="fully occupied"):
        ordered_host(rock_salt())


def test_a_filled_host_keeps_its_atoms():
    host = rock_salt()
    host.remove_species(["Li"])
    for mode in ("conditioned", "repaint"):
        sampler = {"levels": 20, "jump_length": 10, "resamples": 2}
        (filled,) = inpaint(host, {"Li": 4}, 1, seed=3, mode=mode, sampler=sampler)
        assert filled.structure.composition.reduced_formula == "LiF"
        np.testing.assert_allclose(filled.structure.frac_coords[:4], host.frac_coords, atol=1e-6)
        assert filled.origin.generator == "inpainting"
        assert filled.origin.details["insert"] == {"Li": 4}


def test_hosts_that_cannot_be_filled():
    host = rock_salt()
    with pytest.raises(InputError, match="insert must name elements"):
        inpaint(host, {})
    host.append("F", [0.02, 0, 0])
    with pytest.raises(InputError, match="remove the overlap"):
        inpaint(host, {"Li": 1})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The score net")
def test_shipped_weights_know_where_atoms_go():
    """Li back into the fluorine lattice of LiF, and LiPO2F2 without overlaps."""
    host = rock_salt()
    host.remove_species(["Li"])
    found = inpaint(host, {"Li": 4}, 8, seed=0)
    assert np.median([shortest_distance(c.structure) for c in found]) > 1.7
    free = DiffusionGenerator().generate("LiPO2F2", 16, seed=0)
    assert np.mean([closeness(c.structure) > 0.55 for c in free]) > 0.9


# The programs below are doubles: neither MatterGen nor XtalPaint can be installed beside this
# package, so these write what the real ones write, in the same format and to the same place.
MATTERGEN = """#!{python}
import json, sys
from ase import Atoms
from ase.io import write
options = dict(a.lstrip("-").split("=", 1) for a in sys.argv[2:])
if options["model_path"].endswith("broken"):
    sys.exit("RuntimeError: no checkpoint in " + options["model_path"])
images = []
for target in json.loads(options["target_compositions"]):
    symbols = [s for s, n in target.items() for _ in range(n)]
    n = len(symbols)
    atoms = Atoms(symbols, cell=[2.5 * n, 3, 3], pbc=True)
    atoms.set_scaled_positions([[i / n, 0, 0] for i in range(n)])
    images += [atoms] * int(options["batch_size"])
write(sys.argv[1] + "/generated_crystals.extxyz", images, format="extxyz")
"""


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def mattergen(tmp_path):
    """An environment with a double of MatterGen 1.0.3, and a folder for a checkpoint."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program(folder / "python", "#!/bin/sh\necho 1.0.3\n")
    command = program(folder / "mattergen-generate", MATTERGEN.format(python=sys.executable))
    (tmp_path / "model").mkdir()
    return MatterGenGenerator(str(tmp_path / "model"), str(command), formula_units=(1, 2))


def test_mattergen_is_asked_and_read(mattergen):
    found = mattergen.generate("LiPO2F2", 4, seed=0)
    assert [len(c.structure) for c in found] == [6, 6, 12, 12]
    assert {c.origin.model for c in found} == {"MatterGen 1.0.3"}


def test_mattergen_that_is_missing_wrong_or_fails(mattergen, tmp_path):
    with pytest.raises(InputError, match="not found"):
        MatterGenGenerator(mattergen.model_path, "no-such-program").generate("LiF", 1, 0)
    with pytest.raises(InputError, match="checkpoint"):
        MatterGenGenerator("", mattergen.command).generate("LiF", 1, 0)
    (tmp_path / "broken").mkdir()
    with pytest.raises(SimulationError, match="no checkpoint in"):
        MatterGenGenerator(str(tmp_path / "broken"), mattergen.command).generate("LiF", 1, 0)
    program(Path(mattergen.command).with_name("python"), "#!/bin/sh\necho 0.9.1\n")
    with pytest.raises(InputError, match=r"'0\.9\.1' was found"):
        mattergen.generate("LiF", 1, 0)


def test_mattergen_that_writes_nothing(mattergen):
    program(Path(mattergen.command), "#!/bin/sh\nexit 0\n")
    with pytest.raises(SimulationError, match="wrote no generated_crystals"):
        mattergen.generate("LiF", 1, 0)


CANDIDATES = """
def generate_inpainting_candidates(structures, n_inp, element, num_samples):
    out = {}
    for name, host in structures.items():
        out[name] = host.copy()
        for i in range(n_inp[name]):
            out[name].append(element, [0.5, 0.5, 0.1 * i])
    return out
"""
PIPELINE = """
def run_inpainting_pipeline(structures, config):
    if config["predictor_corrector"] == "bad":
        raise ValueError("unknown predictor")
    return {"structures": structures}
"""


def test_xtalpaint_is_asked_and_read(tmp_path, monkeypatch):
    package = tmp_path / "xtalpaint" / "inpainting"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (tmp_path / "torch.py").write_text("def manual_seed(seed): ...")  # torch takes seconds
    (package / "generate_candidates.py").write_text(CANDIDATES)
    (package / "inpainting_process.py").write_text(PIPELINE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path)]))
    host = rock_salt()
    config = {"pretrained_name": "mattergen_base", "predictor_corrector": "baseline"}
    found = xtalpaint_inpaint(host, {"Li": 2}, 3, 0, python=sys.executable, config=config)
    assert [c.structure.composition["Li"] for c in found] == [6, 6, 6]
    config["predictor_corrector"] = "bad"
    with pytest.raises(SimulationError, match="unknown predictor"):
        xtalpaint_inpaint(host, {"Li": 2}, 1, 0, python=sys.executable, config=config)
    with pytest.raises(InputError, match="one element"):
        xtalpaint_inpaint(host, {"Li": 1, "F": 1}, python=sys.executable, config=config)
