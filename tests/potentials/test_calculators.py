import numpy as np
import pytest
from ase.build import bulk

from vitrion.errors import InputError, PotentialError
from vitrion.potentials import force_field, load_calculator
from vitrion.settings import get_settings


@pytest.fixture(scope="module")
def lithium_fluoride():
    atoms = bulk("LiF", "rocksalt", a=4.08, cubic=True)
    atoms.rattle(0.05, seed=1)
    return atoms


def test_chgnet_forces_are_the_gradient_and_stress_comes_on_demand(lithium_fluoride):
    atoms = lithium_fluoride.copy()
    atoms.calc = load_calculator("chgnet", symbols=["Li", "F"])
    forces = atoms.get_forces()
    assert "stress" not in atoms.calc.results
    assert np.abs(atoms.get_stress()).max() > 1e-4
    energies = []
    for step in (-0.02, 0.02):
        moved = lithium_fluoride.copy()
        moved.positions[0, 0] += step
        moved.calc = atoms.calc
        energies.append(moved.get_potential_energy())
    assert -(energies[1] - energies[0]) / 0.04 == pytest.approx(forces[0, 0], abs=5e-3)


def test_one_thread():
    import torch

    torch.set_num_threads(2)
    load_calculator("chgnet")
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(
    ("name", "options", "error", "words"),
    [
        ("chgnet", {"symbols": ["Po"]}, InputError, "does not know Po"),
        ("chgnet", {"dtype": "float64"}, InputError, "float32 only"),
        ("chgnet", {"dtype": "int8"}, InputError, "float32 or float64"),
        ("mace:medium-mpa-0", {}, PotentialError, "could not be downloaded"),
    ],
)
def test_faults_are_one_sentence(monkeypatch, name, options, error, words):
    if name.startswith("mace:"):
        _cut_the_network(monkeypatch)
    with pytest.raises(error, match=words) as caught:
        load_calculator(name, **options)
    assert "\n" not in str(caught.value)


def test_a_pickle_is_loaded_only_when_trusted(tmp_path, monkeypatch):
    model = tmp_path / "my.model"
    model.write_bytes(b"not a model")
    get_settings.cache_clear()
    with pytest.raises(InputError, match="is a pickle"):
        load_calculator(f"mace:{model}")
    monkeypatch.setenv("VITRION_ALLOW_PICKLE", "1")
    get_settings.cache_clear()
    with pytest.raises(InputError, match="could not be loaded"):
        load_calculator(f"mace:{model}")
    get_settings.cache_clear()


def test_atomate2_makers_run_and_name_the_potential(lithium_fluoride, tmp_path, monkeypatch):
    from atomate2.forcefields.jobs import ForceFieldStaticMaker
    from jobflow import run_locally
    from pymatgen.io.ase import AseAtomsAdaptor

    monkeypatch.chdir(tmp_path)
    structure = AseAtomsAdaptor.get_structure(lithium_fluoride)
    job = ForceFieldStaticMaker(**force_field("chgnet")).make(structure)
    responses = run_locally(job, ensure_success=True, log=False)
    document = responses[job.uuid][1].output
    assert document.forcefield_name == "chgnet"
    atoms = lithium_fluoride.copy()
    atoms.calc = load_calculator("chgnet")
    assert document.output.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-4)


def _cut_the_network(monkeypatch):
    """Make every name look-up fail, as on a machine without a network."""
    import socket

    def refuse(*_, **__):
        raise socket.gaierror("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("XDG_CACHE_HOME", "/nonexistent")


def test_the_default_is_the_shipped_student_and_a_user_may_name_the_file(lithium_fluoride):
    from vitrion.potentials import DEFAULT_POTENTIAL, get_potential

    atoms = lithium_fluoride.copy()
    atoms.calc = load_calculator(symbols=["Li", "F"])
    path = get_potential(DEFAULT_POTENTIAL).path
    other = lithium_fluoride.copy()
    other.calc = load_calculator(f"mace:{path}")
    np.testing.assert_allclose(atoms.get_forces(), other.get_forces(), atol=1e-5)
    with pytest.raises(InputError, match="does not know Na"):
        load_calculator(symbols=["Na"])
