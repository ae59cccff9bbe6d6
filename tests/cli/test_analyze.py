"""``vitrion analyze``: options, several files, several temperatures, what it prints and keeps."""

import csv
import io
import math
import sys

import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

from helpers.trajectory_files import cubic_bounds, write_lammps, write_xyz
from helpers.walkers import hopping, in_crystal
from vitrion.cli import main
from vitrion.conductivity import trajectories
from vitrion.conductivity.document import ConductivityDoc
from vitrion.conductivity.trajectories import group_runs
from vitrion.database.client import VitrionClient
from vitrion.errors import InputError
from vitrion.transport import analyze_file, arrhenius
from vitrion.transport.finite_time import correction
from vitrion.transport.slowing import slowing

LENGTH = 20.0
BARRIER_EV, KB = 0.25, 8.617333e-5
TEMPERATURES = (600, 700, 800)


def frames_at(temperature, n_frames=400, seed=0):
    rng = np.random.default_rng(seed + temperature)
    hops = 20.0 * n_frames / 400 * np.exp(-BARRIER_EV / KB * (1 / temperature - 1 / 800))
    draw = hopping(n_frames, 16, hops, vibration=0.1).draw
    return in_crystal(draw(rng), np.eye(3) * LENGTH, rng)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    for temperature in TEMPERATURES:
        positions, symbols = frames_at(temperature)
        write_lammps(
            place / f"{temperature}.dump", positions % LENGTH, symbols, cubic_bounds(LENGTH)
        )
    return place


