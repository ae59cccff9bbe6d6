"""XYZ files, objects of other packages and steps of frames: read for every frame, or refused."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.io import write
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from pymatgen.core import Element, Lattice, Species, Structure
from pymatgen.core.trajectory import Trajectory

from helpers.reader_checks import CELL, INTERVAL_FS, LENGTH, assert_agrees, read
from helpers.trajectory_files import cubic_bounds, write_lammps, write_xyz
from helpers.walkers import hopping, in_crystal
from vitrion.errors import InputError
from vitrion.transport import analyze, analyze_file
from vitrion.transport.readers.grid import even_grid


def test_another_cell_is_refused_by_frame(run):
    cells = np.repeat(CELL[None], len(run[0]), axis=0)
    cells[150:] *= 1.4
    with pytest.raises(InputError, match="cell changes abruptly at frame 151"):
        analyze(run[0], cells, run[1], INTERVAL_FS, 700.0)


def grid(steps):
    found = even_grid(np.array(steps))
    return found.frames.tolist(), found.spacing


def test_even_grid_of_steps():
    even = np.arange(0, 5000, 50)
    assert grid(even) == (list(range(100)), 50.0)
    # The coarser of two spacings, if the frames of the finer one hold it.
    frames, spacing = grid(np.r_[0:5000:50, 5000:10000:250])
    assert spacing == 250.0
    assert frames == [*range(0, 100, 5), *range(100, 120)]
    # One frame off the grid, at the start or in between.
    assert grid(np.r_[13, even[1:]]) == (list(range(1, 100)), 50.0)
    assert grid(np.r_[even[:40], even[39] + 7, even[40:]])[1] == 50.0
    # A repeated frame; a restart that overlaps replaces what was written before it.
    assert grid(np.r_[even[:40], even[39:]]) == ([*range(39), *range(40, 101)], 50.0)
    frames, _ = grid(np.r_[even[:60], even[50:]])
    assert frames == [*range(50), *range(60, 110)]
    assert even_grid(np.r_[even[:60], even[50:]]).restarts == {60}
    # The count begins again: the run continues.
    assert even_grid(np.r_[even, even]).joints == {100}
    assert len(even_grid(np.r_[even, even]).frames) == 200


@pytest.mark.parametrize(
    ("steps", "frame"),
    [
        (50 * np.r_[0:150, 250:400], 151),  # lost frames
        (50 * np.unique(np.rint(np.geomspace(1, 400, 120))), 27),  # logarithmic
        (np.r_[0:5000:50, 0:10000:100], None),  # two runs with different intervals
    ],
)
def test_steps_without_an_even_grid_are_refused_by_frame(steps, frame):
    with pytest.raises(InputError, match=f"frame {frame} is at step" if frame else "apart in one"):
        even_grid(steps)


def test_times_that_drift_are_refused_by_frame():
    with pytest.raises(InputError, match=r"frame 101 is at time 100\.015, 1\.015 after"):
        even_grid(np.r_[0:100, 99 + 1.015 * np.arange(1, 100)], "time")


def test_segments_that_are_not_of_one_run_are_refused(tmp_path, run):
    """Another run's atoms are elsewhere."""
    rng = np.random.default_rng(5)
    other, _ = in_crystal(hopping(60, 10, 10.0, vibration=0.1).draw(rng), CELL, rng)
    for name, frames in (("a.xyz", run[0][:60]), ("b.xyz", other)):
        atoms = [Atoms(run[1], frame, cell=CELL, pbc=True) for frame in frames]
        write(tmp_path / name, atoms, format="extxyz")
    with pytest.raises(InputError, match="Frame 61 does not continue"):
        read([tmp_path / "a.xyz", tmp_path / "b.xyz"], frame_interval_fs=100.0)


def test_cp2k_states_its_times_but_no_cell(tmp_path, run, expected):
    path = tmp_path / "cp2k-pos-1.xyz"
    write_xyz(path, run[0], run[1], lambda k: f" i = {k}, time = {100.0 * k:.3f}, E = -1.0")
    with pytest.raises(InputError, match="--cell"):
        read(path)
    for cell in (LENGTH, [LENGTH] * 3, [*[LENGTH] * 3, 90, 90, 90], CELL, Lattice(CELL)):
        assert_agrees(read(path, cell=[cell] if cell is LENGTH else cell), expected)
    with pytest.raises(InputError, match="three lengths"):
        read(path, cell=[1.0, 2.0])


@pytest.mark.parametrize("unit", ["angstrom", "atomic_unit"])
def test_ipi_states_cell_and_units(tmp_path, run, expected, unit):
    path = tmp_path / "ipi.pos_0.xyz"
    length = units.Bohr if unit == "atomic_unit" else 1.0
    box = "  ".join([f"{LENGTH / length:.6f}"] * 3)
    write_xyz(
        path, run[0] / length, run[1],
        lambda k: f"# CELL(abcABC):  {box}  90.0  90.0  90.0  Step: {10 * k}  Bead: 0 "
        f"positions{{{unit}}}  cell{{{unit}}}",
    )  # fmt: skip
    assert_agrees(read(path, timestep_fs=10.0), expected)
    with pytest.raises(InputError, match="states its own cell"):
        read(path, timestep_fs=10.0, cell=CELL)


