"""Ctrl-C: a message with the command that resumes the run, and exit code 130."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from vitrion.cli.printing import error_console, say

EXIT_INTERRUPTED = 130
RESUMABLE = frozenset({"run", "screen", "search", "defects", "distill"})
"""Commands that resume when they are repeated."""


class InterruptibleGroup(TyperGroup):
    """Commands that Ctrl-C ends with a message and exit code 130."""

    def invoke(self, ctx: Any) -> Any:  # Context of click, or of typer's own copy of click
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            message = interruption(ctx.invoked_subcommand, [program_name(), *sys.argv[1:]])
            say(message, error_console)
            raise typer.Exit(EXIT_INTERRUPTED) from None


def interruption(command: str | None, words: list[str]) -> str:
    """Return the message of an interrupted command.

    Parameters
    ----------
    command : str or None
        Name of the command.
    words : list of str
        The program, the command and its arguments, as typed.
    """
    if command not in RESUMABLE:
        return "Interrupted."
    return (
        "Interrupted. Finished steps and checkpoints are kept; to resume the run:\n"
        f"  {shlex.join(words)}"
    )


def program_name() -> str:
    """Return how the shell finds this program: ``vitrion``, or the path if it is not on PATH."""
    path = Path(sys.argv[0])
    found = shutil.which(path.name)
    if found is None or (path.exists() and not path.samefile(found)):
        return sys.argv[0]
    return path.name
