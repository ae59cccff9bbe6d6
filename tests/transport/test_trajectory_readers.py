"""What a trajectory file states is read for every frame, or refused by frame number."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.io import write
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from pymatgen.core import Element, Lattice, Species, Structure
from pymatgen.core.trajectory import Trajectory

from helpers.trajectory_files import (
    cubic_bounds,
    write_lammps,
    write_vasprun,
    write_xdatcar,
    write_xyz,
)
from helpers.walkers import hopping, in_crystal
from vitrion.chemistry.species import masses
from vitrion.errors import InputError
from vitrion.transport import analyze, analyze_file
from vitrion.transport.io import open_frames
from vitrion.transport.readers.grid import even_grid
from vitrion.transport.readers.incar import run_settings

LENGTH = 12.0
CELL = np.diag([LENGTH] * 3)
INTERVAL_FS = 100.0


@pytest.fixture(scope="module")
def run():
    rng = np.random.default_rng(0)
    return in_crystal(hopping(300, 10, 10.0, vibration=0.1).draw(rng), CELL, rng)


@pytest.fixture(scope="module")
def expected(run):
    return analyze(run[0], CELL, run[1], INTERVAL_FS, 700.0, wrapped=False)


def read(path, **options):
    options = {"temperature_K": 700.0, "spatial": False, **options}
    return analyze_file(path, "Li", **options)


def check(result, expected, n_frames=None):
    """Compare what a wrong cell, time or order of atoms would change."""
    assert result.n_frames == (n_frames or expected.n_frames)
    assert result.frame_interval_fs == pytest.approx(expected.frame_interval_fs)
    assert result.volume_A3 == pytest.approx(expected.volume_A3, rel=1e-4)
    assert result.apparent_diffusivity_cm2_s == pytest.approx(
        expected.apparent_diffusivity_cm2_s, rel=1e-3
    )


# LAMMPS


@pytest.mark.parametrize("columns", ["id element xu yu zu", "id element x y z"])
def test_general_triclinic_box(tmp_path, run, columns):
    """Three vectors and an origin; taken for bounds, the volume is far off."""
    cell = np.array([[12.0, 0.0, 0.0], [3.0, 11.0, 0.0], [2.0, 1.0, 12.0]])
    c, s = np.cos(0.4), np.sin(0.4)
    cell = (
        cell
        @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
        @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    )
    positions, origin = run[0] @ np.linalg.inv(CELL) @ cell, np.array([1.0, -2.0, 0.5])
    expected = analyze(positions, cell, run[1], INTERVAL_FS, 700.0, wrapped=False)
    if columns.endswith("x y z"):
        positions = positions @ np.linalg.inv(cell) % 1.0 @ cell
    rows = "".join(
        " ".join(f"{v:.9e}" for v in [*row, start]) + "\n"
        for row, start in zip(cell, origin, strict=True)
    )
    path = tmp_path / "run.dump"
    head = "ITEM: BOX BOUNDS abc origin pp pp pp\n"
    write_lammps(path, positions + origin, run[1], lambda k: head + rows, columns)
    check(read(path, timestep_fs=2.0), expected)


def test_box_flips_are_undone(tmp_path, run):
    """A tilt beyond half a length is replaced by another choice of the same lattice."""
    n = len(run[0])
    tilt = 5.9 + 0.15 * np.sin(np.arange(n) / 30)
    cells = np.array([[[12.0, 0, 0], [xy, 12.0, 0], [0, 0, 12.0]] for xy in tilt])
    positions = run[0] @ np.linalg.inv(CELL) @ cells
    expected = analyze(positions, cells, run[1], INTERVAL_FS, 700.0, wrapped=False)
    flipped = cells.copy()
    flipped[tilt > 6.0, 1, 0] -= 12.0
    assert 0 < (tilt > 6.0).sum() < n

    def box(k):
        xy = flipped[k, 1, 0]
        low, high = min(0.0, xy), 12.0 + max(0.0, xy)
        head = "ITEM: BOX BOUNDS xy xz yz pp pp pp\n"
        return head + f"{low:.8f} {high:.8f} {xy:.8f}\n0 12 0\n0 12 0\n"

    path = tmp_path / "flipped.lammpstrj"
    write_lammps(path, positions, run[1], box, "id element xu yu zu")
    check(read(path, timestep_fs=2.0), expected)
    write_lammps(path, positions @ np.linalg.inv(flipped) % 1.0 @ flipped, run[1], box)
    check(read(path, timestep_fs=2.0), expected)


def test_another_cell_is_refused_by_frame(run):
    cells = np.repeat(CELL[None], len(run[0]), axis=0)
    cells[150:] *= 1.4
    with pytest.raises(InputError, match="cell changes abruptly at frame 151"):
        analyze(run[0], cells, run[1], INTERVAL_FS, 700.0)


@pytest.mark.parametrize("unit", ["metal", "real", "electron", "nano", "si"])
def test_units_and_times_that_a_dump_states(tmp_path, run, expected, unit):
    length = {"electron": units.Bohr, "nano": 10.0, "si": 1e10}.get(unit, 1.0)
    time = {"metal": 1e3, "nano": 1e6, "si": 1e15}.get(unit, 1.0)
    path = tmp_path / "dump.run"
    scaled = f"0.0 {LENGTH / length:.12e}\n" * 3

    def box(k):
        return "ITEM: BOX BOUNDS pp pp pp\n" + scaled

    def head(k):  # LAMMPS states the units once, and the time of each frame
        return (f"ITEM: UNITS\n{unit}\n" if k == 0 else "") + f"ITEM: TIME\n{100 * k / time:.12e}\n"

    if unit == "si":  # eight decimals of a meter are no positions
        positions = run[0] / LENGTH
        columns = "id element xsu ysu zsu"
    else:
        positions, columns = run[0] / length, "id element xu yu zu"
    write_lammps(path, positions, run[1], box, columns, head=head)
    check(read(path), expected)
    with pytest.raises(InputError, match="time step of 2 fs"):
        read(path, timestep_fs=1.0)
    path.write_text(path.read_text().replace(f"ITEM: UNITS\n{unit}\n", "ITEM: UNITS\nlj\n"))
    with pytest.raises(InputError, match="units lj"):
        read(path)


def test_boundaries_that_are_not_periodic_are_refused(tmp_path, run):
    path = tmp_path / "slab.lammpstrj"
    write_lammps(
        path, run[0][:30], run[1], lambda k: cubic_bounds(LENGTH)(k).replace("pp pp pp", "pp pp fs")
    )
    with pytest.raises(InputError, match=r"not periodic along z.*pp pp fs"):
        read(path, timestep_fs=2.0)


def test_image_flags_unwrap_a_sparse_dump(tmp_path, run):
    """Steps of 0.72 of the cell: only the flags tell their direction."""
    rng = np.random.default_rng(1)
    length, symbols = 8.0, run[1]
    positions = np.repeat(rng.random((1, 30, 3)) * length, 200, axis=0)
    jumps = 5.8 * rng.choice([-1, 0, 0, 0, 0, 0, 0, 0, 0, 1], size=(199, 10))
    lithium = np.flatnonzero(np.array(symbols) == "Li")
    positions[1:, lithium, 0] += np.cumsum(jumps, axis=0)
    positions += rng.normal(scale=0.03, size=positions.shape)
    expected = analyze(positions, np.diag([length] * 3), symbols, 2000.0, 1500.0, wrapped=False)
    image = np.floor(positions / length).astype(int)
    path = tmp_path / "sparse.lammpstrj"
    write_lammps(
        path,
        positions - length * image,
        symbols,
        cubic_bounds(length),
        "id element x y z ix iy iz",
        extra=lambda k, i: " {} {} {}".format(*image[k, i]),
    )
    check(read(path, temperature_K=1500.0, timestep_fs=40.0), expected)


def test_names_of_dumps_and_types(tmp_path, run, expected):
    """A dump is known by its content, in whatever order its atoms are."""
    labels = [1 if symbol == "Li" else 2 for symbol in run[1]]
    rng = np.random.default_rng(2)
    path = tmp_path / "dump.custom"
    write_lammps(
        path, run[0] % LENGTH, labels, cubic_bounds(LENGTH), "id type x y z",
        order=lambda k: rng.permutation(30),
    )  # fmt: skip
    check(read(path, timestep_fs=2.0, type_map={"1": "Li_sv", "2": "O"}), expected)
    with pytest.raises(InputError, match=r"--types Li,O"):
        read(path, timestep_fs=2.0)
    with pytest.raises(InputError, match=r"types \[2\]"):
        read(path, timestep_fs=2.0, type_map={1: "Li"})
    with pytest.raises(InputError, match="must be numbers"):
        read(path, timestep_fs=2.0, type_map={"Li": 1})


def test_a_changed_atom_is_refused_by_frame(tmp_path, run):
    path = tmp_path / "run.dump"
    write_lammps(path, run[0][:60] % LENGTH, run[1], cubic_bounds(LENGTH))
    first = f"\n1 {run[1][0]} "
    frames = path.read_text().split("ITEM: TIMESTEP")
    frames[41] = frames[41].replace(first, "\n1 Na ", 1)
    path.write_text("ITEM: TIMESTEP".join(frames))
    with pytest.raises(InputError, match=r"Atom 1 changes from \w+ to Na in frame 41 \(step 2000"):
        read(path, timestep_fs=2.0)


# Steps


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


def test_uneven_dump_gives_the_diffusivity_of_its_even_grid(tmp_path, run, expected):
    positions, symbols = run
    path = tmp_path / "run.dump"
    frames = np.r_[0:150, 150:300:2]
    write_lammps(path, positions[frames] % LENGTH, symbols, cubic_bounds(LENGTH), steps=50 * frames)
    result = read(path, timestep_fs=2.0)
    every_second = analyze(positions[::2], CELL, symbols, 200.0, 700.0, wrapped=False)
    check(result, every_second)
    assert any("uneven" in warning for warning in result.warnings)
    with pytest.raises(InputError, match=r"MD time step \(timestep_fs, --timestep\) in place"):
        read(path, frame_interval_fs=100.0)


def test_restarts_that_overlap_in_one_file_or_in_several(tmp_path, run, expected):
    positions, symbols = run
    lost = positions[100:130] + 0.02  # what the killed run wrote after its last checkpoint
    parts = [(np.concatenate([positions[:100], lost]), 0), (positions[100:], 100)]
    paths = [tmp_path / "b.dump", tmp_path / "a.dump"]
    for path, (frames, start) in zip(paths, parts, strict=True):
        write_lammps(
            path, frames % LENGTH, symbols, cubic_bounds(LENGTH),
            steps=50 * (start + np.arange(len(frames))),
        )  # fmt: skip
    both = tmp_path / "both.dump"
    both.write_text("".join(path.read_text() for path in paths))
    for source in (both, paths, paths[::-1]):
        result = read(source, timestep_fs=2.0)
        check(result, expected)
        assert any("30 frame(s) are left out" in warning for warning in result.warnings)


def test_segments_that_are_not_of_one_run_are_refused(tmp_path, run):
    """Another run's atoms are elsewhere."""
    rng = np.random.default_rng(5)
    other, _ = in_crystal(hopping(60, 10, 10.0, vibration=0.1).draw(rng), CELL, rng)
    for name, frames in (("a.xyz", run[0][:60]), ("b.xyz", other)):
        atoms = [Atoms(run[1], frame, cell=CELL, pbc=True) for frame in frames]
        write(tmp_path / name, atoms, format="extxyz")
    with pytest.raises(InputError, match="Frame 61 does not continue"):
        read([tmp_path / "a.xyz", tmp_path / "b.xyz"], frame_interval_fs=100.0)


