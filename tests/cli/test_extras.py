"""What a user reads who has not installed an extra, or an optional package of mace."""

from __future__ import annotations

import subprocess
import sys

import pytest

from vitrion.flows.glass_conductivity import second_opinion
from vitrion.flows.recipe import Recipe

WITHOUT = "import sys; sys.modules['{package}'] = None; from vitrion.cli import main; main()"


@pytest.mark.parametrize(
    ("package", "extra", "command"),
    [
        ("fireworks", "fireworks", ["status"]),
        ("fastapi", "serve", ["serve"]),
    ],
)
def test_command_without_its_extra_names_it(package, extra, command, tmp_path):
    program = WITHOUT.format(package=package)
    done = subprocess.run(
        [sys.executable, "-c", program, *command], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert f"This command needs {package}: pip install 'vitrion[{extra}]'." in done.stderr
    assert "Traceback" not in done.stderr


def test_forces_are_not_compared_without_chgnet(monkeypatch):
    recipe = Recipe.from_preset("quick", formula="LiPO2F2")
    assert second_opinion(recipe) == "chgnet"
    monkeypatch.setitem(sys.modules, "chgnet", None)
    assert second_opinion(recipe) is None


def test_the_doctor_prints_its_table_alone(tmp_path):
    """Mace prints a line about each optional package that is absent."""
    program = "from vitrion.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "doctor"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("┏")
    assert done.stderr == ""
