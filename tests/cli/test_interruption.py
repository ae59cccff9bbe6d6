"""Ctrl-C of a real process, and the message of an interrupted command."""

import os
import signal
import subprocess
import sys
import time

import pytest

from vitrion.cli.interruption import EXIT_INTERRUPTED, interruption, program_name

PROGRAM = "import sys; from vitrion.cli import main; sys.argv[0] = 'vitrion'; main()"
LIMIT_S = 600.0


def test_ctrl_c_states_the_command_that_resumes(tmp_path):
    words = ["run", "LiF", "--phase", "crystal", "--structure", "known", "--no-landscape"]
    words += ["--duration", "50", "--workers", "1", "--store", "my results"]
    # pytest may ignore SIGINT in the background, which children inherit.
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "80"},
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    started = time.monotonic()
    while not list(tmp_path.glob("my results/runs/*/jobs/*")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() - started < LIMIT_S, "the run did not start"
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: workers too
    _, said = process.communicate(timeout=LIMIT_S)
    assert process.returncode == EXIT_INTERRUPTED == 130
    assert "Interrupted. Finished steps and checkpoints are kept" in said
    command = "vitrion run LiF --phase crystal --structure known --no-landscape --duration 50"
    assert f"  {command} --workers 1 --store 'my results'\n" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("command", ["query", None])
def test_what_cannot_be_resumed_does_not_say_so(command):
    assert interruption(command, ["vitrion", "query"]) == "Interrupted."


@pytest.mark.parametrize("command", ["run", "screen", "search", "defects", "distill"])
def test_every_command_that_can_be_resumed_says_how(command):
    said = interruption(command, ["vitrion", command, "my list.csv"])
    assert said.endswith(f"\n  vitrion {command} 'my list.csv'")


def test_the_program_is_named_so_that_the_shell_finds_it(tmp_path, monkeypatch):
    program = tmp_path / "vitrion"
    program.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(program), "run"])
    monkeypatch.setenv("PATH", "")
    assert program_name() == str(program)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program_name() == "vitrion"
