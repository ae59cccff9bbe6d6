"""Device of torch: the CPU, or a GPU that is detected."""

from __future__ import annotations

import re

from vitrion.errors import InputError
from vitrion.runtime.counts import counted
from vitrion.settings import DEVICE_PATTERN

AUTO = "auto"
"""The native kernel on the CPU for the models it supports; for others a GPU, if there is one."""


def torch_device(setting: str) -> str:
    """Return the device that torch uses: ``cpu``, ``cuda`` or ``cuda:1``.

    Parameters
    ----------
    setting : str
        The same, or ``auto``: the GPU if torch finds one, else the CPU.

    Raises
    ------
    InputError
        If there is no such device.
    """
    if not re.match(DEVICE_PATTERN, setting):
        raise InputError(f"The device must be auto, cpu, cuda or cuda:1, not '{setting}'.")
    if setting == "cpu":
        return setting
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if setting == AUTO:
        return "cuda" if count else "cpu"
    if int(setting.partition(":")[2] or 0) >= count:
        found = "finds no GPU" if not count else f"finds {counted(count, 'GPU')}, counted from 0"
        raise InputError(
            f"The device {setting} is not available: torch {found}; use --device auto or cpu."
        )
    return setting


def evaluation_in_torch(device: str) -> str:
    """Return the name of evaluation by torch on a device: ``torch`` (CPU) or ``torch cuda``."""
    return "torch" if device == "cpu" else f"torch {device.partition(':')[0]}"
