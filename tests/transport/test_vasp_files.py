"""What XDATCAR, vasprun.xml and INCAR state is read for every frame, or refused by frame number."""

import h5py
import numpy as np
import pytest
from pymatgen.core import Structure
from pymatgen.core.trajectory import Trajectory

from helpers.reader_checks import CELL, assert_agrees, read
from helpers.trajectory_files import write_vaspout, write_vasprun, write_xdatcar
from vitrion.errors import InputError
from vitrion.transport import analyze
from vitrion.transport.io import open_frames
from vitrion.transport.readers.incar import read_incar, run_settings


def by_element(run):
    """Return positions with lithium first, as VASP has them."""
    order = np.argsort(np.array(run[1]) != "Li", kind="stable")
    return run[0][:, order]


@pytest.mark.parametrize("comment", ["", "Li Nb O 3", " 1.0"])
@pytest.mark.parametrize("every", [False, True])
def test_first_line_of_an_xdatcar_is_free_text(tmp_path, run, expected, comment, every):
    path = tmp_path / "XDATCAR"
    write_xdatcar(path, by_element(run), CELL, comment=comment, every=every)
    assert_agrees(read(path, frame_interval_fs=100.0), expected)


@pytest.mark.parametrize("mark", ["", "Konfig= {}"])
def test_frames_of_old_vasp(tmp_path, run, expected, mark):
    path = tmp_path / "trajectory.dat"
    write_xdatcar(path, by_element(run), CELL, mark=lambda k: mark.format(k + 1))
    assert_agrees(read(path, frame_interval_fs=100.0), expected)


def test_potential_names_and_missing_names(tmp_path, run, expected):
    path = tmp_path / "XDATCAR"
    write_xdatcar(path, by_element(run), CELL, names="Li_sv/2a1b O_s")
    assert_agrees(read(path, frame_interval_fs=100.0), expected)
    lines = path.read_text().split("\n")
    path.write_text("\n".join(lines[:5] + lines[6:]))
    with pytest.raises(InputError, match="names no elements"):
        read(path, frame_interval_fs=100.0)


@pytest.mark.parametrize("name", ["XDATCAR", "trajectory.dat"])
@pytest.mark.parametrize("scale", ["1.0 1.1 0.9", "-1710.72"])
def test_scaling_factors_of_an_xdatcar(tmp_path, run, name, scale):
    """Three numbers scale x, y and z of the lattice vectors; a negative one is the volume."""
    path = tmp_path / name
    write_xdatcar(path, by_element(run), CELL)
    path.write_text(path.read_text().replace("\n 1.0\n", f"\n {scale}\n"))
    factors = np.array([1.0, 1.1, 0.9] if " " in scale else 3 * [0.99 ** (1 / 3)])
    scaled = analyze(run[0] * factors, CELL * factors, run[1], 100.0, 700.0, wrapped=False)
    assert scaled.volume_A3 == pytest.approx(1710.72)
    assert_agrees(read(path, frame_interval_fs=100.0), scaled)


@pytest.mark.parametrize("scale", ["1.0 1.1", "1.0 -1.1 0.9", "0.0", "nan"])
def test_other_scaling_factors_of_an_xdatcar_are_refused(tmp_path, run, scale):
    path = tmp_path / "XDATCAR"
    write_xdatcar(path, by_element(run)[:30], CELL)
    path.write_text(path.read_text().replace("\n 1.0\n", f"\n {scale}\n"))
    with pytest.raises(InputError, match=f"scaling factor '{scale}' .* three positive numbers"):
        read(path, frame_interval_fs=100.0)


