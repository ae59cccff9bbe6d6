"""What a LAMMPS dump states is read for every frame, or refused by frame number."""

import numpy as np
import pytest
from ase import units

from helpers.reader_checks import CELL, INTERVAL_FS, LENGTH, assert_agrees, read
from helpers.trajectory_files import cubic_bounds, write_lammps
from vitrion.errors import InputError
from vitrion.transport import analyze


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
    assert_agrees(read(path, timestep_fs=2.0), expected)


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
    assert_agrees(read(path, timestep_fs=2.0), expected)
    write_lammps(path, positions @ np.linalg.inv(flipped) % 1.0 @ flipped, run[1], box)
    assert_agrees(read(path, timestep_fs=2.0), expected)


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
    assert_agrees(read(path), expected)
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
    assert_agrees(read(path, temperature_K=1500.0, timestep_fs=40.0), expected)


def test_names_of_dumps_and_types(tmp_path, run, expected):
    """A dump is known by its content, in whatever order its atoms are."""
    labels = [1 if symbol == "Li" else 2 for symbol in run[1]]
    rng = np.random.default_rng(2)
    path = tmp_path / "dump.custom"
    write_lammps(
        path, run[0] % LENGTH, labels, cubic_bounds(LENGTH), "id type x y z",
        order=lambda k: rng.permutation(30),
    )  # fmt: skip
    assert_agrees(read(path, timestep_fs=2.0, type_map={"1": "Li_sv", "2": "O"}), expected)
    with pytest.raises(InputError, match=r"--types Li,O"):
        read(path, timestep_fs=2.0)
    with pytest.raises(InputError, match="types 2 have no element"):
        read(path, timestep_fs=2.0, type_map={1: "Li"})
    with pytest.raises(InputError, match="numbers with elements"):
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


def test_rows_of_a_dump(tmp_path, run, expected):
    path = tmp_path / "run.dump"
    write_lammps(path, run[0] % LENGTH, run[1], cubic_bounds(LENGTH))
    frames = path.read_text().split("ITEM: TIMESTEP\n")
    for end in ("\n", ""):  # the restart may continue in the line that was cut
        cut = [*frames[:100], frames[100][:500] + end, *frames[100:]]
        path.write_text("ITEM: TIMESTEP\n".join(cut))
        result = read(path, timestep_fs=2.0)
        assert_agrees(result, expected)
        assert any("step 4950" in warning for warning in result.warnings)
    rows = frames[100].split("\n")
    rows[12] = rows[12].rsplit(" ", 1)[0]
    path.write_text("ITEM: TIMESTEP\n".join([*frames[:100], "\n".join(rows), *frames[101:]]))
    with pytest.raises(InputError, match=r"in frame 100 \(step 4950, line \d+\) does not hold"):
        read(path, timestep_fs=2.0)


def test_uneven_dump_gives_the_diffusivity_of_its_even_grid(tmp_path, run, expected):
    positions, symbols = run
    path = tmp_path / "run.dump"
    frames = np.r_[0:150, 150:300:2]
    write_lammps(path, positions[frames] % LENGTH, symbols, cubic_bounds(LENGTH), steps=50 * frames)
    result = read(path, timestep_fs=2.0)
    every_second = analyze(positions[::2], CELL, symbols, 200.0, 700.0, wrapped=False)
    assert_agrees(result, every_second)
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
        assert_agrees(result, expected)
        assert any("Left out: 30 frames" in warning for warning in result.warnings)


@pytest.mark.parametrize("column", ["type", "typelabel", "element"])
def test_labels_of_types_name_elements(tmp_path, run, expected, column):
    path = tmp_path / "labels.dump"
    write_lammps(path, run[0] % LENGTH, run[1], cubic_bounds(LENGTH), f"id {column} x y z")
    assert_agrees(read(path, timestep_fs=2.0), expected)
    if column == "type":
        with pytest.raises(InputError, match=r"names, such as \w+, not numbers: leave out"):
            read(path, timestep_fs=2.0, type_map="Li,O")


@pytest.mark.parametrize("name", ["empty.dump", "empty.xyz"])
def test_frames_without_atoms_are_refused(tmp_path, name):
    texts = {
        "empty.dump": "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n0\n"
        f"{cubic_bounds(LENGTH)(0)}ITEM: ATOMS id type x y z\n",
        "empty.xyz": "0\nAtoms. Timestep: 0\nH 0 0 0\n",
    }
    (tmp_path / name).write_text(texts[name] * 30)
    with pytest.raises(InputError, match="states a frame of 0 atoms: give frames"):
        read(tmp_path / name, timestep_fs=2.0, type_map="Li,O")


def test_segments_with_rounded_times_have_one_time_step(tmp_path, run, expected):
    paths = [tmp_path / "a.dump", tmp_path / "b.dump"]
    for path, frames in zip(paths, (range(151), range(150, 300)), strict=True):
        steps = 50 * np.array(frames)
        write_lammps(
            path, run[0][frames] % LENGTH, run[1], cubic_bounds(LENGTH), steps=steps,
            head=lambda k, steps=steps: f"ITEM: UNITS\nmetal\nITEM: TIME\n{steps[k] * 0.002}\n",
        )  # fmt: skip
    assert_agrees(read(paths), expected)
    single = tmp_path / "c.dump"  # of a run that was killed: one frame states no time step
    frame = paths[1].read_text().split("ITEM: UNITS")[1]
    single.write_text(f"ITEM: UNITS{frame}")
    assert_agrees(read([single, *paths]), expected)
    paths[1].write_text(paths[1].read_text().replace("metal", "real"))
    with pytest.raises(InputError, match=r"same time step, not 0\.002 and 2 fs: analyze runs"):
        read(paths)


@pytest.mark.parametrize("types", [5, "x", {"a": "Li"}, {1: "Li"}, ["Li"]])
def test_types_that_name_no_elements_are_refused(tmp_path, run, types):
    labels = [1 if symbol == "Li" else 2 for symbol in run[1]]
    path = tmp_path / "types.dump"
    write_lammps(path, run[0] % LENGTH, labels, cubic_bounds(LENGTH), "id type x y z")
    with pytest.raises(InputError, match=r"types must be elements|not a chemical|types 2 have no"):
        read(path, timestep_fs=2.0, type_map=types)
