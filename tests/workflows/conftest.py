"""Runs a workflow of the repository as a user does, in this process."""

import sys
from pathlib import Path

import pytest

from helpers.scripts import load_script

WORKFLOWS = Path(__file__).parents[2] / "workflows"


@pytest.fixture
def run_workflow(tmp_path, monkeypatch, capsys):
    """Return a function that runs a workflow by name with arguments and returns what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VITRION_STORE", raising=False)

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        capsys.readouterr()
        load_script(WORKFLOWS / f"{name}.py").main()
        return capsys.readouterr().out

    return run
