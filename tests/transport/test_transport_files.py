"""Trajectories from everywhere give the same answer, and broken ones one sentence."""

import bz2
import gzip
import lzma

import h5py
import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from monty.serialization import dumpfn
from pymatgen.core.trajectory import Trajectory as PymatgenTrajectory

from helpers.walkers import hopping, in_crystal
from vitrion.dynamics.trajectory import Frame, Trajectory, TrajectoryWriter
from vitrion.errors import InputError
from vitrion.transport import analyze, analyze_file
from vitrion.transport.io import open_frames

CELL = np.array(
    [[12.0, 0.0, 0.0], [2.0, 11.0, 0.0], [1.0, -1.0, 13.0]]
)  # a along x, as LAMMPS asks
INTERVAL_FS = 100.0


@pytest.fixture(scope="module")
def run():
    rng = np.random.default_rng(0)
    positions, symbols = in_crystal(hopping(300, 10, 10.0, vibration=0.1).draw(rng), CELL, rng)
    return positions, symbols


@pytest.fixture(scope="module")
def expected(run):
    positions, symbols = run
    return analyze(positions, CELL, symbols, INTERVAL_FS, 700.0, wrapped=False)


def images(run, wrap=True):
    positions, symbols = run
    frames = [Atoms(symbols, positions=frame, cell=CELL, pbc=True) for frame in positions]
    for atoms in frames:
        if wrap:
            atoms.wrap()
    return frames


def assert_agrees(result, expected, rel=1e-4):
    assert result.n_frames == expected.n_frames
    assert result.duration_ps == pytest.approx(expected.duration_ps)
    assert result.hops.n_hops == expected.hops.n_hops
    assert result.apparent_diffusivity_cm2_s == pytest.approx(
        expected.apparent_diffusivity_cm2_s, rel=rel
    )
    assert result.volume_A3 == pytest.approx(expected.volume_A3, rel=1e-5)


@pytest.mark.parametrize("name", ["run.extxyz", "run.traj", "XDATCAR"])
def test_files_that_ase_writes(tmp_path, run, expected, name):
    path = tmp_path / name
    write(path, images(run), **({"format": "vasp-xdatcar"} if name == "XDATCAR" else {}))
    result = analyze_file(path, "Li", 700.0, INTERVAL_FS)
    assert_agrees(result, expected, rel=1e-3)
    assert result.percolation is not None
    assert result.jump_network is not None


def test_parts_of_one_run_are_joined(tmp_path, run, expected):
    """The second part repeats the last frame of the first, in another image of the cell."""
    frames = images(run)
    write(tmp_path / "a.traj", frames[:120])
    write(tmp_path / "b.traj", [*frames[119:]])
    paths = [tmp_path / "a.traj", tmp_path / "b.traj"]
    assert_agrees(analyze_file(paths, "Li", 700.0, INTERVAL_FS), expected)


def test_vitrion_trajectory_says_everything_itself(tmp_path, run, expected):
    positions, _ = run
    path = tmp_path / "run.vtraj.h5"
    atoms = images(run, wrap=False)[0]
    writer = TrajectoryWriter.create(
        path, atoms.numbers, atoms.get_masses(), timestep_fs=2.0, frame_interval_fs=INTERVAL_FS
    )
    for k, frame in enumerate(positions):
        writer.append(make_frame(k, frame))
    writer.flush()
    with Trajectory(path) as trajectory:
        assert trajectory.n_frames == len(positions)
    before = open_handles()
    stream = open_frames(path)
    assert open_handles() == before  # many runs are opened before the first of them is read
    assert sum(len(chunk) for chunk, _ in stream.chunks) == len(positions)
    assert open_handles() == before
    result = analyze_file(path)
    assert_agrees(result, expected)
    assert result.temperature_K == pytest.approx(700.0)
    with pytest.raises(InputError, match="states 700 K and 500 K is given"):
        analyze_file(path, "Li", 500.0)


