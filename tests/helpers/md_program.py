"""Runs one simulation in a process of its own, to be killed: python md_program.py DIR SETTINGS."""

import sys

from helpers.pair_potentials import argon, lennard_jones
from vitrion.dynamics.engine import run_md
from vitrion.dynamics.md_settings import MDSettings

if __name__ == "__main__":
    settings = MDSettings.model_validate_json(sys.argv[2])
    run_md(argon(), lennard_jones(), settings, sys.argv[1])
