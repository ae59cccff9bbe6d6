"""What each frame states is read: times, temperatures, cells, elements; or refused by name."""

import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

from helpers.reader_checks import CELL, INTERVAL_FS, LENGTH, assert_agrees, read
from helpers.trajectory_files import cubic_bounds, write_lammps, write_xyz
from vitrion.chemistry.species import elements_of_masses
from vitrion.errors import InputError

LATTICE = 'Lattice="12 0 0 0 12 0 0 0 12" Properties=species:S:1:pos:R:3'


def images(run, kelvin=None, **info):
    """Return Atoms; ``kelvin(k)`` gives a frame momenta, the functions in ``info`` its facts."""
    found = []
    for k, frame in enumerate(run[0]):
        atoms = Atoms(run[1], frame % LENGTH, cell=CELL, pbc=True)
        atoms.info = {name: value(k) for name, value in info.items()}
        if kelvin is not None:
            rng = np.random.default_rng(k)
            MaxwellBoltzmannDistribution(atoms, temperature_K=kelvin(k), rng=rng)
        found.append(atoms)
    return found


def test_times_and_steps_of_atoms_are_read(tmp_path, run, expected):
    timed = images(run, time_fs=lambda k: k * INTERVAL_FS)
    write(tmp_path / "timed.traj", timed)
    for source in (timed, iter(timed), tmp_path / "timed.traj"):
        assert_agrees(read(source), expected)
    with pytest.raises(InputError, match="100 fs apart by what the trajectory states"):
        read(timed, frame_interval_fs=1000.0)
    counted = images(run, step=lambda k: 50 * k)
    assert_agrees(read(counted, timestep_fs=2.0), expected)
    # The unit of these times is unknown.
    both = images(run, step=lambda k: 50 * k, time=lambda k: 0.1 * k)
    assert_agrees(read(both, timestep_fs=2.0), expected)
    assert_agrees(read(both, frame_interval_fs=INTERVAL_FS), expected)


def test_uneven_times_of_atoms_are_used(run):
    uneven = images(run, time_fs=lambda k: 100.0 * k if k < 100 else 1e4 + 500.0 * (k - 100))
    result = read(uneven)
    assert result.frame_interval_fs == 500.0
    assert result.n_frames == 20 + 200


@pytest.mark.parametrize("given", [None, 900.0])
def test_a_run_that_is_heated_is_refused(tmp_path, run, given):
    heated = images(run, kelvin=lambda k: 300.0 + 4.0 * k)
    with pytest.raises(InputError, match=r"from \d+ K in the first third .* last: skip the start"):
        read(heated, temperature_K=given, frame_interval_fs=INTERVAL_FS)
    path = tmp_path / "a.xyz"
    comment = lambda k: f"{LATTICE} time_ps={0.1 * k} temperature={300 + 4 * k}"  # noqa: E731
    write_xyz(path, run[0] % LENGTH, run[1], comment)
    with pytest.raises(InputError, match="from 498 K in the first third"):
        read(path, temperature_K=given)


def test_the_skipped_start_does_not_count(run):
    settled = images(run, kelvin=lambda k: 2000.0 if k < 60 else 700.0)
    options = {"temperature_K": None, "frame_interval_fs": INTERVAL_FS}
    with pytest.raises(InputError, match="skip_ps"):
        read(settled, **options)
    assert read(settled, **options, skip_ps=6.0).temperature_K == pytest.approx(700.0, rel=0.03)
    # Frames that a restart replaced state a temperature, too.
    restarted = images(
        run, temperature=lambda k: 2000.0 if k < 60 else 700.0, step=lambda k: 50 * k
    )
    restarted = [*restarted[:200], *restarted[190:]]
    options = {"temperature_K": None, "timestep_fs": 2.0, "skip_ps": 6.0}
    assert read(restarted, **options).temperature_K == pytest.approx(700.0, rel=0.03)


def test_temperatures_of_all_segments_count(tmp_path, run):
    parts = images(run, kelvin=lambda k: 700.0 if k < 150 else 300.0)
    for name, part in (("1.traj", parts[:150]), ("2.traj", parts[150:])):
        write(tmp_path / name, part)
    with pytest.raises(InputError, match=r"from 6\d\d K in the first third"):
        read([tmp_path / "1.traj", tmp_path / "2.traj"], frame_interval_fs=INTERVAL_FS)