# VASP


@pytest.mark.parametrize("comment", ["", "Li Nb O 3", " 1.0"])
@pytest.mark.parametrize("every", [False, True])
def test_first_line_of_an_xdatcar_is_free_text(tmp_path, run, expected, comment, every):
    path = tmp_path / "XDATCAR"
    write_xdatcar(path, by_element(run), CELL, comment=comment, every=every)
    check(read(path, frame_interval_fs=100.0), expected)


def by_element(run):
    """Return positions with lithium first, as VASP has them."""
    order = np.argsort(np.array(run[1]) != "Li", kind="stable")
    return run[0][:, order]


@pytest.mark.parametrize("mark", ["", "Konfig= {}"])
def test_frames_of_old_vasp(tmp_path, run, expected, mark):
    path = tmp_path / "trajectory.dat"
    write_xdatcar(path, by_element(run), CELL, mark=lambda k: mark.format(k + 1))
    check(read(path, frame_interval_fs=100.0), expected)


def test_potential_names_and_missing_names(tmp_path, run, expected):
    path = tmp_path / "XDATCAR"
    write_xdatcar(path, by_element(run), CELL, names="Li_sv/2a1b O_s")
    check(read(path, frame_interval_fs=100.0), expected)
    lines = path.read_text().split("\n")
    path.write_text("\n".join(lines[:5] + lines[6:]))
    with pytest.raises(InputError, match="names no elements"):
        read(path, frame_interval_fs=100.0)


