"""Labelling and training as programs: restarts, failures, and what they produce."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from ase.build import bulk

from helpers.programs_here import fit_here
from vitrion.distill.data.frames import ENERGY_WEIGHT, read_labelled, write_frames
from vitrion.distill.label import label_program
from vitrion.distill.label.labelling import Teacher, label
from vitrion.distill.train import fit
from vitrion.distill.train.architecture import Architecture
from vitrion.distill.train.initial_weights import random_student
from vitrion.distill.train.training import (
    TrainingSettings,
    emphasized,
    fine_tune,
    train,
    usable,
)
from vitrion.distill.training_plan import seed_frames
from vitrion.errors import InputError, SimulationError
from vitrion.potentials.student import (
    build_model,
    describe_model,
    file_calculator,
    load_student,
    student_calculator,
    student_path,
)

TEACHER = Teacher(name="vitrion.potentials.student:student_calculator")
SMALL = Architecture(channels=8, max_ell=1, correlation=1, radial_layers=(8,), cutoff_A=4.0)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    frames = [a for a in seed_frames(5, per_crystal=1, packed=12) if len(a) < 32][:14]
    folder = tmp_path_factory.mktemp("labels") / "iteration"
    return frames, label(frames, TEACHER, folder), folder


def test_labels_are_the_teachers(labelled):
    frames, out, _ = labelled
    calculator = student_calculator()
    assert len(out) == len(frames)
    for frame in (out[0], out[-1]):
        work = frame.copy()
        work.calc = calculator
        assert frame.info["REF_energy"] == pytest.approx(work.get_potential_energy(), rel=1e-5)
        scale = np.abs(frame.arrays["REF_forces"]).max()
        np.testing.assert_allclose(
            frame.arrays["REF_forces"], work.get_forces(), atol=1e-4 * max(scale, 1)
        )
        np.testing.assert_allclose(
            np.reshape(frame.info["REF_stress"], (3, 3)),
            work.get_stress(voigt=False),
            atol=1e-4,
        )


def test_killed_labelling_goes_on(labelled, tmp_path):
    frames, full, done = labelled
    folder = tmp_path / "iteration"
    folder.mkdir()
    for name in ("frames.xyz", "labels.json"):
        shutil.copy(done / name, folder)
    lines = (done / "labelled.xyz").read_text().splitlines(keepends=True)
    whole = len(frames[0]) + 2
    target = folder / "labelled.xyz"
    target.write_text("".join(lines[: whole + 5]))  # one whole frame and a part of the next
    again = label(frames, TEACHER, folder)
    assert target.read_text().startswith("".join(lines[:whole]))
    assert len(again) == len(frames)
    for new, old in zip(again, full, strict=True):
        np.testing.assert_allclose(new.arrays["REF_forces"], old.arrays["REF_forces"], atol=1e-4)
    with pytest.raises(InputError, match="other frames"):
        label(frames[3:5], TEACHER, folder)


SLOW_TEACHER = """
import time
from ase.calculators.lj import LennardJones

class Slow(LennardJones):
    def calculate(self, *arguments, **options):
        time.sleep(0.2)
        super().calculate(*arguments, **options)
