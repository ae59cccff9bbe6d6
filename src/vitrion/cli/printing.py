"""The terminal of the commands."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

console = Console(markup=False)
error_console = Console(stderr=True, markup=False)


def say(line: str | Text, on: Console = console) -> None:
    """Print a line as it is: not wrapped, and without highlighted numbers."""
    on.print(line, highlight=False, soft_wrap=True)


def say_error(sentence: str) -> None:
    """Print the sentence of an error on standard error."""
    say(Text.assemble(("Error:", "red"), f" {sentence}"), error_console)