def test_a_segment_named_twice_is_refused(tmp_path, run):
    path = tmp_path / "a.dump"
    write_lammps(path, run[0] % LENGTH, run[1], cubic_bounds(LENGTH))
    with pytest.raises(InputError, match=r"a\.dump is named 2 times"):
        read([path, tmp_path / ".." / tmp_path.name / "a.dump"], timestep_fs=2.0)


def test_variable_time_steps_without_units_are_refused(tmp_path, run, expected):
    path = tmp_path / "a.dump"
    for factor in (1, 2):
        times = [0.1 * k if k < 150 else 15.0 + 0.1 * factor * (k - 150) for k in range(300)]
        write_lammps(
            path, run[0] % LENGTH, run[1], cubic_bounds(LENGTH),
            head=lambda k, times=times: f"ITEM: TIME\n{times[k]:.3f}\n",
        )  # fmt: skip
        if factor == 1:
            assert_agrees(read(path, frame_interval_fs=INTERVAL_FS), expected)
            continue
        with pytest.raises(InputError, match=r"times are uneven.*evenly spaced part of the run"):
            read(path, frame_interval_fs=INTERVAL_FS)


def test_masses_name_elements(tmp_path, run, expected):
    assert elements_of_masses(["1.0", "1.008", "6.94", "4.0"]) == ("H", "H", "Li", "He")
    path = tmp_path / "a.dump"
    for oxygen in ("15.9994", "17.2"):
        labels = ["6.94" if symbol == "Li" else oxygen for symbol in run[1]]
        write_lammps(path, run[0] % LENGTH, labels, cubic_bounds(LENGTH), "id mass x y z")
        if oxygen == "15.9994":
            assert_agrees(read(path, timestep_fs=2.0), expected)
            continue
        with pytest.raises(InputError, match=r"No element has the mass 17\.2 u"):
            read(path, timestep_fs=2.0)


def test_numbers_are_atomic_numbers_or_types_never_helium(tmp_path, run, expected):
    path = tmp_path / "a.xyz"
    for lithium, oxygen in (("3", "8"), ("1", "2")):
        labels = [lithium if symbol == "Li" else oxygen for symbol in run[1]]
        write_xyz(path, run[0] % LENGTH, labels, lambda _: LATTICE)
        options = {"frame_interval_fs": INTERVAL_FS}
        if oxygen == "8":
            assert_agrees(read(path, **options), expected)
            continue
        with pytest.raises(InputError, match="types 1, 2 have no element"):
            read(path, **options)
        assert_agrees(read(path, **options, type_map="Li,O"), expected)


@pytest.mark.parametrize(
    "later",
    ["Properties=species:S:1:pos:R:3", f'{LATTICE} pbc="T T F"'],
    ids=["no lattice", "not periodic"],
)
def test_a_frame_without_a_cell_is_named(tmp_path, run, later):
    path = tmp_path / "a.xyz"
    write_xyz(path, run[0] % LENGTH, run[1], lambda k: LATTICE if k < 100 else later)
    with pytest.raises(InputError, match="no periodic cell in frame 101"):
        read(path, frame_interval_fs=INTERVAL_FS)


def test_files_of_velocities_are_refused(tmp_path, run):
    velocities = 1e-3 * np.random.default_rng(0).normal(size=run[0].shape)
    ipi = "# CELL(abcABC): 12 12 12 90 90 90 Step: {} velocities{{atomic_unit}} cell{{angstrom}}"
    write_xyz(tmp_path / "i.xyz", velocities, run[1], lambda k: ipi.format(50 * k))
    with pytest.raises(InputError, match="holds velocities of i-PI, not positions"):
        read(tmp_path / "i.xyz", timestep_fs=2.0)
    comment = lambda k: f" i = {50 * k}, time = {100.0 * k:.3f}, E = -100.0"  # noqa: E731
    write_xyz(tmp_path / "run-vel-1.xyz", velocities, run[1], comment)
    with pytest.raises(InputError, match="give Cartesian positions in A, not velocities"):
        read(tmp_path / "run-vel-1.xyz", cell=12)