def test_rows_of_an_xdatcar(tmp_path, run, expected):
    """A minus separates numbers; what cannot be read is named by line and frame."""
    path = tmp_path / "XDATCAR"
    write_xdatcar(path, by_element(run), CELL)
    lines = path.read_text().split("\n")
    mark = 7 + 31 * 100
    whole = list(lines)
    x, y, z = (float(word) for word in lines[mark + 3].split())
    lines[mark + 3] = f"{x - 1:.8f}{y - 1:.8f}{z - 1:.8f}"
    path.write_text("\n".join(lines))
    check(read(path, frame_interval_fs=100.0), expected)
    lines[mark + 3] = " 0.1234 ******* 0.1"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match=rf"'0.1234 \*+ 0.1' in frame 101 \(line {mark + 4}\)"):
        read(path, frame_interval_fs=100.0)
    # Killed within a frame; the restart begins with a header.
    cut = [*whole[: mark + 9], whole[mark + 9][:20], *whole[:7], *whole[mark:]]
    path.write_text("\n".join(cut))
    result = read(path, frame_interval_fs=100.0)
    check(result, expected)
    assert any(f"line {mark + 1}) is incomplete" in warning for warning in result.warnings)


def test_rows_of_a_dump(tmp_path, run, expected):
    path = tmp_path / "run.dump"
    write_lammps(path, run[0] % LENGTH, run[1], cubic_bounds(LENGTH))
    frames = path.read_text().split("ITEM: TIMESTEP\n")
    for end in ("\n", ""):  # the restart may continue in the line that was cut
        cut = [*frames[:100], frames[100][:500] + end, *frames[100:]]
        path.write_text("ITEM: TIMESTEP\n".join(cut))
        result = read(path, timestep_fs=2.0)
        check(result, expected)
        assert any("step 4950" in warning for warning in result.warnings)
    rows = frames[100].split("\n")
    rows[12] = rows[12].rsplit(" ", 1)[0]
    path.write_text("ITEM: TIMESTEP\n".join([*frames[:100], "\n".join(rows), *frames[101:]]))
    with pytest.raises(InputError, match=r"in frame 100 \(step 4950, line \d+\) does not hold"):
        read(path, timestep_fs=2.0)


