"""Base class of the Makers that are created from a recipe."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from jobflow import Maker

from vitrion.flows.recipe import Recipe
from vitrion.runtime.notebook_display import NotebookTable

if TYPE_CHECKING:
    from typing import Self, Unpack

    from vitrion.flows.recipe_changes import PresetName, RecipeChanges


class RecipeMaker(NotebookTable, Maker):
    """A Maker that is created from a recipe."""

    @classmethod
    @abstractmethod
    def from_recipe(cls, recipe: Recipe) -> Self:
        """Create the maker of a recipe."""

    @classmethod
    def from_preset(cls, preset: PresetName = "standard", **changes: Unpack[RecipeChanges]) -> Self:
        """Create the maker of a preset.

        Parameters
        ----------
        preset : str
            ``quick``, ``standard`` or ``paper``.
        **changes
            Changed fields of the :class:`~vitrion.flows.recipe.Recipe`, such as
            ``seed=1`` or ``glass={"n_atoms": 48}``.

        Raises
        ------
        InputError
            If the preset or a field is unknown, or a value is not allowed.
        """
        return cls.from_recipe(Recipe.from_preset(preset, **changes))
