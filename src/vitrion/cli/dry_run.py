"""Output of ``--dry-run``: complete recipes with their plans as comments."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.distill.distill_settings import DistillSettings
    from vitrion.flows.recipe import Recipe


def print_plans(
    recipes: Sequence[Recipe], workers: int | None = None, *, student: DistillSettings | None = None
) -> None:
    """Print complete recipes as YAML, each preceded by its plan as comments.

    Parameters
    ----------
    recipes : sequence of Recipe
    workers : int, optional
        Number of processes for the expected time; None leaves it out.
    student : DistillSettings, optional
        Settings of the student that the runs will use, if it does not exist yet; the recipes have
        its teacher.
    """
    from vitrion.flows.run_plan import expectation_line, measured_cost, plan_lines

    for number, recipe in enumerate(recipes):
        if number:
            print("---")
        for line in plan_lines(recipe):
            print(f"# {line}")
        if workers is not None:
            speed = None if student is None else student.begin
            print(f"# {expectation_line(*measured_cost(recipe, as_fast_as=speed), workers)}")
        changes = {}
        if student is not None:  # its file has no hash yet
            changes = {"potential": student.student_name, "potential_sha256": None}
        print(recipe.model_copy(update=changes).to_yaml(), end="")


def print_search_plan(recipe: Recipe, workers: int) -> None:
    """Print the part of a recipe that a search uses as YAML, preceded by its plan as comments.

    Parameters
    ----------
    recipe : Recipe
        With formula and potential.
    workers : int
        Number of processes; each runs a part of an iteration.
    """
    from vitrion.flows.run_plan import expectation_line, measured_cost, search_lines

    planned = recipe.replace(phase="crystalline", crystal=None, search_jobs=workers)
    for line in search_lines(planned):
        print(f"# {line}")
    print(f"# {expectation_line(*measured_cost(planned, search_only=True), workers)}")
    print(recipe.to_yaml("formula", "potential", "seed", "allow_unbalanced", "search"), end="")
