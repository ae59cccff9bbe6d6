"""Students in the user's folder: found by name, described, retrained, and what they say."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from vitrion.chemistry.crystals import known_crystals
from vitrion.cli import app
from vitrion.cli.distill import print_card
from vitrion.distill.distill_settings import DistillSettings
from vitrion.distill.document import PotentialDoc
from vitrion.distill.iterations import chosen_frames, force_errors
from vitrion.distill.label.label_program import label_frame
from vitrion.distill.learning import (
    DONE,
    check_can_learn,
    frames_outside,
    registered_name,
    retrained,
)
from vitrion.distill.sample.sampling import strained_and_rattled
from vitrion.distill.student.student_files import (
    CRYSTALS_SUFFIX,
    FRAMES_SUFFIX,
    named_crystals,
    student_crystals,
    student_frames,
)
from vitrion.distill.student_card import register_student, write_student
from vitrion.distill.train.initial_weights import initial_student
from vitrion.distill.validate.endurance import EnergyDrift, HotRun
from vitrion.distill.validate.regime_errors import regime_errors
from vitrion.distill.validate.teacher_comparison import TeacherComparison
from vitrion.errors import InputError, SimulationError
from vitrion.flows import student_runs
from vitrion.flows.recipe import Recipe
from vitrion.flows.run_recipe import complete_recipe
from vitrion.flows.student_runs import ensure_student, student_settings
from vitrion.potentials import get_potential, list_potentials, load_calculator
from vitrion.potentials.student import (
    load_student,
    save_student,
    student_calculator,
    student_path,
    students_folder,
)
from vitrion.potentials.trust import assess

NAME = "lif-copy"


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """The shipped student, registered under another name with statistics of cells of LiF."""
    rng = np.random.default_rng(0)
    teacher = student_calculator()
    crystal = known_crystals()["LiF"]
    cells = [strained_and_rattled(crystal, rng, 0.01, 0.05) for _ in range(24)]
    frames = [label_frame(atoms, teacher) for atoms in cells]
    for atoms in frames:
        atoms.info["regime"] = "LiF"
    comparison = TeacherComparison(
        potential=NAME,
        teacher="vitrion-lipof",
        errors=regime_errors(frames[:4], teacher),
        cells=[],
        drift=EnergyDrift(
            temperature_K=600,
            picoseconds=1,
            drift_meV_per_atom_ns=0.123456,
            standard_error=1,
            fluctuation_meV_per_atom=1,
        ),
        hot_runs=[HotRun(temperature_K=1500, picoseconds=50)],
    )
    settings = DistillSettings.from_preset(
        "quick",
        formulas=["LiF"],
        teacher="vitrion-lipof",
        name=NAME,
        last_fit={"epochs": 10, "last_learning_rate": 0.00002},
        validation={"hot_ps": 0.5, "hot_runs": 1, "drift_ps": 0.2, "n_atoms": 24},
    )
    path = tmp_path_factory.mktemp("student") / f"{NAME}.safetensors"
    fitted = path.with_name("fitted.safetensors")
    save_student(initial_student(load_student(student_path()), [3, 9], 0), fitted)
    entry = {"run": "LiF-both-1", "frames": 7, "predecessor": NAME}
    extra = {"learned": [entry], "times_s": {"fit-0": 3.0}}
    write_student(fitted, path, settings, frames[4:], frames[:4], comparison, extra)
    beside = {FRAMES_SUFFIX: frames, CRYSTALS_SUFFIX: named_crystals({"LiF": crystal})}
    register_student(path, NAME, beside)
    yield frames
    for file in students_folder().glob(f"{NAME}*"):
        file.unlink()


def test_a_registered_student_is_found_and_evaluated_natively(student):
    assert NAME in [spec.name for spec in list_potentials()]
    spec = get_potential(NAME)
    assert spec.functional == "PBE-D3(BJ)"
    calculator = load_calculator(NAME, symbols=["Li", "F"])
    assert calculator.evaluation.startswith("native")
    own = student_calculator().get_forces(student[0])
    np.testing.assert_allclose(calculator.get_forces(student[0]), own, atol=1e-5)
    with pytest.raises(InputError, match="did you mean 'lif-copy'"):
        get_potential("lif-copi")


def test_the_card_of_a_student_becomes_its_document(student):
    document = PotentialDoc.from_potential(NAME)
    assert document.teacher == "vitrion-lipof"
    assert document.errors[0].regime == "LiF"
    card = json.loads((students_folder() / f"{NAME}.json").read_text())
    assert card["drift"]["drift_meV_per_atom_ns"] == 0.1235
    assert card["settings"]["formulas"] == ["LiF"]
    teacher = get_potential("vitrion-lipof")
    assert card["teacher_version"] == f"{teacher.version}, SHA-256 {teacher.sha256}"
    assert card["settings"]["last_fit"]["last_learning_rate"] == 0.00002


def test_a_student_that_failed_is_described_and_not_used(student, tmp_path, monkeypatch, capsys):
    failed = {"failure": "Atoms fused.", "drift": None, "cells": [], "validation": []}
    card = json.loads((students_folder() / f"{NAME}.json").read_text()) | failed
    print_card(card, tmp_path)
    shown = capsys.readouterr().out
    assert f"{NAME} failed in its validation: Atoms fused." in shown
    assert "Use it" not in shown
    assert PotentialDoc.from_potential(NAME, card).failure == "Atoms fused."
    monkeypatch.setattr(student_runs, "student_card", lambda name: card)
    settings = DistillSettings.from_preset("quick", formulas=["LiF"], name=NAME)
    with pytest.raises(SimulationError, match="failed in its validation: Atoms fused"):
        ensure_student(settings, tmp_path)


def test_frames_and_crystals_are_kept_beside_it(student):
    assert len(student_frames(NAME, FRAMES_SUFFIX)) == len(student)
    assert list(student_crystals(NAME)) == ["LiF"]
    assert student_crystals("vitrion-lipof") == {}


def test_a_student_is_not_overwritten_by_another(student, tmp_path):
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"other weights")
    other.with_suffix(".json").write_text(json.dumps({"version": "other"}))
    with pytest.raises(InputError, match="Another student 'lif-copy'"):
        register_student(other, NAME, {})


def test_a_retraining_that_another_one_overtook_takes_another_name(student, tmp_path):
    """As after a kill between the choice of the name and the registration."""
    (tmp_path / DONE).write_text(NAME)
    (tmp_path / f"{NAME}.safetensors").write_bytes(b"weights of this retraining")
    assert registered_name(tmp_path) is None
    shutil.copy(students_folder() / f"{NAME}.safetensors", tmp_path)
    assert registered_name(tmp_path) == NAME


def test_frames_outside_its_range_are_found_the_farthest_first(student):
    rng = np.random.default_rng(1)
    far = [strained_and_rattled(student[0], rng, 0.0, size) for size in (0.3, 0.6)]
    found = frames_outside([student[5], *far], NAME)
    assert [atoms is far[1] for atoms in found[:1]] == [True]
    assert student[5] not in found
    assert frames_outside([], NAME) == []


def test_the_trust_report_states_that_it_was_retrained(student):
    report = assess([student[0]], NAME)
    assert report.learned[0].frames == 7
    assert "retrained on 7 frames of LiF-both-1" in report.statement
    assert assess([student[0]], "vitrion-lipof").learned == []


@pytest.mark.parametrize("name", ["vitrion-lipof", "chgnet"])
def test_only_a_student_of_the_user_learns(student, name):
    check_can_learn(NAME)
    with pytest.raises(InputError, match=f"'{name}' cannot learn from a run"):
        check_can_learn(name)


@pytest.mark.slow
def test_a_student_is_retrained_on_frames_that_left_its_range(student, tmp_path):
    rng = np.random.default_rng(2)
    far = [strained_and_rattled(student[0], rng, 0.02, 0.25) for _ in range(12)]
    lines = []
    name = retrained(NAME, far, tmp_path, run_id="LiF-both-2", report=lines.append)
    assert name == f"{NAME}-2"
    card = json.loads((students_folder() / f"{name}.json").read_text())
    assert [entry["run"] for entry in card["learned"]] == ["LiF-both-1", "LiF-both-2"]
    assert card["learned"][1]["frames"] + sum(
        error["n_frames"] for error in card["validation"]
    ) == len(far)
    assert len(student_frames(name, FRAMES_SUFFIX)) == len(student) + card["learned"][1]["frames"]
    assert frames_outside(far, NAME)
    assert len(frames_outside(far, name)) < len(frames_outside(far, NAME))
    assert any(line.startswith("fit-0") for line in lines)
    assert "retrained on" in assess([far[0]], name).statement


def test_a_student_of_another_chemistry_is_refused_with_advice(student):
    with pytest.raises(InputError, match=r"does not know Na, S: .*chgnet.* vitrion distill Na3PS4"):
        complete_recipe(Recipe.from_preset("quick", formula="Na3PS4", potential="vitrion-lipof"))
    recipe = Recipe.from_preset("quick", formula="LiF", potential=NAME)
    assert complete_recipe(recipe).potential == NAME


def test_potential_list_shows_who_knows_a_formula(student):
    found = CliRunner().invoke(app, ["potential", "list", "Na3PS4"], env={"COLUMNS": "300"})
    rows = {line.split("│")[1].strip(): line for line in found.output.splitlines() if "│" in line}
    assert "no: Na, S" in rows["vitrion-lipof (default)"]
    assert "yes" in rows["chgnet"]
    assert "A fast one for these elements:  vitrion distill Na3PS4" in found.output
    known = CliRunner().invoke(app, ["potential", "list", "LiF"], env={"COLUMNS": "300"})
    assert "vitrion distill" not in known.output


def test_the_dry_run_of_a_run_with_a_student_shows_both_plans(tmp_path, monkeypatch):
    measured = []

    def load(name, **options):
        measured.append(name)
        return load_calculator(name, **options)

    monkeypatch.setattr("vitrion.flows.run_plan.load_calculator", load)
    arguments = ["run", "Na3PS4", "--distill", "--preset", "quick", "--phase", "amorphous"]
    store = ["--store", str(tmp_path / "store"), "--dry-run"]
    found = CliRunner().invoke(app, [*arguments, *store])
    assert found.exit_code == 0, found.output
    assert "# student na3ps4-chgnet-quick of chgnet for Na3PS4" in found.output
    assert "# total dynamics" in found.output
    assert "\npotential: na3ps4-chgnet-quick\n" in found.output
    assert measured == ["vitrion-lipof"], "the speed is that of a student, not of the teacher"
    assert not (tmp_path / "store").exists()
    with pytest.raises(InputError, match="'vitrion-lipof' cannot learn from a run: make a student"):
        CliRunner().invoke(
            app, ["run", "LiF", "--learn", "--dry-run", *store[:2]], catch_exceptions=False
        )


def test_a_quick_run_uses_the_standard_student_if_there_is_one():
    assert student_settings("LiF", "paper").student_name == "lif-chgnet"
    assert student_settings("LiF", "quick").student_name == "lif-chgnet-quick"
    students_folder().mkdir(parents=True, exist_ok=True)
    card = students_folder() / "lif-chgnet.json"
    card.write_text("{}")
    try:
        assert student_settings("LiF", "quick").student_name == "lif-chgnet"
    finally:
        card.unlink()


def test_frames_with_the_largest_errors_are_kept():
    scores = np.array([0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.4, 0.6])
    kept = chosen_frames(scores, 4, np.random.default_rng(0))
    assert {1, 3, 5} <= set(kept)
    assert len(kept) == 4
    assert chosen_frames(scores, 20, np.random.default_rng(0)) == list(range(8))
    with pytest.raises(InputError, match="no usable frame"):
        chosen_frames(np.array([]), 4, np.random.default_rng(0))


def test_force_errors_are_relative_where_forces_are_large(student):
    atoms = student[0].copy()
    atoms.arrays["REF_forces"] = student_calculator().get_forces(atoms)
    assert force_errors([atoms], student_calculator())[0] == pytest.approx(0, abs=1e-5)
    atoms.arrays["REF_forces"] = atoms.arrays["REF_forces"] + [[3.0, 0, 4.0]]
    largest = np.linalg.norm(atoms.arrays["REF_forces"], axis=1).max()
    expected = 5.0 / (1 + 0.15 * largest)
    assert force_errors([atoms], student_calculator())[0] == pytest.approx(expected, rel=1e-4)
