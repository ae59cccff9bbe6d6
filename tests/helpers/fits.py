"""Fits in the process of the test: a program of their own takes seconds to import torch."""

from contextlib import redirect_stdout
from pathlib import Path

from vitrion.distill.train.fit_program import Fit


def run_here(commands, logs, environment, *, on_wait):
    """Do what the program of a fit does; takes the place of ``run_together``."""
    ((*_, begin, device, rank, ranks, _),), (log,) = commands, logs
    with log.open("a") as output, redirect_stdout(output):
        Fit(Path(begin), int(rank), int(ranks), device).run()
    on_wait()
