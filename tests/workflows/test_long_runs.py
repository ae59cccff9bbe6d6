"""Failures of some runs of a list do not stop the others."""

import sys
from types import SimpleNamespace

import pytest

from helpers.pages import ROOT
from helpers.scripts import load_script
from vitrion.errors import BusyError, SimulationError
from vitrion.flows.recipe import Recipe
from vitrion.flows.run_recipe import RunResult, complete_recipe
from vitrion.runtime.runner import RunReport


def glass(*, crystallized):
    return SimpleNamespace(phase="amorphous", crystallized=crystallized)


FAILED = RunReport(errors={"choose glasses": "none is amorphous"})
RESULTS = {
    "busy": BusyError("Another process is using the folder."),
    "failed": SimulationError("atoms left the cell"),
    "one step failed": RunResult({"amorphous": [glass(crystallized=False)]}, FAILED),
    "crystallized": RunResult({"amorphous": [glass(crystallized=True)]}, FAILED),
    "done": RunResult({"amorphous": [glass(crystallized=False)]}, RunReport()),
}


def test_failures_are_reported_at_the_end(tmp_path, monkeypatch, capsys):
    module = load_script(ROOT / "workflows" / "long_runs.py")

    def run(recipe, *_, **__):
        result = list(RESULTS.values())[recipe.seed]
        if isinstance(result, Exception):
            raise result
        return result

    quick = complete_recipe(Recipe.from_preset("quick", formula="LiF", phase="amorphous"))
    named = [(name, quick.replace(seed=seed)) for seed, name in enumerate(RESULTS)]
    written = []
    monkeypatch.setattr(module, "recipes", lambda path: named)
    monkeypatch.setattr(module, "run_recipe", run)
    monkeypatch.setattr(module, "without_files", lambda document: document)
    monkeypatch.setattr(module, "write_documents", lambda file, found: written.append(file.name))
    monkeypatch.setattr(
        sys, "argv", ["x", str(tmp_path / "toy.yaml"), "--work", str(tmp_path / "work")]
    )
    with pytest.raises(SystemExit) as raised:
        module.main()
    assert str(raised.value).splitlines() == [
        "failed: atoms left the cell",
        "one step failed: choose glasses failed: none is amorphous",
    ]
    assert written == ["crystallized.jsonl.gz", "done.jsonl.gz"]
    assert "busy: another process is doing this run" in capsys.readouterr().out