@pytest.mark.parametrize("target", [695.0, (900.0, 500.0)])
def test_temperature_of_a_vitrion_trajectory_is_its_target(tmp_path, run, target):
    """Its frames are at 700 K on average; a ramp has no temperature."""
    positions, _ = run
    path = tmp_path / "run.vtraj.h5"
    atoms = images(run, wrap=False)[0]
    writer = TrajectoryWriter.create(
        path,
        atoms.numbers,
        atoms.get_masses(),
        timestep_fs=2.0,
        frame_interval_fs=INTERVAL_FS,
        metadata={"settings": {"ensemble": "nvt", "temperature_K": target}},
    )
    for k, frame in enumerate(positions):
        writer.append(make_frame(k, frame))
    writer.flush()
    if isinstance(target, float):
        assert analyze_file(path).temperature_K == target
    else:
        with pytest.raises(InputError, match="is a ramp from 900 to 500 K: give the temperature"):
            analyze_file(path)


def open_handles():
    return h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE)


def make_frame(k, positions):
    return Frame(
        step=50 * k,
        positions=positions,
        cell=CELL,
        energy=0.0,
        conserved=0.0,
        temperature=700.0,
        pressure=np.nan,
        forces=None,
    )


def test_pymatgen_trajectory(run, expected):
    positions, symbols = run
    fractional = (positions @ np.linalg.inv(CELL)) % 1.0
    trajectory = PymatgenTrajectory(
        symbols, fractional, lattice=CELL, constant_lattice=True, time_step=INTERVAL_FS
    )
    assert_agrees(analyze_file(trajectory, "Li", 700.0), expected)


@pytest.mark.parametrize("columns", ["xu yu zu", "x y z", "xs ys zs"])
def test_lammps_dump_of_a_tilted_cell(tmp_path, run, expected, columns):
    path = tmp_path / "run.lammpstrj"
    write_dump(path, *run, columns)
    result = analyze_file(
        path, "Li", 700.0, timestep_fs=2.0, type_map={1: "Li", 2: "O"}, spatial=False
    )
    assert_agrees(result, expected)


def write_dump(path, positions, symbols, columns):
    xy, xz, yz = CELL[1, 0], CELL[2, 0], CELL[2, 1]
    lengths, origin = np.diag(CELL), np.array([1.0, -2.0, 0.5])
    tilts = np.array([[min(0, xy, xz, xy + xz), max(0, xy, xz, xy + xz)], [min(0, yz), max(0, yz)]])
    bounds = np.stack([origin, origin + lengths], axis=1)
    bounds[:2] += tilts
    rng = np.random.default_rng(1)
    with path.open("w") as file:
        for k, frame in enumerate(positions):
            fractional = frame @ np.linalg.inv(CELL)
            values = {
                "xu yu zu": frame + origin,
                "x y z": (fractional % 1.0) @ CELL + origin,
                "xs ys zs": fractional % 1.0,
            }[columns]
            file.write(f"ITEM: TIMESTEP\n{50 * k}\nITEM: NUMBER OF ATOMS\n{len(frame)}\n")
            file.write("ITEM: BOX BOUNDS xy xz yz pp pp pp\n")
            for (low, high), tilt in zip(bounds, (xy, xz, yz), strict=True):
                file.write(f"{low:.8f} {high:.8f} {tilt:.8f}\n")
            file.write(f"ITEM: ATOMS id type {columns}\n")
            for i in rng.permutation(len(frame)):
                x, y, z = values[i]
                kind = 1 if symbols[i] == "Li" else 2
                file.write(f"{i + 1} {kind} {x:.8f} {y:.8f} {z:.8f}\n")


