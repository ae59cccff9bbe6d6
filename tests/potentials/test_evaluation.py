"""Which calculator evaluates a potential, and what says so."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from ase.build import bulk

from helpers.native_models import DESCRIPTION, random_model
from vitrion.documents.provenance import Provenance
from vitrion.errors import InputError
from vitrion.potentials import load_calculator
from vitrion.potentials.calculators import evaluation_of_potential
from vitrion.potentials.evaluation import calculator_of
from vitrion.potentials.native import NativeCalculator, usable_variants
from vitrion.potentials.student import build_model, save_student
from vitrion.potentials.torch_mace import TorchMACECalculator

VARIANTS = usable_variants()
needs_kernel = pytest.mark.skipif(not VARIANTS, reason="the kernel was not compiled")


@pytest.fixture
def oxide():
    atoms = bulk("LiO", "rocksalt", a=4.2)
    atoms.rattle(0.05, seed=1)
    return atoms


def assert_agree(first, second, atoms):
    for calculator in (first, second):
        calculator.calculate(atoms, ["energy", "forces", "stress"])
    for name, bound in (("energy", 2e-5 * len(atoms)), ("forces", 5e-4), ("stress", 1e-5)):
        np.testing.assert_allclose(first.results[name], second.results[name], atol=bound)


@needs_kernel
def test_the_kernel_evaluates_the_shipped_potential(oxide, monkeypatch):
    native = load_calculator()
    assert native.evaluation == f"native {VARIANTS[0]} 1"
    monkeypatch.setenv("VITRION_NATIVE", "0")
    in_torch = load_calculator()
    assert in_torch.evaluation == "torch"
    assert_agree(native, in_torch, oxide)
    np.testing.assert_allclose(
        native.node_features(oxide), in_torch.node_features(oxide), atol=2e-5
    )


@needs_kernel
def test_every_variant_can_be_asked_for(oxide, monkeypatch):
    for variant in VARIANTS:
        monkeypatch.setenv("VITRION_NATIVE", variant)
        assert load_calculator().evaluation == f"native {variant} 1"
        assert evaluation_of_potential() == (f"native {variant} 1", None)


def test_torch_computes_in_float64_and_what_is_out_of_scope(oxide, tmp_path):
    assert load_calculator(dtype="float64").evaluation == "torch"
    save_student(random_model(channels=8, max_ell=4), tmp_path / "far.safetensors")
    name = f"mace:{tmp_path / 'far.safetensors'}"
    assert isinstance(load_calculator(name), TorchMACECalculator)
    assert evaluation_of_potential(name) == (
        "torch",
        "its harmonics go up to l = 4, beyond 3",
    )


@needs_kernel
@pytest.mark.usefixtures("pickles_trusted")
def test_models_of_mace_torch_are_evaluated_natively_if_their_features_are_scalars(oxide, tmp_path):
    scalars, vectors = tmp_path / "scalars.model", tmp_path / "vectors.model"
    torch.save(random_model(channels=8, max_ell=2, correlation=3), scalars)
    torch.save(build_model(DESCRIPTION | {"hidden_irreps": "8x0e + 8x1o"}), vectors)
    assert evaluation_of_potential(f"mace:{scalars}") == (None, None)
    native = load_calculator(f"mace:{scalars}", symbols=["Li", "O"])
    assert isinstance(native, NativeCalculator)
    assert_agree(native, load_calculator(f"mace:{scalars}", dtype="float64"), oxide)
    other = load_calculator(f"mace:{vectors}")
    assert other.evaluation == "torch"
    reason = evaluation_of_potential(f"mace:{vectors}")[1]
    assert "not scalars" in reason


@needs_kernel
def test_tables_once_made_are_enough(oxide):
    """A run with the shipped potential spares the seconds that torch and mace take to import."""
    load_calculator()
    program = (
        "import sys; from ase.build import bulk; from vitrion.potentials import load_calculator\n"
        "load_calculator(symbols=['Li', 'O']).get_stress(bulk('LiO', 'rocksalt', a=4.2))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_documents_name_what_evaluates(monkeypatch):
    monkeypatch.setenv("VITRION_NATIVE", "0")
    assert Provenance.collect("vitrion-lipof").evaluated_by == "torch"
    monkeypatch.delenv("VITRION_NATIVE")
    expected = f"native {VARIANTS[0]} 1" if VARIANTS else "torch"
    assert Provenance.collect("vitrion-lipof").evaluated_by == expected
    assert Provenance.collect("chgnet").evaluated_by == "torch"
    assert Provenance.collect().evaluated_by is None


def test_a_student_of_this_moment_has_a_calculator(oxide):
    model = random_model(channels=8, max_ell=1)
    assert_agree(calculator_of(model), calculator_of(model, dtype="float64"), oxide)


def test_a_broken_student_file_is_refused_when_it_is_loaded(tmp_path):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\x10" + bytes(100))
    with pytest.raises(InputError, match="does not hold a vitrion student"):
        load_calculator(f"mace:{broken}")
