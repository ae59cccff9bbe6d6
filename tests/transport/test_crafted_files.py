"""Crafted trajectory files are refused in one sentence, before they use much memory or time."""

import gzip

import h5py
import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from vitrion.chemistry import decoding
from vitrion.chemistry.structure_files import read_structure_file
from vitrion.database.document_file import read_document
from vitrion.dynamics.trajectory import FORMAT, VERSION, Trajectory
from vitrion.errors import InputError
from vitrion.flows.recipe import Recipe, settable
from vitrion.landscape.command import read_structure
from vitrion.runtime import text_files
from vitrion.runtime.nested_values import parse_setting
from vitrion.transport import analyze_file
from vitrion.transport.io import open_frames
from vitrion.transport.readers import text

N_FRAMES = 50
HEADER = "Li O\n1.0\n9 0 0\n0 9 0\n0 0 9\nLi O\n"


def write(path, change=lambda file: None):
    """Write a small trajectory and change it."""
    with h5py.File(path, "w") as file:
        file.attrs.update(
            format=FORMAT, version=VERSION, timestep_fs=2.0, frame_interval_fs=50.0, metadata="{}"
        )
        file.attrs["pbc"] = np.ones(3, dtype=bool)
        file["atomic_numbers"], file["masses"] = np.array([3, 8]), np.ones(2)
        rng = np.random.default_rng(0)
        file["frames/step"] = np.arange(N_FRAMES)
        file["frames/positions"] = rng.uniform(size=(N_FRAMES, 2, 3))
        file["frames/cell"] = np.tile(9 * np.eye(3), (N_FRAMES, 1, 1))
        file["frames/temperature"] = np.full(N_FRAMES, 500.0)
        change(file)
    return path


def put(name, **dataset):
    """Return a change that replaces a dataset."""

    def change(file):
        del file[name]
        file.create_dataset(name, **dataset)

    return change


def link(name, target):
    def change(file):
        del file[name]
        file[name] = target

    return change


def external(file):
    del file["frames/positions"]
    shape = (N_FRAMES, 2, 3)
    file.create_dataset("frames/positions", shape, "f8", external=[("/etc/passwd", 0, 2400)])


HUGE = {"chunks": True, "dtype": "f8", "compression": "gzip"}


@pytest.mark.parametrize(
    "change",
    [
        put("atomic_numbers", shape=(10**10,), chunks=(1000,), dtype="i4"),
        put("frames/step", shape=(10**12,), **HUGE),
        put("frames/positions", shape=(N_FRAMES, 10**9, 3), **HUGE),
        put("frames/positions", shape=(10**9, 2, 3), **HUGE),
        put("frames/temperature", shape=(10**10,), **HUGE),
        put("frames/positions", data=np.array([b"x"] * N_FRAMES)),
        put("frames/positions", data=np.zeros((N_FRAMES, 7, 3))),
        put("frames/positions", data=np.zeros((20, 2, 3))),
        put("frames/cell", data=np.zeros((N_FRAMES, 3))),
        link("frames/positions", h5py.ExternalLink("other.h5", "/positions")),
        link("frames", h5py.SoftLink("/frames")),
        external,
        lambda file: file.__delitem__("frames"),
        lambda file: file.__delitem__("masses"),
        lambda file: file.attrs.__delitem__("timestep_fs"),
        lambda file: file.attrs.__setitem__("metadata", "{"),
        lambda file: file.attrs.__setitem__("version", "x"),
    ],
    ids=range(17),
)
def test_crafted_hdf5_is_refused(tmp_path, change):
    path = write(tmp_path / "crafted.vtraj.h5", change)
    with pytest.raises(InputError, match=r"crafted\.vtraj\.h5 is (damaged|not)") as refusal:
        Trajectory(path)
    assert "\n" not in str(refusal.value)


def test_the_same_file_without_a_change_is_read(tmp_path):
    with Trajectory(write(tmp_path / "sound.vtraj.h5")) as trajectory:
        assert (trajectory.n_frames, trajectory.n_atoms) == (N_FRAMES, 2)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("XDATCAR", f"{HEADER}500000000 500000000\nDirect configuration= 1\n0.0 0.0 0.0\n"),
        ("XDATCAR", f"{HEADER}99999999999999 1\nDirect configuration= 1\n0.0 0.0 0.0\n"),
        ("POSCAR", f"{HEADER}500000000 500000000\nDirect\n0.0 0.0 0.0\n"),
        ("a.xyz", "99999999999999\n\nLi 0.0 0.0 0.0\n"),
        ("a.dump", "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n99999999999999\n"),
        ("a.dump", "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n-5\nITEM: BOX BOUNDS pp pp pp\n"),
    ],
)
def test_a_huge_number_of_atoms_is_refused(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError) as refusal:
        analyze_file(tmp_path / name, "Li", 500.0, 50.0, type_map={1: "Li"})
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("XDATCAR.gz", f"{HEADER}5 5\nDirect configuration= 1\n"),
        ("a.xyz.gz", "10\n"),
        ("a.dump.gz", "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n2\n"),
    ],
)
def test_an_endless_packed_line_is_refused(tmp_path, monkeypatch, name, start):
    monkeypatch.setattr(text, "LONGEST_LINE", 200_000)
    with gzip.open(tmp_path / name, "wb", compresslevel=1) as file:
        file.write(start.encode())
        for _ in range(8):
            file.write(b"0" * 500_000)
    with pytest.raises(InputError, match="a line of more than 200000 bytes"):
        analyze_file(tmp_path / name, "Li", 500.0, 50.0, type_map={1: "Li"})


