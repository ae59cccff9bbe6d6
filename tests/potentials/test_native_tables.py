"""Which models the native kernel takes, and tables that are missing, damaged or kept on disk."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from helpers.native_models import random_model
from vitrion.errors import InputError, PotentialError
from vitrion.potentials.native import (
    NativeCalculator,
    NativeModel,
    Tables,
    TableSource,
    choose_variant,
    extract,
    kernel_library,
    usable_variants,
    why_not,
)
from vitrion.potentials.native.table_source import cache_folder

needs_kernel = pytest.mark.skipif(not usable_variants(), reason="the kernel was not compiled")


@pytest.fixture(scope="module")
def model():
    return random_model(max_ell=1, channels=8)


@pytest.fixture(scope="module")
def tables(model):
    return extract(model, [3, 8])


def test_models_out_of_scope_are_refused_with_the_reason(model):
    assert why_not(model) is None
    for changes, words in (
        ({"correlation": 4, "max_ell": 1}, "its correlation is 4, beyond 3"),
        ({"max_ell": 4}, "l = 4, beyond 3"),
        (
            {"interaction_cls": "RealAgnosticDensityResidualInteractionBlock"},
            "its interaction is a",
        ),
    ):
        other = random_model(**changes)
        assert words in why_not(other)
        with pytest.raises(PotentialError, match="cannot be evaluated natively"):
            extract(other, [3])


def test_vectors_as_node_features_are_out_of_scope():
    from helpers.native_models import DESCRIPTION
    from vitrion.potentials.student import build_model

    other = build_model(DESCRIPTION | {"hidden_irreps": "8x0e + 8x1o", "max_ell": 1})
    assert "not scalars" in why_not(other)


@needs_kernel
def test_damaged_tables_are_refused_in_a_sentence(tables):
    def broken(name: str, change) -> Tables:
        arrays = {k: v.copy() for k, v in tables.arrays.items()}
        arrays[name] = change(arrays[name])
        return dataclasses.replace(
            tables, arrays={k: v for k, v in arrays.items() if v is not None}
        )

    def with_nan(array):
        array.flat[3] = np.nan
        return array

    for name, change, words in (
        ("1.radial", with_nan, r"'1.radial' of the potential is damaged: it holds NaN\."),
        ("0.mix", lambda a: 1e35 + a, "damaged: it holds a value above 1e30"),
        ("1.up", lambda a: a[1:], "'1.up' of the potential has 56 values, not 64"),
        ("offset", lambda a: None, "'offset' of the potential is missing"),
    ):
        with pytest.raises(PotentialError, match=words):
            NativeModel(broken(name, change))
    wrong = dataclasses.replace(tables, sizes=tables.sizes | {"l_max": 4})
    with pytest.raises(PotentialError, match="l_max of 0 to 3"):
        NativeModel(wrong)


def test_tables_are_kept_on_disk_and_made_again_when_damaged(model, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls = []

    def load():
        calls.append(1)
        return model

    first = TableSource(load, [3, 8, 15], "ab" * 32).tables([8, 3])
    again = TableSource(load, [3, 8, 15], "ab" * 32).tables([3, 8])
    assert len(calls) == 1
    assert again.elements == (3, 8) == first.elements
    assert again.sizes == first.sizes
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)

    (path,) = cache_folder().glob("*.npz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="is damaged"):
        TableSource(load, [3, 8, 15], "ab" * 32).tables([3, 8])
    assert len(calls) == 2
    TableSource(load, [3, 8, 15], "cd" * 32).tables([3, 8])  # another file
    assert len(calls) == 3


def test_unknown_elements_are_refused(model):
    with pytest.raises(InputError, match=r"atomic numbers \[9\]"):
        TableSource(lambda: model, [3, 8, 15]).tables([3, 9])


@needs_kernel
def test_elements_that_come_later_are_added(model):
    from ase import Atoms

    calculator = NativeCalculator(TableSource(lambda: model, [3, 8, 15]))
    pair = Atoms("LiO", [[0, 0, 0], [0, 0, 2]])
    calculator.calculate(pair, ["energy"])
    before = calculator.results["energy"]
    calculator.calculate(Atoms("PO", [[0, 0, 0], [0, 0, 2]]), ["energy"])
    calculator.calculate(pair, ["energy"])
    assert calculator.results["energy"] == pytest.approx(before, abs=1e-5)


def test_the_switch_chooses_the_variant(monkeypatch):
    monkeypatch.setenv(kernel_library.SWITCH, "0")
    assert choose_variant() == (None, "VITRION_NATIVE=0 asks for torch")
    monkeypatch.setenv(kernel_library.SWITCH, "sse9")
    with pytest.raises(InputError, match="VITRION_NATIVE=sse9 is not available here"):
        choose_variant()
    for variant in usable_variants():
        monkeypatch.setenv(kernel_library.SWITCH, variant)
        assert choose_variant() == (variant, "")


def test_without_a_compiler_the_reason_is_stated(monkeypatch, tmp_path):
    monkeypatch.delenv(kernel_library.SWITCH, raising=False)
    monkeypatch.setattr(kernel_library, "library_path", lambda variant: tmp_path / variant)
    assert choose_variant() == (
        None,
        "the kernel was not compiled (no C++ compiler when vitrion was installed)",
    )
