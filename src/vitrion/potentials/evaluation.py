"""Select the evaluation of a MACE model: the native kernel if supported, otherwise torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrion.potentials.devices import AUTO, torch_device
from vitrion.potentials.native import NativeCalculator, TableSource, choose_variant, why_not
from vitrion.potentials.native.kernel_library import evaluation_name

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from vitrion.potentials.mace_model import MACEModel


def why_torch(device: str = "cpu", dtype: str = "float32") -> str | None:
    """Return why the native kernel is unavailable here, for any model; None if available.

    Raises
    ------
    InputError
        If ``VITRION_NATIVE`` names a variant that is not available.
    """
    if device not in ("cpu", AUTO):
        return f"the device is {device}"
    if dtype != "float32":
        return f"the kernel computes in float32, not {dtype}"
    variant, reason = choose_variant()
    return reason if variant is None else None


def native_evaluation() -> str:
    """Return the name of native evaluation here, such as ``native avx512 1``."""
    variant, _ = choose_variant()
    return evaluation_name(variant or "")


def calculator_of(
    model: MACEModel, *, device: str = "cpu", dtype: str = "float32", sha256: str | None = None
) -> Calculator:
    """Return the fastest calculator of a MACE module.

    Parameters
    ----------
    model
        A ``ScaleShiftMACE`` module with one head.
    device, dtype
        The native kernel computes in float32 on the CPU (``cpu`` or ``auto``); torch does
        everything else.
    sha256
        Hash of the file of the module; its native tables are then kept on disk.
    """
    if (why_torch(device, dtype) or why_not(model)) is None:
        return NativeCalculator(TableSource(lambda: model, model.atomic_numbers, sha256))
    from vitrion.potentials.torch_mace import TorchMACECalculator

    return TorchMACECalculator(model, device=torch_device(device), dtype=dtype)
