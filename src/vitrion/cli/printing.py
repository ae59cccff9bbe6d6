"""The terminal of the commands."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

console = Console(markup=False)
error_console = Console(stderr=True, markup=False)


def say(line: str | Text, on: Console = console) -> None:
    """Print a line as it is: not wrapped, and without highlighted numbers."""
    on.print(line, highlight=False, soft_wrap=True)


def new_table(*heads: str | Column, **options: Any) -> Table:
    """Return a table whose texts are wrapped in a narrow terminal; by default they are cut."""
    columns = [Column(head, overflow="fold") if isinstance(head, str) else head for head in heads]
    return Table(*columns, **options)


def say_error(sentence: str) -> None:
    """Print the sentence of an error on standard error."""
    say(Text.assemble(("Error:", "red"), f" {sentence}"), error_console)
