"""The keywords that change a recipe, as editors and type checkers know them, are its fields."""

from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from ase import Atoms
from pydantic import BaseModel
from pymatgen.core import Composition, Structure

from vitrion.chemistry import formulas
from vitrion.flows import recipe
from vitrion.flows.recipe import Recipe
from vitrion.flows.recipe_changes import PresetName, RecipeChanges
from vitrion.flows.recipe_file import PRESETS

CONVERTED = {
    "formula": {Composition, Mapping[Any, float]},
    "crystal": {Structure, Atoms},
}
"""Types that a field converts, besides its own."""


def choices(annotation):
    """Return the types of a union; a Literal is one type."""
    is_union = get_origin(annotation) in (Union, UnionType)
    return set(get_args(annotation)) if is_union else {annotation}


def accepted(name, annotation):
    """Return the types of a changed field: a dictionary for a part of a section or a structure."""
    own = choices(annotation)
    parts = {t for t in own if isinstance(t, type) and issubclass(t, BaseModel)}
    mappings = {Mapping[str, Any]} if parts or dict[str, Any] in own else set()
    return (own - {dict[str, Any]}) | mappings | CONVERTED.get(name, set())


@pytest.fixture(scope="module")
def declared():
    names = {**vars(recipe), "Composition": Composition, "Structure": Structure, "Atoms": Atoms}
    names["CompositionLike"] = eval(formulas.CompositionLike, names)
    return get_type_hints(RecipeChanges, localns=names)


def test_the_keywords_are_the_fields_in_their_order(declared):
    assert list(declared) == list(Recipe.model_fields)


@pytest.mark.parametrize("name", Recipe.model_fields)
def test_a_keyword_has_the_types_of_its_field(declared, name):
    field = get_type_hints(Recipe)[name]
    assert choices(declared[name]) == accepted(name, field)


def test_the_presets_are_the_files():
    assert set(get_args(PresetName)) == set(PRESETS.names())
