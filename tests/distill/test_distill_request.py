"""Requests of distillations: what is read, what is refused, and the plan."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from ase.build import bulk
from ase.io import write
from typer.testing import CliRunner

from vitrion.cli import app
from vitrion.distill import distillation, start_crystals
from vitrion.distill.data.labelled_files import labelled_frames
from vitrion.distill.distill_clock import DistillClock
from vitrion.distill.distill_plan import expected_stages, plan_lines, steps_per_ps
from vitrion.distill.distill_request import checked, read_request
from vitrion.distill.distill_run import DistillRun
from vitrion.distill.distill_settings import PRESETS, DistillSettings
from vitrion.distill.labelled_student import calmest, usable_frames
from vitrion.distill.sample.packed_cells import packed_atoms
from vitrion.distill.student_card import functional
from vitrion.errors import InputError
from vitrion.potentials.known_elements import distill_seconds
from vitrion.potentials.student import students_folder


def settings(**changes):
    return DistillSettings.from_preset("quick", **changes)


def test_formulas_lists_and_files_are_read(tmp_path):
    listed = tmp_path / "list.csv"
    listed.write_text("formula\nLi3PS4\n# a comment\n75Li2S-25P2S5\n")
    crystal = tmp_path / "lif.cif"
    write(crystal, bulk("LiF", "rocksalt", a=4.03, cubic=True))
    found = read_request(["Na3PS4", str(listed), str(crystal)])
    assert found["formulas"] == ("Na3PS4", "Li3PS4", "LiF")
    assert len(found["structures"]) == 1
    with pytest.raises(InputError, match="is a name, not a formula: write Li10GeP2S12"):
        read_request(["LGPS"])


def test_presets_are_complete_and_ordered_by_cost():
    totals = []
    for name in PRESETS.names():
        made = DistillSettings.from_preset(name, formulas=["Na3PS4"])
        assert set(PRESETS.values(name)) <= set(DistillSettings.model_fields)
        totals.append(sum(expected_stages(made, 2).values()))
    assert PRESETS.names() == ["quick", "standard"]
    assert totals == sorted(totals)


@pytest.mark.parametrize(
    ("formula", "atoms"), [("Na3PS4", 40), ("Li7La3Zr2O12", 48), ("Li13Al3Ti17P30O120", 183)]
)
def test_the_time_in_the_advice_is_the_time_of_the_plan(formula, atoms):
    assert packed_atoms(formula, 40) == atoms  # whole formula units
    made = DistillSettings.from_preset("standard", formulas=[formula])
    assert sum(expected_stages(made, 2).values()) == pytest.approx(
        distill_seconds(formula), rel=0.35
    )
    assert any("expected time" in line for line in plan_lines(made, 2))


def test_short_steps_with_hydrogen_cost_more():
    assert steps_per_ps(settings(formulas=["LiF"])) == 500
    assert steps_per_ps(settings(formulas=["LiBH4"])) == 1000


def test_settings_are_merged_with_a_preset_and_checked():
    made = settings(formulas=["Na3PS4"], sampling={"iterations": 3})
    assert made.sampling.iterations == 3
    assert made.sampling.seed_cells == PRESETS.values("quick")["sampling"]["seed_cells"]
    assert made.student_name == "na3ps4-chgnet-quick"
    assert DistillSettings.from_preset(formulas=["Na3PS4"]).student_name == "na3ps4-chgnet"
    assert made.run_id != settings(formulas=["Na3PS4"]).run_id
    with pytest.raises(
        InputError, match=r"sampling.iteration is not a setting; nearest: .*iterations"
    ):
        settings(sampling={"iteration": 3})
    with pytest.raises(InputError, match=r"^name is 'Na 3', but must be lower-case"):
        settings(name="Na 3")
    with pytest.raises(InputError, match="must be below the highest"):
        settings(sampling={"coldest_K": 2000.0})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"formulas": ["LiPoS2"]},
            "The teacher 'chgnet' does not know Po: name one that does with --teacher.",
        ),
        (
            {"formulas": ["Na3PS4"], "teacher": "vitrion-lipof"},
            "The teacher 'vitrion-lipof' does not know Na, S: --teacher chgnet does.",
        ),
        (
            {"formulas": ["Na3PS4"], "teacher": "sevennet"},
            "name the interpreter of its environment",
        ),
        (
            {"formulas": ["LiF"], "teacher": "ase.build:nothing"},
            "module ase.build has no function 'nothing'",
        ),
        ({"formulas": ["Na3PS4"], "teacher": "chgnett"}, "did you mean 'chgnet'"),
        ({"formulas": ["LiPO2F3"]}, "No known oxidation states balance LiPO2F3: check the formula"),
        ({"formulas": ["LiF"], "python": "/no/python"}, "interpreter /no/python does not exist"),
        ({"formulas": ["LiF"], "dispersion": "pbee"}, "no parameters for the functional 'pbee'"),
        ({"formulas": ["LiF"], "begin": "nobody"}, "There is no student 'nobody' to begin from"),
        ({"formulas": []}, "Name a composition"),
        ({"formulas": [f"Li{k}F" for k in range(2, 30, 2)]}, "at most 12 compositions"),
        ({"formulas": ["LiF"], "teacher": "no.xyz"}, "labelled frames no.xyz does not exist"),
    ],
)
def test_bad_requests_are_refused_in_one_sentence(changes, message):
    with pytest.raises(InputError, match=message) as caught:
        checked(settings(**changes))
    assert str(caught.value).count(". ") == 0


def frames_with_labels(count):
    frames = []
    for k in range(count):
        atoms = bulk("LiF", "rocksalt", a=4.0 + 0.01 * k, cubic=True)
        atoms.info["REF_energy"] = -40.0
        atoms.arrays["REF_forces"] = np.zeros((8, 3))
        frames.append(atoms)
    return frames


def test_too_few_labelled_frames_are_refused(tmp_path):
    path = tmp_path / "few.xyz"
    write(path, frames_with_labels(19), format="extxyz")
    with pytest.raises(InputError, match=r"has 19 frames with energy.* needs at least 20"):
        checked(settings(teacher=str(path)))
    write(path, frames_with_labels(20), format="extxyz")
    made = checked(settings(teacher=str(path)))
    assert made.formulas == ("LiF",)
    assert made.labeller is None
    path.write_text("not\na file\n")
    with pytest.raises(InputError, match="cannot be read as extended XYZ"):
        checked(settings(teacher=str(path)))


def test_labels_of_ase_are_read(tmp_path):
    from ase.calculators.singlepoint import SinglePointCalculator

    frames = []
    for atoms in frames_with_labels(20):
        plain = bulk("LiF", "rocksalt", a=atoms.cell.lengths()[0], cubic=True)
        plain.calc = SinglePointCalculator(
            plain, energy=-41.0, forces=np.ones((8, 3)), stress=np.arange(6.0)
        )
        frames.append(plain)
    write(tmp_path / "ase.extxyz", frames, format="extxyz")
    found = labelled_frames(tmp_path / "ase.extxyz")
    assert found[0].info["REF_energy"] == -41.0
    np.testing.assert_allclose(found[0].arrays["REF_forces"], 1.0)
    np.testing.assert_allclose(np.reshape(found[0].info["REF_stress"], (3, 3))[0, 1], 5.0)


def test_the_name_of_another_student_is_refused():
    folder = students_folder()
    folder.mkdir(parents=True, exist_ok=True)
    card = folder / "taken.json"
    card.write_text(json.dumps({"sha256": "0", "version": "another-run"}))
    try:
        with pytest.raises(InputError, match="Another student 'taken'"):
            checked(settings(formulas=["LiF"], name="taken"))
    finally:
        card.unlink()


def test_dispersion_is_added_by_a_program():
    plain, corrected = settings(formulas=["LiF"]), settings(formulas=["LiF"], dispersion="pbe")
    assert plain.labeller.is_registered
    assert corrected.labeller.name == "vitrion:chgnet"
    assert not corrected.labeller.is_registered
    assert functional(plain) == "PBE / PBE+U"
    assert functional(corrected) == "PBE / PBE+U, with D3(BJ)"


def test_a_dry_run_prints_plan_and_settings_and_writes_nothing(tmp_path):
    arguments = ["distill", "Na3PS4", "--dry-run", "--store", str(tmp_path / "store")]
    found = CliRunner().invoke(app, [*arguments, "--preset", "quick", "--set", "sampling.runs=3"])
    assert found.exit_code == 0, found.output
    assert "# expected time: at most" in found.output
    assert "stability, labels and fit, at most" in found.output
    assert "runs: 3" in found.output
    assert not (tmp_path / "store").exists()


def test_options_override_a_settings_file(tmp_path):
    file = tmp_path / "student.yaml"
    file.write_text(
        "preset: quick\nformulas: [LiF]\nteacher: chgnet\nsampling: {iterations: 3, runs: 5}\n"
    )
    arguments = ["distill", "--recipe", str(file), "--teacher", "vitrion-lipof", "--dry-run"]
    found = CliRunner().invoke(app, [*arguments, "--set", "sampling.runs=4"])
    assert found.exit_code == 0, found.output
    assert "teacher: vitrion-lipof" in found.output
    assert "iterations: 3, runs: 4" in " ".join(found.output.split())
    file.write_text("teachers: chgnet\n")
    with pytest.raises(InputError, match="teachers is not a setting; nearest: teacher"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)


@pytest.mark.parametrize("name", ["chgnet", "chgnet-r2scan", "vitrion-lipof"])
def test_a_student_cannot_hide_another_potential(name):
    with pytest.raises(InputError, match="not the name of another potential"):
        settings(formulas=["LiF"], name=name)


def test_the_recipe_of_given_crystals_repeats_their_distillation(tmp_path):
    write(tmp_path / "lif.cif", bulk("LiF", "rocksalt", a=4.03, cubic=True))
    made = settings(**read_request([str(tmp_path / "lif.cif")]))
    again = DistillSettings(**yaml.safe_load(made.to_yaml()))
    assert again.run_id == made.run_id
    assert "structures" not in settings(formulas=["LiF"]).to_yaml()


def test_another_content_of_labelled_frames_is_another_distillation(tmp_path):
    path = tmp_path / "frames.xyz"
    write(path, frames_with_labels(20), format="extxyz")
    made = checked(settings(teacher=str(path)))
    first = made.run_id
    assert made.run_id == first
    write(path, frames_with_labels(21), format="extxyz")
    assert made.run_id != first


def test_labels_are_checked_before_a_fit(tmp_path):
    path = tmp_path / "frames.xyz"
    frames = frames_with_labels(20)
    for atoms in frames:
        atoms.info["REF_stress"] = np.arange(6.0)
    write(path, frames, format="extxyz")
    stress = np.reshape(labelled_frames(path)[0].info["REF_stress"], (3, 3))
    np.testing.assert_allclose(stress, [[0, 5, 4], [5, 1, 3], [4, 3, 2]])
    frames[2].info["REF_stress"] = np.arange(5.0)
    write(path, frames, format="extxyz")
    with pytest.raises(InputError, match="has 5 numbers"):
        labelled_frames(path)
    del frames[2].info["REF_stress"]
    frames[3].arrays["REF_forces"][1, 1] = np.nan
    write(path, frames, format="extxyz")
    with pytest.raises(InputError, match=r"^Frame 4 of .* not finite"):
        labelled_frames(path)


def test_the_last_labelled_frames_of_each_regime_are_held_out(tmp_path):
    frames = frames_with_labels(40)
    for number, atoms in enumerate(frames):
        atoms.info |= {"config_type": "hot" if number % 2 else "cold", "number": number}
    frames[-1].info["REF_energy"] = frames[-2].info["REF_energy"] = -39.0
    write(tmp_path / "frames.xyz", frames, format="extxyz")
    made = settings(teacher=str(tmp_path / "frames.xyz"))
    fitted, heldout = usable_frames(SimpleNamespace(settings=made))
    assert sorted(a.info["number"] for a in heldout) == [34, 35, 36, 37, 38, 39]
    assert len(fitted) == 34
    other = bulk("LiCl", "rocksalt", a=5.1, cubic=True)
    other.info["REF_energy"] = -30.0
    found = calmest([*heldout, other])
    assert [a.info["REF_energy"] for a in found] == [-40.0, -30.0]


def test_crystals_are_searched_for_formulas_without_a_structure_file(tmp_path, monkeypatch):
    write(tmp_path / "lif.cif", bulk("LiF", "rocksalt", a=4.03, cubic=True))
    made = settings(**read_request(["Li3PO4", str(tmp_path / "lif.cif")]))
    assert made.searched_formulas == ["Li3PO4"]
    minimum = bulk("LiF", "rocksalt", a=4.03)
    minimum.info["energy_eV_per_atom"] = -5.0
    monkeypatch.setattr(start_crystals, "relaxed_candidates", lambda run, formula: [minimum])
    found = start_crystals.crystals_of(SimpleNamespace(settings=made))
    assert list(found) == ["LiF crystal 1", "Li3PO4 crystal 1"]
    both, given = (
        expected_stages(settings(**read_request(names)))["crystals"]
        for names in (["Li3PO4", str(tmp_path / "lif.cif")], [str(tmp_path / "lif.cif")])
    )
    assert both > given


def test_the_order_of_the_frames_of_a_fit_follows_from_the_seed(tmp_path, monkeypatch):
    made = settings(formulas=["LiF"], seed=3)
    monkeypatch.setattr(distillation, "write_with_energies", lambda *arguments: None)
    monkeypatch.setattr(
        distillation, "fit", lambda frames, start, folder, schedule, **options: schedule.seed
    )
    run = DistillRun(made, tmp_path, 1, None, DistillClock({}, tmp_path, print), None)
    assert distillation.one_fit(run, [], tmp_path, 0, made.last_fit) == made.last_fit.seed + 3
