"""Base class of the Makers that a recipe makes."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from jobflow import Maker

from vitrion.flows.recipe import Recipe

if TYPE_CHECKING:
    from typing import Self


class RecipeMaker(Maker):
    """A Maker whose parameters are those of a recipe."""

    @classmethod
    @abstractmethod
    def from_recipe(cls, recipe: Recipe) -> Self:
        """Make the Maker of a recipe."""

    @classmethod
    def from_preset(cls, preset: str = "standard", **changes: Any) -> Self:
        """Make the Maker of a preset.

        Parameters
        ----------
        preset : str
            ``quick``, ``standard`` or ``paper``.
        **changes
            Fields of the :class:`~vitrion.flows.recipe.Recipe` to set otherwise, such as
            ``seed=1`` or ``glass={"n_atoms": 48}``.

        Raises
        ------
        InputError
            If the preset or a field is unknown, or a value is not allowed.
        """
        return cls.from_recipe(Recipe.from_preset(preset, **changes))
