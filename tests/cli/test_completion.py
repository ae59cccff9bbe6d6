"""Options of a fixed choice complete in the shell, and ``--version``."""

import os
import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from vitrion.cli import app

PROGRAM = "import sys; from vitrion.cli import main; sys.argv[0] = 'vitrion'; main()"


def completions(*words, incomplete=""):
    """Return what the shell offers after these words."""
    root = get_command(app)
    command, context = root, root.make_context("vitrion", [], resilient_parsing=True)
    for word in words[:-1] if words[-1].startswith("-") else words:
        command = command.commands[word]
        context = command.make_context(word, [], parent=context, resilient_parsing=True)
    option = words[-1]
    for parameter in command.params:
        if option in parameter.opts or not option.startswith("-"):
            return [item.value for item in parameter.shell_complete(context, incomplete)]
    raise AssertionError(f"no option {option}")


@pytest.mark.parametrize(
    ("words", "incomplete", "offered"),
    [
        (("run", "--phase"), "", ["both", "crystalline", "amorphous"]),
        (("run", "--preset"), "", ["quick", "standard", "paper"]),
        (("screen", "--preset"), "q", ["quick"]),
        (("submit", "--potential"), "vit", ["vitrion-lipof", "vitrion-lipof-pbe"]),
        (("query", "--format"), "", ["table", "jsonl", "csv"]),
        (("query", "--phase"), "a", ["amorphous"]),
        (("query", "--kind"), "cond", ["conductivity"]),
        (("report", "--format"), "", ["svg", "png", "pdf"]),
        (("analyze", "--format"), "p", ["png", "pdf"]),
        (("defects", "--kind"), "", ["interstitial", "vacancy", "frenkel"]),
        (("defects", "--barrier"), "v", ["vacancy"]),
        (("config", "init", "--store"), "", ["embedded", "gridfs", "s3"]),
        (("config", "init", "--queue"), "s", ["slurm", "sge"]),
        (("schema",), "amor", ["amorphous"]),
        (("potential", "show"), "chg", ["chgnet", "chgnet-r2scan"]),
    ],
)
def test_choices_are_completed(words, incomplete, offered):
    assert completions(*words, incomplete=incomplete)[: len(offered)] == offered


def test_the_shell_gets_them():
    environment = {
        **os.environ,
        "_VITRION_COMPLETE": "complete_bash",
        "COMP_WORDS": "vitrion run LiF --phase am",
        "COMP_CWORD": "4",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment
    )
    assert done.stdout.split() == ["amorphous"]


def test_version():
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.output == f"vitrion {version('vitrion')}\n"
