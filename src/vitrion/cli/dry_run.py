"""Output of ``--dry-run``: complete recipes with their plans as comments."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.flows.recipe import Recipe


def print_plans(recipes: Sequence[Recipe]) -> None:
    """Print complete recipes as YAML, each preceded by its plan as comments."""
    from vitrion.flows.run_plan import plan_lines

    for number, recipe in enumerate(recipes):
        if number:
            print("---")
        for line in plan_lines(recipe):
            print(f"# {line}")
        print(recipe.to_yaml(), end="")