def test_a_packed_json_file_is_read_to_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "MOST_CHARACTERS", 100_000)
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(b'{"a": "' + b"0" * 1_000_000))
    with pytest.raises(InputError, match="has more than 0 million characters: convert it"):
        analyze_file(path, "Li", 500.0, 50.0)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.dat", b"\x00\x01\x02"),  # ASE takes it for a punch file of GAMESS
        ("deep.json", b"[" * 100_000),
        ("deep.yaml", b"[" * 5000),
        ("a.json", b"1" * 5000),
        ("a.cif", b"data_x\n_cell_length_a nan\n"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nonsense_is_refused_in_one_sentence(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    for read in (open_frames, read_structure_file, read_document):
        with pytest.raises(InputError) as refusal:
            read(path)
        assert "\n" not in str(refusal.value)


def structure(value):
    """Return a structure as a dictionary, with a value in the properties of its site."""
    content = Structure(Lattice.cubic(4.0), ["Li"], [[0, 0, 0]]).as_dict()
    content["sites"][0]["properties"] = {"x": value}
    return content


@pytest.mark.parametrize(
    "value",
    [
        {"@module": "numpy", "@class": "array", "dtype": "U300000000", "data": ["a"]},
        {"@module": "numpy", "@class": "array", "dtype": "V1500000000", "data": [1]},
        {"@module": "numpy", "@class": "array", "dtype": [["a", "f8"]], "data": [1]},
        {"@module": "numpy", "@class": ["array"]},
        {"@module": {"numpy": 1}, "@class": "array"},
    ],
    ids=str,
)
def test_arrays_of_any_type_and_names_that_are_not_text_are_refused(value):
    with pytest.raises(InputError, match=r"is not loaded|not part of a structure"):
        decoding.structure_from_dict(structure(value))


def test_arrays_of_numbers_are_read():
    value = {"@module": "numpy", "@class": "array", "dtype": "float64", "data": [1.5]}
    read = decoding.structure_from_dict(structure(value))
    assert read.site_properties["x"][0] == np.array([1.5])


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]\n" for k in range(1, 12)
)


@pytest.mark.parametrize("content", [BOMB, "&a [*a]", "a: &a {b: *a}"], ids=range(3))
def test_yaml_that_repeats_itself_is_refused(tmp_path, content):
    path = tmp_path / "a.yaml"
    path.write_text(content)
    for read in (decoding.structure_from_file, decoding.load_json, read_structure_file):
        with pytest.raises(InputError, match="repeats itself by aliases"):
            read(path)


@pytest.mark.parametrize("counts", ["99999999999", "500000000 500000000", "9" * 5000])
@pytest.mark.parametrize("name", ["POSCAR", "XDATCAR", "a.txt"])
def test_a_structure_of_a_huge_number_of_atoms_is_refused(tmp_path, name, counts):
    path = tmp_path / name
    path.write_text(f"{HEADER}{counts}\nDirect\n0.0 0.0 0.0\n")
    with pytest.raises(InputError, match="states more than"):
        read_structure_file(path)


@pytest.mark.parametrize("frames", ["", "1\n\nLi 0.0 0.0 0.0\n"], ids=["first", "second"])
def test_a_frame_of_a_huge_number_of_atoms_is_refused(tmp_path, frames):
    path = tmp_path / "a.xyz"
    path.write_text(f"{frames}99999999999999\n\nLi 0.0 0.0 0.0\n")
    with pytest.raises(InputError, match="ends before all atoms"):
        read_structure_file(path)


def test_a_packed_structure_is_read_to_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "MOST_CHARACTERS", 100_000)
    path = tmp_path / "a.cif.gz"
    path.write_bytes(gzip.compress(b"data_x\n_cell_length_a 1\n" + b"#" * 1_000_000))
    with pytest.raises(InputError, match="million characters: give a file of one structure"):
        read_structure_file(path)


def test_a_link_to_itself_is_no_trajectory(tmp_path):
    loop = tmp_path / "loop.xyz"
    loop.symlink_to(loop)
    with pytest.raises(InputError):
        open_frames(loop)


def test_a_structure_without_volume_is_refused(tmp_path):
    path = tmp_path / "zero.vasp"
    path.write_text("x\n1\n0 0 0\n0 0 0\n0 0 0\nLi\n1\nDirect\n0 0 0\n")
    with pytest.raises(InputError, match="without volume"):
        read_structure(str(path))


def test_a_setting_that_is_too_deep_is_refused():
    with pytest.raises(InputError, match="not a YAML value"):
        parse_setting("seed=" + "[" * 5000, Recipe, settable(), "seed=1")