def test_extended_xyz_frames(tmp_path, run, expected):
    """Order, cell and time are read for every frame; atoms with ids are sorted."""
    path = tmp_path / "run.xyz"
    lattice = " ".join(f"{v:g}" for v in CELL.ravel())
    rng = np.random.default_rng(3)
    with path.open("w") as file:
        for k, frame in enumerate(run[0] % LENGTH):
            file.write(
                f'30\nLattice="{lattice}" Properties=id:I:1:species:S:1:pos:R:3 time_ps={k / 10}\n'
            )
            for i in rng.permutation(30):
                file.write("{} {} {:.8f} {:.8f} {:.8f}\n".format(i + 1, run[1][i], *frame[i]))
    assert_agrees(read(path), expected)
    write_xyz(path, run[0] % LENGTH, run[1], lambda k: f'Lattice="{lattice}"')
    text = path.read_text().split("\n")
    start = 32 * 200 + 2
    shuffled = [*text[:start], *text[start : start + 30][::-1], *text[start + 30 :]]
    path.write_text("\n".join(shuffled))
    with pytest.raises(InputError, match="order of the atoms changes in frame 201"):
        read(path, frame_interval_fs=100.0)
    text[start + 4] = "Li 0.1 abc 0.2"
    path.write_text("\n".join(text))
    with pytest.raises(InputError, match=rf"'Li 0.1 abc 0.2' in frame 201 \(line {start + 5}\)"):
        read(path, frame_interval_fs=100.0)


def test_pymatgen_objects_are_read_and_not_changed(run, expected):
    positions, symbols = run
    frames = [Structure(Lattice(CELL), symbols, p / LENGTH % 1.0) for p in positions]
    assert_agrees(read(frames, frame_interval_fs=100.0), expected)
    assert_agrees(read(iter(frames), frame_interval_fs=100.0), expected)
    decorated = [frame.copy() for frame in frames]
    for frame in decorated:
        frame.add_oxidation_state_by_element({"Li": 1, "O": -2})
    assert_agrees(read(decorated, frame_interval_fs=100.0), expected)
    trajectory = Trajectory.from_structures(frames, time_step=100.0)
    trajectory.to_displacements()
    before = trajectory.coords.copy()
    for mobile in (Element("Li"), Species("Li", 1), [Element("Li")], {Species("Li", 1): 1.0}):
        assert_agrees(analyze_file(trajectory, mobile, 700.0, spatial=False), expected)
    assert trajectory.coords_are_displacement
    assert np.array_equal(trajectory.coords, before)
    stepped = Trajectory.from_structures(frames, time_step=2.0)  # every 50th step was saved
    assert_agrees(read(stepped, frame_interval_fs=100.0), expected)
    with pytest.raises(InputError, match="100 fs apart by"):
        read(Trajectory.from_structures(frames, time_step=100.0), frame_interval_fs=50.0)
    cartesian = Trajectory(list(symbols), positions, charge=0)
    with pytest.raises(InputError, match="no periodic cell: give the lattice vectors"):
        read(cartesian, frame_interval_fs=100.0)
    assert_agrees(read(cartesian, frame_interval_fs=100.0, cell=LENGTH), expected)
    cells = [Lattice(CELL)] * len(positions)
    for cell in (Lattice(CELL), cells):
        assert_agrees(
            analyze(positions, cell, decorated[0].species, 100.0, 700.0, wrapped=False), expected
        )
    mixed = [*frames[:100], frames[100].copy(), *frames[101:]]
    mixed[100].replace(3, "Na")
    with pytest.raises(InputError, match=r"Atom 4 changes from .* to Na in frame 101"):
        read(mixed, frame_interval_fs=100.0)
    for single in (frames[0], Atoms("Li"), {"a": 1}, 3):
        with pytest.raises(InputError, match="not a trajectory"):
            read(single, frame_interval_fs=100.0)


def test_ase_frames_are_checked_one_by_one(run):
    frames = [Atoms(run[1], frame, cell=CELL, pbc=True) for frame in run[0][:60]]
    frames[40].pbc = (True, True, False)
    with pytest.raises(InputError, match="no periodic cell in frame 41"):
        read(frames, frame_interval_fs=100.0)
    frames[40] = Atoms(run[1][:-1], frames[0].positions[:-1], cell=CELL, pbc=True)
    with pytest.raises(InputError, match="number of atoms changes from 30 to 29 in frame 41"):
        read(frames, frame_interval_fs=100.0)