def test_vasprun_settings(tmp_path, run, expected):
    path = tmp_path / "vasprun.xml"
    labels = ["r" if symbol == "O" else symbol for symbol in run[1]]
    md = {"POTIM": 100.0, "TEBEG": 700.0, "TEEND": 700.0, "IBRION": 0, "SMASS": 0.0}
    write_vasprun(path, run[0], CELL, labels, md)
    assert set(open_frames(path).symbols) == {"Li", "Zr"}
    check(read(path, temperature_K=None), expected)
    with pytest.raises(InputError, match="states 700 K and 500 K is given"):
        read(path, temperature_K=500.0)
    with pytest.raises(InputError, match=r"100 fs apart.* 50 fs is given"):
        read(path, frame_interval_fs=50.0)
    write_vasprun(path, run[0], CELL, labels, md | {"TEBEG": 300.0, "TEEND": 1500.0})
    with pytest.raises(InputError, match="ramp from 300 to 1500 K"):
        read(path, temperature_K=None)
    assert any("ramp" in warning for warning in read(path, temperature_K=900.0).warnings)
    write_vasprun(path, run[0], CELL, labels, md | {"SMASS": -3})
    with pytest.raises(InputError, match="constant energy"):
        read(path, temperature_K=None)
    write_vasprun(path, run[0], CELL, labels, md | {"IBRION": 2})
    with pytest.raises(InputError, match=r"relaxation.*IBRION = 2"):
        read(path)
    write_vasprun(path, run[0][:30], CELL, labels, md)
    text = path.read_text().split("<calculation>")
    text[12] = text[12].replace("<v> ", "<v> ******** ", 5).replace("<v> ******** ", "<v> ", 4)
    path.write_text("<calculation>".join(text))
    with pytest.raises(InputError, match=r"'\*+ .*' in frame 12 is not one of 30 rows"):
        read(path)