@pytest.fixture
def vitrion(monkeypatch, capsys):
    """Run a command, and return what it prints; an error is raised as its sentence."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["vitrion", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capsys.readouterr()
        if stopped.value.code:
            raise InputError(err)
        return out

    return run


def test_numbers_are_read_with_commas_and_units(folder, vitrion):
    files = [folder / f"{t}.dump" for t in TEMPERATURES]
    options = ["--timestep", "2 fs", "--skip", "1 ps", "--csv"]
    together = vitrion("analyze", *files, "--temperature", "600,700,800 K", *options)
    rows = list(csv.DictReader(io.StringIO(together)))
    assert [float(row["temperature_K"]) for row in rows] == [600.0, 700.0, 800.0]
    for option, word in (("--temperature", "hot"), ("--timestep", "2 ps"), ("--skip", "")):
        with pytest.raises(InputError, match=f"{option} must be one number"):
            vitrion("analyze", files[0], "--temperature", "600", "--timestep", "2", option, word)
    with pytest.raises(InputError, match="of the same run: give each run once"):
        vitrion("analyze", files[0], files[0], "--temperature", "600,700", "--timestep", "2")


def test_temperatures_give_arrhenius_and_300K(folder, vitrion):
    files = [folder / f"{t}.dump" for t in TEMPERATURES]
    pairs = zip(files, TEMPERATURES, strict=True)
    fit = arrhenius([analyze_file(file, "Li", t, timestep_fs=2.0) for file, t in pairs])
    low, high = fit.activation_energy_interval(0.999)
    assert low < BARRIER_EV < high
    energy, sigma = fit.fit.activation_energy_eV, fit.sigma_300K
    said = [
        f"Activation energy: {fit.fit.activation_energy.text} eV",
        f"sigma(300 K): {sigma.text} mS/cm",
    ]
    suffixed = [f"{file}:{t}" for file, t in zip(files, TEMPERATURES, strict=True)]
    options = [word for t in TEMPERATURES for word in ("--temperature", t)]
    for words in (suffixed, [*files, *options], [*reversed(suffixed)]):
        out = vitrion("analyze", *words, "--timestep", "2")
        assert all(text in out for text in said)
    document = ConductivityDoc.model_validate_json(
        vitrion("analyze", *suffixed, "--timestep", "2", "--json")
    )
    assert document.temperatures_K == list(TEMPERATURES)
    assert document.activation_energy_eV == pytest.approx(energy)
    assert document.sigma_300K.value == pytest.approx(sigma.value)
    rows = list(csv.DictReader(io.StringIO(vitrion("analyze", *suffixed, "--timestep=2", "--csv"))))
    assert [float(row["temperature_K"]) for row in rows] == list(TEMPERATURES)
    for row, result in zip(rows, document.results, strict=True):
        assert float(row["D_self_cm2_s"]) == pytest.approx(result.self_diffusivity.value)
        assert float(row["sigma_mS_cm"]) == pytest.approx(result.conductivity.value)


def test_store_and_figures(folder, vitrion, tmp_path):
    words = [f"{folder / '600.dump'}:600", f"{folder / '800.dump'}:800", "--timestep", "2"]
    out = vitrion(
        "analyze", *words, "--store", tmp_path / "store", "--figures", tmp_path / "figures"
    )
    assert "Activation energy" in out
    drawn = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"arrhenius.svg", "msd.svg"} <= drawn
    vitrion("analyze", *words, "--store", tmp_path / "store")  # the same results again
    vitrion("analyze", *words[:1], "--timestep", "2", "--store", tmp_path / "store")
    with VitrionClient(tmp_path / "store") as client:
        one, both = sorted(client.conductivity.search(), key=lambda d: len(d.temperatures_K))
    assert one.temperatures_K == [600]
    assert both.temperatures_K == [600, 800]
    assert both.formula_pretty == "Li4O5"


def test_temperatures_among_the_files_are_explained(folder, vitrion):
    words = ("analyze", folder / "600.dump", "--temperature", "600", "800", "--timestep", "2")
    with pytest.raises(InputError, match=r"no trajectory file 800; write .* as 500,600"):
        vitrion(*words)


def test_options_that_messages_name_exist(folder, vitrion, tmp_path):
    positions, symbols = frames_at(700)
    expected = analyze_file(folder / "700.dump", "Li", 700.0, 100.0)
    value = f"{expected.self_diffusivity.value:.3g}"
    plain = tmp_path / "cp2k-pos-1.xyz"
    write_xyz(plain, positions, symbols, lambda k: f" i = {k}, time = {100.0 * k:.3f}, E = -1.0")
    with pytest.raises(InputError, match="--cell a,b,c"):
        vitrion("analyze", plain, "--temperature", 700)
    for cell in ("20,20,20", "20 20 20 90 90 90", "20,0,0,0,20,0,0,0,20"):
        assert value in vitrion("analyze", plain, "--temperature", 700, "--cell", cell)
    typed = tmp_path / "dump.atom"
    labels = [1 if symbol == "Li" else 2 for symbol in symbols]
    bounds = cubic_bounds(LENGTH)
    write_lammps(typed, positions % LENGTH, labels, bounds, "id type x y z")
    words = ["analyze", typed, "--temperature", 700, "--timestep", 2]
    with pytest.raises(InputError, match="--types Li,O"):
        vitrion(*words)
    for types in ("Li,O", "1=Li, 2=O", "2:O,1:Li"):
        assert value in vitrion(*words, "--types", types, "--mobile", "li")
    with pytest.raises(InputError, match="--charge"):
        vitrion(*words, "--types", "C,O", "--mobile", "C")
    ((row),) = csv.DictReader(
        io.StringIO(vitrion(*words, "--types=C,O", "--mobile=C", "--charge=4", "--csv"))
    )
    charged = expected.conductivity_nernst_einstein.value * 16
    assert row["sigma_formula"] in {"Einstein", "Nernst-Einstein"}
    found = analyze_file(typed, {"C": 4.0}, 700.0, 100.0, type_map={1: "C", 2: "O"})
    assert float(row["sigma_mS_cm"]) == pytest.approx(found.conductivity.value)
    assert found.conductivity_nernst_einstein.value == pytest.approx(charged, rel=1e-6)
    with pytest.raises(InputError, match=r"--frame-interval.*--timestep"):
        vitrion("analyze", folder / "700.dump", "--temperature", 700)
    with pytest.raises(InputError, match="--temperature"):
        vitrion("analyze", folder / "700.dump", "--timestep", 2)


def test_parts_and_replicas(folder, vitrion, tmp_path):
    text = (folder / "700.dump").read_text().split("ITEM: TIMESTEP")
    parts = [tmp_path / "b.dump", tmp_path / "a.dump"]
    parts[0].write_text("ITEM: TIMESTEP".join(text[:200]))
    parts[1].write_text("ITEM: TIMESTEP".join(["", *text[200:]]))
    words = ["--temperature", 700, "--timestep", 2, "--json"]
    joined = ConductivityDoc.model_validate_json(vitrion("analyze", *parts, *words))
    whole = analyze_file(folder / "700.dump", "Li", 700.0, 100.0)
    assert joined.results[0].n_frames == whole.n_frames == 400
    assert joined.results[0].self_diffusivity.value == pytest.approx(whole.self_diffusivity.value)
    positions, symbols = frames_at(700, seed=1)
    other = tmp_path / "other.dump"
    write_lammps(other, positions % LENGTH, symbols, cubic_bounds(LENGTH))
    with pytest.raises(InputError, match="does not continue"):
        vitrion("analyze", folder / "700.dump", other, *words)
    pair = vitrion("analyze", folder / "700.dump", other, *words, "--replicas")
    assert ConductivityDoc.model_validate_json(pair).results[0].n_replicas == 2


def test_replicas_whose_frames_differ_by_a_few_kelvin_are_at_one_temperature(vitrion, tmp_path):
    for seed, kelvin in enumerate((599.0, 603.0)):
        positions, symbols = frames_at(600, seed=seed)
        frames = [Atoms(symbols, each, cell=[LENGTH] * 3, pbc=True) for each in positions]
        for atoms in frames:
            MaxwellBoltzmannDistribution(
                atoms, temperature_K=kelvin, force_temp=True, rng=np.random.default_rng(seed)
            )
        write(tmp_path / f"{seed}.traj", frames)
    files = sorted(tmp_path.glob("*.traj"))
    printed = vitrion("analyze", *files, "--replicas", "--frame-interval", 100, "--json")
    (found,) = ConductivityDoc.model_validate_json(printed).results
    assert found.n_replicas == 2
    assert found.temperature_K == pytest.approx(599.0)


def test_a_run_that_is_not_diffusive_shows_its_provisional_value(vitrion, tmp_path):
    positions, symbols = frames_at(800, n_frames=60, seed=3)
    path = tmp_path / "short.dump"
    write_lammps(path, positions % LENGTH, symbols, cubic_bounds(LENGTH))
    result = analyze_file(path, "Li", 800.0, 100.0)
    assert not result.diffusive
    out = " ".join(vitrion("analyze", path, "--temperature", 800, "--timestep", 2).split())
    assert f"{result.provisional.self_diffusivity.value:.3g}" in out
    assert "provisional" in out
    assert "do not count" in out
    document = ConductivityDoc.model_validate_json(
        vitrion("analyze", path, "--temperature", 800, "--timestep", 2, "--json")
    )
    kept = document.results[0].provisional.self_diffusivity.value
    assert kept == pytest.approx(result.provisional.self_diffusivity.value)


def test_files_and_temperatures_that_do_not_match(folder):
    files = [str(folder / f"{t}.dump") for t in TEMPERATURES]
    with pytest.raises(InputError, match="3 files and 2 temperatures"):
        group_runs(files, [600, 700])
    with pytest.raises(InputError, match="every file, or of none"):
        group_runs([f"{files[0]}:600", files[1]])
    with pytest.raises(InputError, match="temperatures once"):
        group_runs([f"{files[0]}:600"], [600])
    assert [run.temperature_K for run in group_runs(files, [700])] == [700]
    assert len(group_runs(files, [700])[0].files) == 3
    assert [run.files for run in group_runs(files, [800, 600, 700])] == [
        (files[1],),
        (files[2],),
        (files[0],),
    ]


def test_files_at_two_temperatures_are_two_runs(monkeypatch):
    """Exact temperatures are of one run if they are equal, means within their errors."""
    stated = {"a": (525.0, 0.0), "b": (500.0, 0.0), "c": (500.0, 0.0), "d": (509.0, 3.0)}
    monkeypatch.setattr(trajectories, "open_stated", stated.get)
    groups = [group_runs(files) for files in (["a", "b", "c"], ["b", "d"])]
    assert [[run.files for run in runs] for runs in groups] == [[("b", "c"), ("a",)], [("b", "d")]]


def test_csv_states_warnings_on_standard_error(folder, monkeypatch, capsys, tmp_path):
    """A table for another program must not hide that frames were left out."""
    path = tmp_path / "600.dump"
    path.write_text((folder / "600.dump").read_text()[:-9])
    words = ["analyze", path, "--temperature", 600, "--timestep", 2, "--csv"]
    monkeypatch.setattr(sys, "argv", ["vitrion", *map(str, words)])
    with pytest.raises(SystemExit):
        main()
    out, err = capsys.readouterr()
    (row,) = csv.DictReader(io.StringIO(out))
    assert row["n_frames"] == "399"
    assert err.startswith("600 K: ")
    assert "is incomplete and is left out" in err


def test_skipping_more_than_the_run_is_stated(folder, vitrion):
    words = [folder / "600.dump", "--temperature", 600, "--timestep", 2]
    with pytest.raises(InputError, match=r"Skipping 39 ps leaves 10 of 400 frames \(40 ps\)"):
        vitrion("analyze", *words, "--skip", 39)


def test_runs_of_a_glass_are_corrected_for_their_finite_time(folder, vitrion):
    words = [f"{folder / '800.dump'}", "--temperature", "800", "--frame-interval", "100", "--json"]
    types = ["--types", "Li,O"]
    unknown, glass = (
        ConductivityDoc.model_validate_json(vitrion("analyze", *words, *types, *phase)).results[0]
        for phase in ((), ("--phase", "glass"))
    )
    assert unknown.diffusive
    assert unknown.finite_time is None
    expected = correction(unknown, slowing([[unknown]])[0])
    assert glass.finite_time.log_factor == pytest.approx(-expected.remaining)
    before, after = unknown.self_diffusivity, glass.self_diffusivity
    assert after.value == pytest.approx(before.value * math.exp(expected.log_factor))
    own_error = max(before.relative_error, expected.own_error)
    assert after.relative_error == pytest.approx(math.hypot(own_error, expected.error))
