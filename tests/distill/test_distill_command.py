"""A whole distillation by the command, killed in the middle."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

SMALL = (
    "sampling.seed_cells=3 sampling.candidates=1 sampling.iterations=1 sampling.runs=2 "
    "sampling.run_ps=0.2 sampling.n_atoms=16 first_fit.epochs=6 last_fit.epochs=12 "
    "stability.runs=2 stability.run_ps=0.2 stability_fit.epochs=2 "
    "validation.hot_ps=0.5 validation.drift_ps=0.2 validation.n_atoms=24"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "teacher", ["vitrion-lipof", "vitrion.potentials.student:student_calculator"]
)
def test_a_killed_distillation_resumes_and_registers_a_student(tmp_path, teacher):
    """With a teacher of the registry, and with one in a program of its own."""
    environment = {**os.environ, "VITRION_STUDENTS": str(tmp_path / "students")}
    settings = [word for each in SMALL.split() for word in ("--set", each)]
    program = [sys.executable, "-c", "from vitrion.cli import main; main()"]
    arguments = ["distill", "LiF", "--teacher", teacher, "--name", "lif-small"]
    where = ["--preset", "quick", "--workers", "2", "--store", str(tmp_path / "store")]
    command = [*program, *arguments, *where, *settings]
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    deadline = time.monotonic() + 600
    while not list(tmp_path.glob("store/distill/*/fit-0/state.pt")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = next(tmp_path.glob("store/distill/*/first/000.xyz"))
    made = first.stat().st_mtime_ns
    assert not (tmp_path / "students").exists()

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert first.stat().st_mtime_ns == made
    assert "left" in done.stdout
    card = json.loads((tmp_path / "students" / "lif-small.json").read_text())
    errors = {entry["regime"]: entry["force_rmse_meV_per_A"] for entry in card["validation"]}
    assert all(error < 600 for error in errors.values())
    assert [run.get("failure") for run in card["hot_runs"]] == [None, None]
    assert set(card["times_s"]) >= {"fit-0", "fit-1"}
    shown = [*program, "run", "LiF", "--potential", "lif-small", "--dry-run"]
    plan = subprocess.run(shown, env=environment, capture_output=True, text=True, check=True)
    assert "potential: lif-small" in plan.stdout