def test_settings_beside_an_xdatcar(tmp_path, run, expected):
    path = tmp_path / "XDATCAR"
    write_xdatcar(path, by_element(run), CELL)
    (tmp_path / "INCAR").write_text(
        "IBRION = 0; POTIM = 2 ! fs\nNBLOCK = 50\nTEBEG = 700 # K\nMDALGO = 2\nSMASS = 0\n"
    )
    result = read(path, temperature_K=None)
    check(result, expected)
    assert result.temperature_K == 700.0
    (tmp_path / "INCAR").write_text("IBRION = 1\nNSW = 100\n")
    with pytest.raises(InputError, match=r"relaxation.*IBRION = 1"):
        read(path, frame_interval_fs=100.0)


@pytest.mark.parametrize(
    ("tags", "temperature"),
    [
        ({"TEBEG": "700"}, 700.0),
        ({"TEBEG": "700", "MDALGO": "3", "SMASS": "-3"}, 700.0),  # Langevin
        ({"TEBEG": "700", "SMASS": "-3"}, None),
        ({"TEBEG": "700", "MDALGO": "1", "ANDERSEN_PROB": "0.0"}, None),
        ({"TEBEG": "700", "MDALGO": "1", "ANDERSEN_PROB": "0.1"}, 700.0),
        ({"TEBEG": "700", "TEEND": "300"}, None),
        ({}, None),
    ],
)
def test_temperature_of_vasp_settings(tags, temperature):
    settings = run_settings(tags, "INCAR")
    assert settings.temperature_K == temperature
    assert bool(settings.no_temperature) == (temperature is None and bool(tags))


# XYZ


def test_cp2k_states_its_times_but_no_cell(tmp_path, run, expected):
    path = tmp_path / "cp2k-pos-1.xyz"
    write_xyz(path, run[0], run[1], lambda k: f" i = {k}, time = {100.0 * k:.3f}, E = -1.0")
    with pytest.raises(InputError, match="--cell"):
        read(path)
    for cell in (LENGTH, [LENGTH] * 3, [*[LENGTH] * 3, 90, 90, 90], CELL, Lattice(CELL)):
        check(read(path, cell=[cell] if cell is LENGTH else cell), expected)
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
    check(read(path, timestep_fs=10.0), expected)
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
    check(read(path), expected)
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


# Objects


def test_pymatgen_objects_are_read_and_not_changed(run, expected):
    positions, symbols = run
    frames = [Structure(Lattice(CELL), symbols, p / LENGTH % 1.0) for p in positions]
    check(read(frames, frame_interval_fs=100.0), expected)
    check(read(iter(frames), frame_interval_fs=100.0), expected)
    decorated = [frame.copy() for frame in frames]
    for frame in decorated:
        frame.add_oxidation_state_by_element({"Li": 1, "O": -2})
    check(read(decorated, frame_interval_fs=100.0), expected)
    trajectory = Trajectory.from_structures(frames, time_step=100.0)
    trajectory.to_displacements()
    before = trajectory.coords.copy()
    for mobile in (Element("Li"), Species("Li", 1), [Element("Li")], {Species("Li", 1): 1.0}):
        check(analyze_file(trajectory, mobile, 700.0, spatial=False), expected)
    assert trajectory.coords_are_displacement
    assert np.array_equal(trajectory.coords, before)
    cells = [Lattice(CELL)] * len(positions)
    for cell in (Lattice(CELL), cells):
        check(analyze(positions, cell, decorated[0].species, 100.0, 700.0, wrapped=False), expected)
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
    check(result, expected)
    assert "1 repeated frame(s) are left out." in result.warnings
    lattice_walk = np.round(run[0])
    still = [Atoms(run[1], frame, cell=CELL, pbc=True) for frame in lattice_walk]
    assert read(still, frame_interval_fs=100.0).n_frames == 300


def test_temperature_of_momenta_is_compared(run):
    frames = [Atoms(run[1], frame, cell=CELL, pbc=True) for frame in run[0][:60]]
    rng = np.random.default_rng(4)
    for frame in frames:
        MaxwellBoltzmannDistribution(frame, temperature_K=700.0, rng=rng)
    assert read(frames, frame_interval_fs=100.0).temperature_K == 700.0
    with pytest.raises(InputError, match="by their momenta or comments, and 400 K is given"):
        read(frames, temperature_K=400.0, frame_interval_fs=100.0)


