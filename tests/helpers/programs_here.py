"""Programs of a distillation in the process of the test: imports take most of their time."""

import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from vitrion.distill.label import label_program
from vitrion.distill.train.fit_program import Fit


def fit_here(commands, logs, environment, *, on_wait):
    """Do what the program of a fit does; takes the place of ``run_together``."""
    ((*_, begin, device, rank, ranks, _),), (log,) = commands, logs
    with log.open("a") as output, redirect_stdout(output):
        Fit(Path(begin), int(rank), int(ranks), device).run()
    on_wait()


def label_here(command, log):
    """Do what the program of a teacher does; takes the place of ``run_checked``."""
    with (
        pytest.MonkeyPatch.context() as patch,
        log.open("a") as output,
        redirect_stdout(output),
    ):
        patch.setattr(sys, "argv", command[1:])
        patch.setattr(label_program, "end_with", lambda parent: None)  # it would end the tests
        assert label_program.main() == 0