def test_vasprun(tmp_path, run, expected):
    positions, symbols = run
    path = tmp_path / "vasprun.xml"
    fractional = (positions @ np.linalg.inv(CELL)) % 1.0
    path.write_text(vasprun_text(fractional, symbols))
    # NBLOCK thins the XDATCAR alone: the steps in here are one POTIM apart.
    result = analyze_file(path, "Li")
    assert_agrees(result, expected, rel=1e-3)
    assert result.frame_interval_fs == INTERVAL_FS
    # A run that was killed while it wrote is read as far as it goes.
    path.write_text(vasprun_text(fractional, symbols)[:-3000])
    assert 280 < analyze_file(path, "Li").n_frames < 300


def test_vasprun_of_a_learned_force_field_is_refused(tmp_path, run):
    """Its learned steps are not among the others."""
    positions, symbols = run
    path = tmp_path / "vasprun.xml"
    flag = '<i type="logical" name="ML_LMLFF"> {} </i>'
    path.write_text(vasprun_text(positions[:30], symbols, flag.format("T")))
    with pytest.raises(InputError, match=r"ML_LMLFF.*XDATCAR"):
        open_frames(path)
    path.write_text(vasprun_text(positions[:30], symbols, flag.format("F")))
    assert open_frames(path).frame_interval_fs == INTERVAL_FS


def vasprun_text(fractional, symbols, tags=""):
    def rows(values):
        return "".join(f"<v> {x:.8f} {y:.8f} {z:.8f} </v>\n" for x, y, z in values)

    def structure(frame):
        return (
            f'<structure><crystal><varray name="basis">\n{rows(CELL)}</varray></crystal>'
            f'<varray name="positions">\n{rows(frame)}</varray></structure>\n'
        )

    primitive = structure(fractional[0, :1])
    atoms = "".join(f"<rc><c>{symbol} </c><c> 1</c></rc>\n" for symbol in symbols)
    steps = "".join(f"<calculation>{structure(frame)}</calculation>\n" for frame in fractional)
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n<incar>\n'
        '<i name="POTIM"> 100.0</i><i type="int" name="NBLOCK"> 50</i><i name="TEBEG"> 700.0</i>\n'
        '<i name="SMASS"> 0.0</i>\n'
        f"{tags}</incar>\n<primitive_cell>{primitive}</primitive_cell>\n"
        f'<atominfo><array name="atoms"><set>\n{atoms}</set></array></atominfo>\n'
        f"{structure(fractional[0])}{steps}</modeling>\n"
    )


PACKERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def pack(path, ending):
    packed = path.with_name(path.name + ending)
    with PACKERS[ending](packed, "wb") as file:
        file.write(path.read_bytes())
    path.unlink()
    return packed


@pytest.mark.parametrize(
    ("name", "ending"),
    [("vasprun.xml", ending) for ending in PACKERS]
    + [(name, ".gz") for name in ("XDATCAR", "run.lammpstrj", "run.exyz", "a.json")],
)
def test_packed_files_are_read_as_they_are(tmp_path, run, expected, name, ending):
    """What workflow managers leave of a calculation is packed."""
    positions, symbols = run
    path = tmp_path / name
    fractional = (positions @ np.linalg.inv(CELL)) % 1.0
    if name == "vasprun.xml":
        path.write_text(vasprun_text(fractional, symbols))
    elif name == "run.lammpstrj":
        write_dump(path, *run, "xu yu zu")
    elif name == "a.json":
        dumpfn(
            PymatgenTrajectory(
                symbols, fractional, lattice=CELL, constant_lattice=True, time_step=INTERVAL_FS
            ),
            path,
        )
    else:
        write(path, images(run), format="vasp-xdatcar" if name == "XDATCAR" else "extxyz")
    types = {1: "Li", 2: "O"}
    result = analyze_file(
        pack(path, ending), "Li", 700.0, INTERVAL_FS, type_map=types, spatial=False
    )
    assert_agrees(result, expected, rel=1e-3)


