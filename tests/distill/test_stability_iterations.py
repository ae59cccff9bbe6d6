"""Hot runs of a student: failures are labelled and kept, a stable student gives nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vitrion.chemistry.crystals import known_crystals
from vitrion.distill.distill_clock import DistillClock
from vitrion.distill.distill_run import DistillRun
from vitrion.distill.distill_settings import DistillSettings
from vitrion.distill.iterations import stability_frames
from vitrion.distill.sample.packed_cells import Subject
from vitrion.distill.student_validation import validate_student
from vitrion.distill.tasks import worker_pool
from vitrion.potentials.student import load_student, save_student, student_path


@pytest.fixture
def run(tmp_path):
    """A distillation of LiF by the shipped student, with two short hot runs of the crystal."""
    settings = DistillSettings.from_preset(
        "quick",
        formulas=["LiF"],
        teacher="vitrion-lipof",
        sampling={"n_atoms": 16, "crystal_share": 1.0, "defect_share": 0.0, "frames_per_run": 4},
        stability={"runs": 2, "run_ps": 0.1, "kept": 6},
        validation={"glasses": 0, "n_atoms": 16, "hot_runs": 2, "hot_ps": 0.1, "drift_ps": 0.2},
    )
    lines = []
    clock = DistillClock({}, tmp_path, lines.append)
    with worker_pool(1) as pool:
        yield DistillRun(settings, tmp_path, 1, pool, clock, settings.labeller), lines


def broken(folder):
    """Return a student whose forces have the wrong sign and pull all atoms together."""
    model = load_student(student_path())
    with torch.no_grad():
        model.scale_shift.scale *= -1.0
    save_student(model, folder / "broken.safetensors")
    return folder / "broken.safetensors"


def test_a_student_that_collapses_in_its_validation_has_failed(run, tmp_path):
    """The distillation ended with the error of the potential."""
    distillation, _ = run
    crystals = {"LiF": known_crystals()["LiF"]}
    found, frames = validate_student(distillation, broken(tmp_path), crystals)
    assert frames == found.errors == found.cells == []
    assert found.drift is None
    assert "closer than" in found.failure
    assert all(hot.failure == "two atoms collapsed" for hot in found.hot_runs)


def test_hot_runs_of_a_stable_and_of_a_broken_student(run, tmp_path):
    distillation, lines = run
    subject = Subject(("LiF",), {"LiF": known_crystals()["LiF"]}, "Li")
    assert stability_frames(distillation, subject, student_path(), 1) == []
    assert lines[-1] == "stability 1: 0 of 2 runs of 0.1 ps at 1875 K failed"

    kept = stability_frames(distillation, subject, broken(tmp_path), 2)
    assert any(line == "stability 2: 2 of 2 runs of 0.1 ps at 1875 K failed" for line in lines)
    assert 0 < len(kept) <= distillation.settings.stability.kept
    assert any(atoms.info.get("before_failure") for atoms in kept)
    assert all(np.isfinite(atoms.arrays["REF_forces"]).all() for atoms in kept)
    assert {atoms.info["temperature_K"] for atoms in kept} == {1875}
    again = replace(distillation, clock=DistillClock({}, tmp_path, lines.append))
    repeated = stability_frames(again, subject, tmp_path / "broken.safetensors", 2)
    assert [a.info["REF_energy"] for a in repeated] == [a.info["REF_energy"] for a in kept]