@pytest.mark.parametrize("every", [False, True])
def test_long_lists_of_elements_are_in_several_lines(tmp_path, run, expected, every):
    """VASP writes at most 20 names, and 20 counts, in a line."""
    pairs = [k // 2 if k % 2 else 10 + k // 2 for k in range(20)]  # O Li O Li ...
    order = np.argsort(np.array(run[1]) != "Li", kind="stable")[[*pairs, *range(20, 30)]]
    names, counts = ["O", "Li"] * 10 + ["O"] * 2, ["1"] * 20 + ["5"] * 2
    wrapped = ["\n".join((" ".join(w[:20]), " ".join(w[20:]))) for w in (names, counts)]
    path = tmp_path / "XDATCAR"
    write_xdatcar(path, run[0][:, order], CELL, *wrapped, every=every)
    assert_agrees(read(path, frame_interval_fs=100.0), expected)


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
    assert_agrees(read(path, frame_interval_fs=100.0), expected)
    lines[mark + 3] = " 0.1234 ******* 0.1"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match=rf"'0.1234 \*+ 0.1' in frame 101 \(line {mark + 4}\)"):
        read(path, frame_interval_fs=100.0)
    # Killed within a frame; the restart begins with a header.
    cut = [*whole[: mark + 9], whole[mark + 9][:20], *whole[:7], *whole[mark:]]
    path.write_text("\n".join(cut))
    result = read(path, frame_interval_fs=100.0)
    assert_agrees(result, expected)
    assert any(f"line {mark + 1}) is incomplete" in warning for warning in result.warnings)


def test_counts_of_continued_xdatcars_begin_again(tmp_path, run, expected):
    positions = by_element(run)
    for name, part in (("a", positions[:150]), ("b", positions[149:])):
        write_xdatcar(tmp_path / name, part, CELL)
    both = tmp_path / "XDATCAR"
    both.write_text((tmp_path / "a").read_text() + (tmp_path / "b").read_text())
    for source in (both, [tmp_path / "a", tmp_path / "b"]):
        assert_agrees(read(source, frame_interval_fs=100.0), expected)
    lines = both.read_text().split("\n")
    start = 7 + 31 * 40
    both.write_text("\n".join(lines[:start] + lines[start + 31 * 50 :]))
    with pytest.raises(InputError, match="frame 41 is at configuration 91, 51 after"):
        read(both, frame_interval_fs=100.0)


def test_settings_beside_an_xdatcar(tmp_path, run, expected):
    path = tmp_path / "XDATCAR"
    write_xdatcar(path, by_element(run), CELL)
    (tmp_path / "INCAR").write_text(
        "IBRION = 0; POTIM = 2 ! fs\nNBLOCK = 50\nTEBEG = 700 # K\nMDALGO = 2\nSMASS = 0\n"
    )
    result = read(path, temperature_K=None)
    assert_agrees(result, expected)
    assert result.temperature_K == 700.0
    (tmp_path / "INCAR").write_text("IBRION = 0\n")
    with pytest.raises(InputError, match=r"between its frames: .* --frame-interval\)\.$"):
        read(path, timestep_fs=2.0)
    (tmp_path / "INCAR").write_text("IBRION = 1\nNSW = 100\n")
    with pytest.raises(InputError, match=r"relaxation.*IBRION = 1"):
        read(path, frame_interval_fs=100.0)


def test_vasprun_settings(tmp_path, run, expected):
    path = tmp_path / "vasprun.xml"
    labels = ["r" if symbol == "O" else symbol for symbol in run[1]]
    md = {"POTIM": 100.0, "TEBEG": 700.0, "TEEND": 700.0, "IBRION": 0, "SMASS": 0.0}
    write_vasprun(path, run[0], CELL, labels, md)
    assert set(open_frames(path).symbols) == {"Li", "Zr"}
    assert_agrees(read(path, temperature_K=None), expected)
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


