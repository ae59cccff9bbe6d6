"""Output of ``--dry-run``: complete recipes with their plans as comments."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.flows.recipe import Recipe


def print_plans(recipes: Sequence[Recipe], workers: int | None = None) -> None:
    """Print complete recipes as YAML, each preceded by its plan as comments.

    Parameters
    ----------
    recipes : sequence of Recipe
    workers : int, optional
        Number of processes for the expected time; None leaves it out.
    """
    from vitrion.flows.run_plan import expectation_line, measured_cost, plan_lines

    for number, recipe in enumerate(recipes):
        if number:
            print("---")
        for line in plan_lines(recipe):
            print(f"# {line}")
        if workers is not None:
            print(f"# {expectation_line(*measured_cost(recipe), workers)}")
        print(recipe.to_yaml(), end="")
