"""One simulation in a process of its own, to be killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers.pair_potentials import argon, lennard_jones
from vitrion.dynamics.engine import run_md

if TYPE_CHECKING:
    from pathlib import Path

    from vitrion.dynamics.md_settings import MDSettings


def run_argon(folder: Path, settings: MDSettings) -> None:
    """Run the dynamics of argon, or resume them."""
    run_md(argon(), lennard_jones(), settings, folder)