@pytest.mark.parametrize(
    ("tags", "temperature"),
    [
        ({"TEBEG": "700", "SMASS": "0"}, 700.0),
        ({"TEBEG": "700"}, None),  # the default is constant energy
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


def test_an_incar_beside_some_segments_only_is_refused(tmp_path, run, expected):
    paths = [tmp_path / "1" / "XDATCAR", tmp_path / "2" / "XDATCAR"]
    for path, frames in zip(paths, (slice(150), slice(150, None)), strict=True):
        path.parent.mkdir()
        write_xdatcar(path, by_element(run)[frames], CELL)
    (tmp_path / "2" / "INCAR").write_text("POTIM = 100\n")
    with pytest.raises(InputError, match=r"step of 100 fs, and others none: .* an INCAR beside"):
        read(paths)
    (tmp_path / "1" / "INCAR").write_text("POTIM = 100\n")
    assert_agrees(read(paths), expected)


@pytest.mark.parametrize(
    ("text", "interval_fs"),
    [
        ("POTIM = 2", 2.0),
        ("POTIM = 2; NBLOCK = 10\nPOTIM = 1\nNBLOCK = 1", 20.0),  # VASP uses the first
        ("POTIM = 2; NBLOCK = 10; ML_OUTBLOCK = 5", 20.0),  # without a learned force field
        ("POTIM = 2; ML_LMLFF = T; ML_MODE = run; ML_OUTBLOCK = 5", 10.0),
        ("POTIM = 2; ML_LMLFF = T; ML_MODE = run; ML_OUTBLOCK = 5; NBLOCK = 10", 20.0),
        ("POTIM = 2; ML_LMLFF = T; ML_MODE = run; ML_OUTBLOCK = 10; NBLOCK = 10", 20.0),
        ("POTIM = 2; ML_LMLFF = T; ML_MODE = train; ML_OUTBLOCK = 5", 2.0),
        ("POTIM = 2; ML_LMLFF = T; ML_MODE = run; ML_OUTBLOCK = 4; NBLOCK = 10", None),
        ("NBLOCK = 10", None),
    ],
)
def test_interval_of_vasp_settings(text, interval_fs):
    assert run_settings(read_incar(text), "INCAR").frame_interval_fs == interval_fs


def test_segments_at_different_temperatures_are_refused(tmp_path, run):
    paths = [tmp_path / "a-vasprun.xml", tmp_path / "b-vasprun.xml"]
    for path, temperature in zip(paths, (500.0, 700.0), strict=True):
        tags = {"POTIM": 100.0, "TEBEG": temperature, "SMASS": 0.0}
        write_vasprun(path, run[0][:40], CELL, run[1], tags)
    with pytest.raises(InputError, match="at 500 and 700 K"):
        read(paths, temperature_K=None)


def test_vaspout(tmp_path, run, expected):
    path, symbols = tmp_path / "vaspout.h5", list(run[1])
    tags = {"POTIM": 2.0, "NBLOCK": 50, "TEBEG": 700.0, "IBRION": 0, "SMASS": 0.0}
    write_vaspout(path, run[0], CELL, symbols, tags)
    assert_agrees(read(path, temperature_K=None), expected)
    write_vaspout(path, run[0], CELL, symbols, {"POTIM": 100.0, "IBRION": 2})
    with pytest.raises(InputError, match="not of molecular dynamics"):
        read(path)
    learned = {"POTIM": 2.0, "IBRION": 0, "ML_LMLFF": True, "ML_MODE": "run", "ML_OUTBLOCK": 50}
    write_vaspout(path, run[0], CELL, symbols, learned)
    assert_agrees(read(path), expected)
    with h5py.File(path, "a") as file:
        del file["results/positions/scale"]
        file["results/positions/scale"] = [2.0, 2.2, 1.8]
    assert read(path).volume_A3 == pytest.approx(0.99 * expected.volume_A3)
    with h5py.File(path, "a") as file:
        del file["results/positions/ion_types"]
    with pytest.raises(InputError, match="lacks results/positions/ion_types: give the XDATCAR"):
        read(path)


def test_rows_with_elements_as_pymatgen_writes_them(tmp_path, run, expected):
    frames = [Structure(CELL, run[1], frame, coords_are_cartesian=True) for frame in run[0]]
    Trajectory.from_structures(frames).write_Xdatcar(tmp_path / "XDATCAR")
    assert_agrees(read(tmp_path / "XDATCAR", frame_interval_fs=100.0), expected)