def test_segments_at_different_temperatures_are_refused(tmp_path, run):
    paths = [tmp_path / "a-vasprun.xml", tmp_path / "b-vasprun.xml"]
    for path, temperature in zip(paths, (500.0, 700.0), strict=True):
        write_vasprun(path, run[0][:40], CELL, run[1], {"POTIM": 100.0, "TEBEG": temperature})
    with pytest.raises(InputError, match="at 500 and 700 K"):
        read(paths, temperature_K=None)


def test_counts_of_continued_xdatcars_begin_again(tmp_path, run, expected):
    positions = by_element(run)
    for name, part in (("a", positions[:150]), ("b", positions[149:])):
        write_xdatcar(tmp_path / name, part, CELL)
    both = tmp_path / "XDATCAR"
    both.write_text((tmp_path / "a").read_text() + (tmp_path / "b").read_text())
    for source in (both, [tmp_path / "a", tmp_path / "b"]):
        check(read(source, frame_interval_fs=100.0), expected)
    lines = both.read_text().split("\n")
    start = 7 + 31 * 40
    both.write_text("\n".join(lines[:start] + lines[start + 31 * 50 :]))
    with pytest.raises(InputError, match="frame 41 is at step 91, 51 after the previous frame"):
        read(both, frame_interval_fs=100.0)


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
    check(read(universe, timestep_fs=2.0), expected)
    check(read(universe.atoms, frame_interval_fs=100.0), expected)
    assert universe.trajectory.ts.frame == 7
    with pytest.raises(InputError, match="give the Universe"):
        read(universe.trajectory[::2], frame_interval_fs=200.0)


# Names


@pytest.mark.parametrize("mobile", ["li", "LI", "Li+", "Li1+", " Li ", "Li+1", ["Li"], "Li_sv"])
def test_mobile_species_as_people_write_them(run, expected, mobile):
    result = analyze(run[0], CELL, run[1], INTERVAL_FS, 700.0, mobile, wrapped=False)
    check(result, expected)
    assert result.mobile == {"Li": 1.0}


def test_several_mobile_species(run):
    symbols = np.array(run[1])
    symbols[np.flatnonzero(symbols == "O")[:5]] = "Na"
    for mobile in ("Li, Na", "Li,Na+", "Li Na", ["Li", "Na"], [Element("Li"), Species("Na", 1)]):
        result = analyze(run[0], CELL, symbols, INTERVAL_FS, 700.0, mobile)
        assert result.mobile == {"Li": 1.0, "Na": 1.0}
        assert result.n_mobile == 15
    with pytest.raises(InputError, match="several mobile species"):
        analyze(run[0], CELL, symbols, INTERVAL_FS, 700.0, "Li,Na", 1.0)


@pytest.mark.parametrize(
    ("mobile", "charge", "message"),
    [
        ("Ca2+", 1.0, "set to both 1 and 2"),
        ("Xx", None, "'Xx' is not a"),
        ("lithium", None, "'lithium' is not a species"),
        ("C", None, "charge of mobile C is unknown"),
        ("", None, "at least one"),
        ("Na", None, r"no Na in the trajectory, which holds Li, O"),
    ],
)
def test_mobile_species_that_are_refused(run, mobile, charge, message):
    with pytest.raises(InputError, match=message):
        analyze(run[0], CELL, run[1], INTERVAL_FS, 700.0, mobile, charge)


def test_deuterium_has_its_mass(run, expected):
    symbols = ["Li" if s == "Li" else "D" for s in run[1]]
    result = analyze(run[0], CELL, symbols, INTERVAL_FS, 700.0, "D", wrapped=False)
    assert result.mobile == {"D": 1.0}
    for deuterium in ("D", Element("D"), Species("D", 1)):
        symbols = [deuterium if s == "Li" else Element("O") for s in run[1]]
        as_deuterium = analyze(run[0], CELL, symbols, INTERVAL_FS, 700.0, deuterium, wrapped=False)
        check(as_deuterium, expected)
        assert as_deuterium.mobile == {"D": 1.0}
    assert masses(["D", "H", "T", "Li"]) == pytest.approx([2.0141, 1.008, 3.0160, 6.94], abs=1e-3)