def test_frames_that_a_restart_wrote_twice_are_left_out(tmp_path, run, expected):
    """A restart appends the frame from which it starts; atoms that stand still are no repeat."""
    frames = [Atoms(run[1], frame, cell=CELL, pbc=True) for frame in run[0]]
    write(tmp_path / "run.traj", [*frames[:150], frames[149].copy(), *frames[150:]])
    result = read(tmp_path / "run.traj", frame_interval_fs=100.0)
    assert_agrees(result, expected)
    assert "Left out: 1 repeated frame." in result.warnings
    lattice_walk = np.round(run[0])
    still = [Atoms(run[1], frame, cell=CELL, pbc=True) for frame in lattice_walk]
    assert read(still, frame_interval_fs=100.0).n_frames == 300


def test_temperature_of_momenta_is_compared(run, tmp_path):
    frames = [Atoms(run[1], frame, cell=CELL, pbc=True) for frame in run[0][:60]]
    rng = np.random.default_rng(4)
    for frame in frames:
        MaxwellBoltzmannDistribution(frame, temperature_K=700.0, rng=rng)
    assert read(frames, frame_interval_fs=100.0).temperature_K == 700.0
    assert 650 < read(frames, temperature_K=None, frame_interval_fs=100.0).temperature_K < 750
    for name in ("run.xyz", "run.traj"):
        write(tmp_path / name, frames)
        for given in (frames, tmp_path / name):
            with pytest.raises(InputError, match="momenta or comments, and 400 K is given"):
                read(given, temperature_K=400.0, frame_interval_fs=100.0)


def test_the_temperature_in_comments_is_used_and_said(tmp_path, run, expected):
    lattice = f'Lattice="{LENGTH} 0 0 0 {LENGTH} 0 0 0 {LENGTH}" Properties=species:S:1:pos:R:3'
    write_xyz(
        tmp_path / "t.xyz",
        run[0] % LENGTH,
        run[1],
        lambda k: f"{lattice} temperature={699 + k % 3}",
    )
    result = read(tmp_path / "t.xyz", temperature_K=None, frame_interval_fs=100.0)
    assert_agrees(result, expected)
    assert result.temperature_K == pytest.approx(700.0)
    assert "The temperature 700 K is the mean of what the frames state." in result.warnings


def test_xyz_files_of_lammps_hold_types_and_steps(tmp_path, run, expected):
    """Types 1 and 2 are not hydrogen and helium."""
    labels = [1 if symbol == "Li" else 2 for symbol in run[1]]
    path = tmp_path / "lammps.xyz"
    write_xyz(path, run[0] % LENGTH, labels, lambda k: f"Atoms. Timestep: {50 * k}")
    with pytest.raises(InputError, match="types 1, 2 have no element"):
        read(path, cell=CELL, timestep_fs=2.0)
    for types in ({1: "Li", 2: "O"}, ["Li", "O"], "Li,O", "1=Li,2=O"):
        assert_agrees(read(path, cell="12,12,12", timestep_fs=2.0, type_map=types), expected)
    write_xyz(path, run[0] % LENGTH, run[1], lambda k: f"Atoms. Timestep: {50 * k}")
    assert_agrees(read(path, cell=CELL, timestep_fs=2.0), expected)


def test_keys_of_extended_xyz_in_lower_case_and_other_encodings(tmp_path, run):
    cell = np.array([[LENGTH, 0, 0], [3.0, LENGTH, 0], [0, 0, LENGTH]])
    vectors = " ".join(map(str, cell.ravel()))
    path = tmp_path / "t.xyz"
    for key in ("Lattice", "lattice"):
        comment = f'{key}="{vectors}" properties=species:S:1:pos:R:3 note=Ångström'
        write_xyz(path, run[0], run[1], lambda k, text=comment: text)
        path.write_bytes(b"\xef\xbb\xbf" + path.read_text().encode("latin-1"))
        assert_agrees(
            read(path, frame_interval_fs=100.0), analyze(run[0], cell, run[1], 100.0, 700.0)
        )


def test_mdanalysis_time_step_is_not_made_up(tmp_path, run, expected):
    mda = pytest.importorskip("MDAnalysis", reason="MDAnalysis is not installed")
    path = tmp_path / "t.lammpstrj"
    labels = [1 if symbol == "Li" else 2 for symbol in run[1]]
    write_lammps(path, run[0] % LENGTH, labels, cubic_bounds(LENGTH), "id type x y z")
    universe = mda.Universe(str(path), format="LAMMPSDUMP", topology_format="LAMMPSDUMP")
    universe.add_TopologyAttr("elements", list(run[1]))
    universe.trajectory[7]
    with pytest.raises(InputError, match="time between its frames"):
        read(universe)
    assert_agrees(read(universe, timestep_fs=2.0), expected)
    assert_agrees(read(universe.atoms, frame_interval_fs=100.0), expected)
    assert universe.trajectory.ts.frame == 7
    with pytest.raises(InputError, match="give the Universe"):
        read(universe.trajectory[::2], frame_interval_fs=200.0)
