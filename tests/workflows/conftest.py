"""Runs a workflow of the repository as a user does, in this process."""

import importlib.util
import sys
from pathlib import Path

import pytest

WORKFLOWS = Path(__file__).parents[2] / "workflows"


@pytest.fixture
def run_workflow(tmp_path, monkeypatch, capsys):
    """Return a function that runs a workflow by name with arguments and returns what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VITRION_STORE", raising=False)

    def run(name, *arguments):
        module_name = f"workflow_{name}"
        spec = importlib.util.spec_from_file_location(module_name, WORKFLOWS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, module_name, module)
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        capsys.readouterr()
        spec.loader.exec_module(module)
        module.main()
        return capsys.readouterr().out

    return run
