"""Tables in a narrow terminal lose nothing."""

import io

from rich.console import Console

from vitrion.cli.printing import new_table
from vitrion.cli.results import rich_table
from vitrion.comparison.tables import make_table

NAME = "LiPO2F2-amorphous-8702cfae9e"


def printed(table, width):
    text = io.StringIO()
    Console(file=text, width=width).print(table)
    return text.getvalue()


def test_texts_are_wrapped_and_not_cut():
    own = new_table("run", *[f"column {k}" for k in range(5)])
    own.add_row(NAME, *["value"] * 5)
    result = rich_table(make_table("runs", ["run", *"abcdefgh"], [[NAME, *["value"] * 8]]))
    for table in (own, result):
        text = printed(table, 60)
        assert "\N{HORIZONTAL ELLIPSIS}" not in text
        cells = [line.split("\N{BOX DRAWINGS LIGHT VERTICAL}") for line in text.splitlines()]
        assert "".join(row[1].strip() for row in cells if len(row) > 2) == NAME
    assert NAME in printed(own, 120)