@pytest.mark.parametrize(
    "name", ["vasprun.xml", "XDATCAR", "run.lammpstrj", "run.extxyz", "run.traj", "a.json", "r.h5"]
)
def test_files_that_are_not_what_they_say_are_refused_in_a_sentence(tmp_path, name):
    noise = np.random.default_rng(0).bytes(3000)
    path = tmp_path / name
    for content in (noise, b"hello", b"{}", b""):
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            analyze_file(path, "Li", 700.0, INTERVAL_FS, timestep_fs=2.0)
        assert str(caught.value).count("\n") == 0
        assert name in str(caught.value)
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(noise)
    with pytest.raises(InputError, match=r"gz"):
        analyze_file(packed, "Li", 700.0, INTERVAL_FS, timestep_fs=2.0)


def test_a_packed_vasprun_is_read_up_to_its_cut(tmp_path, run):
    positions, symbols = run
    path = tmp_path / "vasprun.xml"
    path.write_text(vasprun_text((positions @ np.linalg.inv(CELL)) % 1.0, symbols))
    path = pack(path, ".gz")
    path.write_bytes(path.read_bytes()[:-2000])
    result = analyze_file(path, "Li", spatial=False)
    assert 0.9 * len(positions) < result.n_frames < len(positions)
    assert any("file ends before the end of the run" in warning for warning in result.warnings)


def test_mdanalysis_universe(run, expected):
    mda = pytest.importorskip("MDAnalysis", reason="MDAnalysis is not installed")
    positions, symbols = run
    universe = mda.Universe.empty(len(symbols), trajectory=True)
    universe.add_TopologyAttr("elements", symbols)
    lengths = np.linalg.norm(CELL, axis=1)
    cosines = [CELL[i] @ CELL[j] / lengths[i] / lengths[j] for i, j in ((1, 2), (0, 2), (0, 1))]
    box = np.array([*lengths, *np.degrees(np.arccos(cosines))])
    universe.load_new(positions, dt=INTERVAL_FS / 1000.0, dimensions=box)
    assert_agrees(analyze_file(universe, "Li", 700.0), expected, rel=0.05)


def test_equilibration_is_left_out(tmp_path, run):
    path = tmp_path / "run.traj"
    write(path, images(run))
    result = analyze_file(path, "Li", 700.0, INTERVAL_FS, skip_ps=10.0)
    assert result.n_frames == 200
    for skip_ps in (-5.0, np.nan, np.inf):
        with pytest.raises(InputError, match="must be 0 ps or a longer finite time"):
            analyze_file(path, "Li", 700.0, INTERVAL_FS, skip_ps=skip_ps)


def test_bad_files_are_one_sentence(tmp_path, run):
    path = tmp_path / "run.traj"
    frames = images(run)[:30]
    write(path, frames)
    with pytest.raises(InputError, match="no trajectory file"):
        analyze_file(tmp_path / "absent.traj")
    with pytest.raises(InputError, match="temperature"):
        analyze_file(path, "Li", None, INTERVAL_FS)
    with pytest.raises(InputError, match="time between its frames"):
        analyze_file(path, "Li", 700.0)
    with pytest.raises(InputError, match="no Na"):
        analyze_file(path, "Na", 700.0, INTERVAL_FS)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match="can be read"):
        analyze_file(tmp_path / "notes.txt", "Li", 700.0, INTERVAL_FS)
    for atoms in frames:
        atoms.pbc = False
    write(path, frames)
    with pytest.raises(InputError, match="no periodic cell"):
        analyze_file(path, "Li", 700.0, INTERVAL_FS)
    slab = tmp_path / "slab.vtraj.h5"
    TrajectoryWriter.create(
        slab,
        atoms.numbers,
        atoms.get_masses(),
        timestep_fs=2.0,
        frame_interval_fs=INTERVAL_FS,
        pbc=(True, True, False),
    )
    with pytest.raises(InputError, match=r"is not periodic \(pbc T T F\)"):
        analyze_file(slab)
    dump = tmp_path / "run.lammpstrj"
    write_dump(dump, *run, "xu yu zu")
    with pytest.raises(InputError, match="type_map"):
        analyze_file(dump, "Li", 700.0, timestep_fs=2.0)