"""


def start_program(folder, *more):
    arguments = [folder / "frames.xyz", folder / "labelled.xyz", "--teacher", "slow:Slow", *more]
    return subprocess.Popen(
        [sys.executable, label_program.__file__, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(folder)},
    )


def test_two_programs_label_each_frame_once_and_end_with_their_parent(tmp_path):
    """As after the kill of a command and its rerun, if a program of the first one still runs."""
    (tmp_path / "slow.py").write_text(SLOW_TEACHER)
    write_frames(tmp_path / "frames.xyz", [bulk("Ar", a=5.3 + 0.01 * k) for k in range(8)])
    programs = [start_program(tmp_path), start_program(tmp_path)]
    assert [program.wait() for program in programs] == [0, 0]
    labelled = read_labelled([tmp_path / "labelled.xyz"])
    assert [round(a.get_volume(), 3) for a in labelled] == [
        round((5.3 + 0.01 * k) ** 3 / 4, 3) for k in range(8)
    ]
    (tmp_path / "labelled.xyz").unlink()
    orphan = start_program(tmp_path, "--parent", 1)
    assert orphan.wait() == 1
    command = TEACHER.command(tmp_path / "a", tmp_path / "b")
    assert command[-2:] == ["--parent", str(os.getpid())]


def test_failing_teacher_is_reported(labelled, tmp_path):
    frames, _, _ = labelled
    with pytest.raises(SimulationError, match="ended with code 1"):
        label(frames[:1], Teacher(name="no_such_package:factory"), tmp_path / "a")
    with pytest.raises(InputError, match="does not exist"):
        label(frames[:1], Teacher(name="chgnet", python=tmp_path / "python"), tmp_path / "b")


@pytest.mark.slow
def test_training_learns_and_goes_on(labelled, tmp_path):
    _, frames, _ = labelled
    first = TrainingSettings(
        epochs=3, batch_size=2, validation_fraction=0.2, largest_force_eV_per_A=100
    )
    student = train(frames, tmp_path / "first", first, SMALL)
    before = _force_error(frames, file_calculator(student))
    log = (tmp_path / "first" / "fit-0.log").read_bytes()
    assert train(frames, tmp_path / "first", first, SMALL) == student
    assert (tmp_path / "first" / "fit-0.log").read_bytes() == log  # finished: nothing was run
    second = first.model_copy(update={"learning_rate": 0.005, "epochs": 4, "averaging": 0.9})
    final = train(frames, tmp_path / "second", second, student)
    after = _force_error(frames, file_calculator(final))
    zero = float(np.sqrt(np.mean(np.concatenate([a.arrays["REF_forces"] for a in frames]) ** 2)))
    assert after < before < zero


@pytest.fixture
def fits_here(monkeypatch):
    """Fit in this process: test_fit starts the program."""
    monkeypatch.setattr(fit, "run_together", fit_here)


@pytest.mark.usefixtures("fits_here", "pickles_trusted")
def test_fine_tuning_starts_from_the_foundation(labelled, tmp_path):
    _, frames, _ = labelled
    small = describe_model(load_student(student_path())) | {
        "hidden_irreps": "8x0e",
        "max_ell": 1,
        "correlation": 1,
        "r_max": 4.0,
        "radial_MLP": [8],
    }
    torch.manual_seed(0)
    foundation = build_model(small)
    torch.save(foundation, tmp_path / "foundation.model")
    (tmp_path / "other.model").write_bytes(b"another model")
    name, other = (f"mace:{tmp_path / stem}.model" for stem in ("foundation", "other"))
    settings = TrainingSettings(
        epochs=2,
        learning_rate=1e-3,
        last_learning_rate=1e-3,
        batch_size=2,
        validation_fraction=0.2,
    )
    path = fine_tune(frames, tmp_path / "t", name, settings)
    tuned = torch.load(path, map_location="cpu", weights_only=False)
    before = foundation.state_dict()["interactions.0.linear_up.weight"]
    after = tuned.state_dict()["interactions.0.linear_up.weight"].to(before.dtype)
    change = (after - before).abs().max()
    assert 0 < change < 0.2 * before.abs().max()
    content = path.read_bytes()
    log = (tmp_path / "t" / "fit-0.log").read_bytes()
    fine_tune(frames, tmp_path / "t", name, settings)
    assert (tmp_path / "t" / "fit-0.log").read_bytes() == log  # finished: nothing was run
    shorter = settings.model_copy(update={"epochs": 1})
    for labels, foundation_name, phase, what in (
        (frames, name, shorter, "settings"),
        (frames, other, settings, "initial weights"),
        (frames[:-1], name, settings, "labels"),
    ):
        with pytest.raises(InputError, match=rf"student\.model was made with other {what}:"):
            fine_tune(labels, tmp_path / "t", foundation_name, phase)
    assert path.read_bytes() == content


def test_a_foundation_model_must_be_trusted(labelled, tmp_path):
    (tmp_path / "foundation.model").write_bytes(b"any code")
    with pytest.raises(InputError, match="is a pickle"):
        fine_tune(labelled[1], tmp_path / "t", f"mace:{tmp_path}/foundation.model")


def test_failing_training_is_reported(labelled, tmp_path, monkeypatch):
    _, frames, _ = labelled
    with pytest.raises(InputError, match="nowhere"):
        TrainingSettings(device="nowhere")
    settings = TrainingSettings(epochs=1, batch_size=16, validation_fraction=0.2)
    monkeypatch.setattr(fit, "PROGRAM", "no_such_program")
    with pytest.raises(SimulationError, match=r"ended with code 1: .*no_such_program"):
        train(frames, tmp_path / "t", settings, SMALL)
    with pytest.raises(InputError, match="too few"):
        train(frames[:1], tmp_path / "u")


@pytest.mark.usefixtures("fits_here")
def test_an_epoch_that_cannot_be_written_ends_a_training(labelled, tmp_path):
    _, frames, _ = labelled
    settings = TrainingSettings(epochs=1, batch_size=16, validation_fraction=0.2)
    (tmp_path / "state.pt.partial").mkdir()
    with pytest.raises(RuntimeError, match="Is a directory"):
        train(frames, tmp_path, settings, SMALL)
    assert not list(tmp_path.glob("student*"))


def test_frames_without_labels_are_refused(tmp_path):
    from ase.io import write

    write(tmp_path / "bare.xyz", bulk("Li"), format="extxyz")
    with pytest.raises(InputError, match="lack the labels"):
        read_labelled([tmp_path / "bare.xyz"])
    with pytest.raises(InputError, match="does not exist"):
        read_labelled([tmp_path / "none.xyz"])


def _force_error(frames, calculator):
    errors = [(calculator.get_forces(a) - a.arrays["REF_forces"]).ravel() for a in frames]
    return float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))


@pytest.mark.usefixtures("fits_here")
def test_a_training_begins_at_the_weights_of_a_student(labelled, tmp_path):
    frames = labelled[1]
    tiny = TrainingSettings(epochs=1, learning_rate=1e-9, last_learning_rate=1e-9)
    settings = tiny.model_copy(update={"validation_fraction": 0.5})
    student = train(frames, tmp_path, settings, student_path())
    begun = file_calculator(student)
    for frame in frames[:3]:  # labels are the student's own, so no energy is shifted
        own = student_calculator().get_potential_energy(frame)
        assert begun.get_potential_energy(frame) == pytest.approx(own, abs=2e-3 * len(frame))
        scale = np.abs(frame.arrays["REF_forces"]).max()
        np.testing.assert_allclose(
            begun.get_forces(frame), frame.arrays["REF_forces"], atol=1e-4 * max(scale, 1)
        )
    content = student.read_bytes()
    train(frames, tmp_path, settings, student_path())  # what has begun stays
    assert student.read_bytes() == content


def test_a_phase_leaves_out_frames_and_weighs_energies(labelled):
    frames = [a.copy() for a in labelled[1]]
    frames[0].arrays["REF_forces"][0, 0] = 1e4
    settings = TrainingSettings(validation_fraction=0.5, largest_force_eV_per_A=9e3)
    fitted, kept_out = usable(frames, settings)
    assert len(fitted) + len(kept_out) == len(frames) - 1
    frames[1].info["config_type"] = "crystal:LiF:host"
    emphasis = {"host": 4.0, "crystal": 2.0}
    assert emphasized(frames[1], emphasis).info[ENERGY_WEIGHT] == 4.0
    assert emphasized(frames[2], {"vacancy": 2.0}).info[ENERGY_WEIGHT] == 1.0
    assert ENERGY_WEIGHT not in frames[1].info


def test_random_students_depend_on_the_seed_alone(labelled):
    frames = labelled[1]
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    weights = [
        random_student(SMALL, frames, seed).interactions[0].linear_up.weight.detach().numpy()
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.allclose(weights[0], weights[2])
    assert torch.equal(torch.random.get_rng_state(), state)
