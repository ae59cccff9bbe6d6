"""Checks of this machine, with a remedy for each failure."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vitrion.errors import VitrionError
from vitrion.runtime.cores import usable_cores
from vitrion.runtime.counts import counted

if TYPE_CHECKING:
    from collections.abc import Callable

Status = Literal["ok", "note", "fault"]


@dataclass(frozen=True)
class Finding:
    """Result of one check.

    Attributes
    ----------
    subject : str
        Subject of the check.
    status : {"ok", "note", "fault"}
        A note limits the available features; a fault prevents `vitrion run`.
    detail : str
        Finding, and the remedy if it is not ok.
    """

    subject: str
    status: Status
    detail: str


def examine() -> list[Finding]:
    """Check everything that a run depends on; takes seconds, because it loads a potential."""
    return [_checked(subject, check) for subject, check in _CHECKS.items()]


def _checked(subject: str, check: Callable[[], tuple[Status, str]]) -> Finding:
    try:
        return Finding(subject, *check())
    except VitrionError as error:
        return Finding(subject, "fault", str(error))
    except Exception as error:  # a damaged installation raises errors of many types
        return Finding(subject, "fault", f"{type(error).__name__}: {error}")


def _python() -> tuple[Status, str]:
    return "ok", f"{platform.python_version()}, {counted(usable_cores(), 'core')} to use"


def _torch() -> tuple[Status, str]:
    try:
        import torch
    except ImportError as error:
        return "fault", f"{error}: pip install torch==2.13.0"
    return "ok", torch.__version__


def _device() -> tuple[Status, str]:
    from vitrion.potentials import device_neighbors
    from vitrion.potentials.devices import torch_device
    from vitrion.settings import get_settings

    setting = get_settings().device
    device = torch_device(setting)
    if device == "cpu":
        return (
            "ok",
            "cpu" if setting == device else f"{setting}: no GPU, everything runs on the CPU",
        )
    import torch

    gpu = f"{setting}: {torch.cuda.get_device_name(device)}, runs of dynamics are batched"
    if setting == "auto":
        gpu += "; potentials with native evaluation run on the CPU"
    if device_neighbors.is_available():
        return "ok", f"{gpu}; neighbor lists by torch-sim on the GPU"
    remedy = "pip install 'vitrion[gpu]' with Python 3.12 or later"
    return "note", f"{gpu}; neighbor lists on the CPU: {remedy}"


def _packmol() -> tuple[Status, str]:
    from vitrion.amorphous.packmol import find_packmol

    return "ok", find_packmol()


def _potential() -> tuple[Status, str]:
    from vitrion.potentials import get_potential, load_calculator

    spec = get_potential()
    load_calculator(spec)
    return "ok", f"{spec.name} {spec.version} loads, and its hash is correct"


def _evaluation() -> tuple[Status, str]:
    from vitrion.potentials.calculators import evaluation_of_potential

    name, reason = evaluation_of_potential()
    if name is None:
        return "note", "torch, or the native kernel: determined when it is loaded"
    if reason is None:
        return "ok", name
    return "note", f"{name}, about 30 times slower than the kernel: {reason}"


def _second_opinion() -> tuple[Status, str]:
    try:
        return "ok", f"CHGNet {version('chgnet')} compares the forces"
    except PackageNotFoundError:
        text = "CHGNet is not installed, so forces are not compared: pip install 'vitrion[chgnet]'"
        return "note", text


def _foundation_models() -> tuple[Status, str]:
    from vitrion.potentials.mace_import import import_mace

    import_mace()
    from mace.tools.utils import get_cache_dir

    files = sorted(Path(get_cache_dir()).glob("*model*")) if Path(get_cache_dir()).is_dir() else []
    if files:
        return "ok", f"{len(files)} in {get_cache_dir()}"
    return "note", "none downloaded: a name such as mace:medium-mpa-0 downloads it at first use"


def _store() -> tuple[Status, str]:
    from vitrion.settings import get_settings

    folder = get_settings().store.expanduser().absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as exc:
        return "fault", f"{folder} cannot be written ({exc.strerror})"
    free = shutil.disk_usage(existing).free / 2**30
    return "ok" if free > 2 else "note", f"{folder}, {free:.0f} GB free"


def _fireworks() -> tuple[Status, str]:
    try:
        text = f"FireWorks {version('fireworks')}"
    except PackageNotFoundError:
        return "note", "not installed (for clusters): pip install 'vitrion[fireworks]'"
    config = os.environ.get("FW_CONFIG_FILE") or Path("~/.fireworks/FW_config.yaml").expanduser()
    if Path(config).is_file():
        return "ok", f"{text}, configured by {config}"
    return "note", f"{text}, no launchpad set up (clusters only)"


_CHECKS: dict[str, Callable[[], tuple[Status, str]]] = {
    "Python": _python,
    "torch": _torch,
    "device": _device,
    "packmol": _packmol,
    "potential": _potential,
    "evaluation": _evaluation,
    "second opinion": _second_opinion,
    "MACE foundation models": _foundation_models,
    "store": _store,
    "FireWorks": _fireworks,
}
