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

if TYPE_CHECKING:
    from collections.abc import Callable


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
    status: Literal["ok", "note", "fault"]
    detail: str


def examine() -> list[Finding]:
    """Check everything that a run depends on; takes seconds, because it loads a potential."""
    return [check() for check in _CHECKS]


def _python() -> Finding:
    text = f"{platform.python_version()}, {os.cpu_count()} cores"
    return Finding("Python", "ok", text)


def _torch() -> Finding:
    try:
        import torch
    except ImportError:
        return Finding("torch", "fault", "not installed: pip install torch==2.13.0")
    return Finding("torch", "ok", torch.__version__)


def _device() -> Finding:
    from vitrion.potentials import device_neighbors
    from vitrion.potentials.devices import torch_device
    from vitrion.settings import get_settings

    try:
        setting = get_settings().device
        device = torch_device(setting)
    except VitrionError as exc:
        return Finding("device", "fault", str(exc))
    if device == "cpu":
        found = "cpu" if setting == device else f"{setting}: no GPU, everything runs on the CPU"
        return Finding("device", "ok", found)
    import torch

    gpu = f"{setting}: {torch.cuda.get_device_name(device)}, runs of dynamics are batched"
    if setting == "auto":
        gpu += "; potentials with native evaluation run on the CPU"
    if device_neighbors.is_available():
        return Finding("device", "ok", f"{gpu}; neighbor lists by torch-sim on the GPU")
    remedy = "pip install 'vitrion[gpu]' with Python 3.12 or later"
    return Finding("device", "note", f"{gpu}; neighbor lists on the CPU: {remedy}")


def _packmol() -> Finding:
    from vitrion.amorphous.packmol import find_packmol

    try:
        return Finding("packmol", "ok", find_packmol())
    except VitrionError as exc:
        return Finding("packmol", "fault", str(exc))


def _potential() -> Finding:
    from vitrion.potentials import get_potential, load_calculator

    try:
        spec = get_potential()
        load_calculator(spec)
    except VitrionError as exc:
        return Finding("potential", "fault", str(exc))
    return Finding("potential", "ok", f"{spec.name} {spec.version} loads, and its hash is correct")


def _evaluation() -> Finding:
    from vitrion.potentials.calculators import evaluation_of_potential

    try:
        name, reason = evaluation_of_potential()
    except VitrionError as exc:
        return Finding("evaluation", "fault", str(exc))
    if name is None:
        return Finding(
            "evaluation", "note", "torch, or the native kernel: determined when it is loaded"
        )
    if reason is None:
        return Finding("evaluation", "ok", name)
    return Finding("evaluation", "note", f"{name}, about 30 times slower than the kernel: {reason}")


def _second_opinion() -> Finding:
    try:
        return Finding("second opinion", "ok", f"CHGNet {version('chgnet')} compares the forces")
    except PackageNotFoundError:
        text = "CHGNet is not installed, so forces are not compared: pip install 'vitrion[chgnet]'"
        return Finding("second opinion", "note", text)


def _foundation_models() -> Finding:
    from vitrion.potentials.mace_import import import_mace

    import_mace()
    from mace.tools.utils import get_cache_dir

    files = sorted(Path(get_cache_dir()).glob("*model*")) if Path(get_cache_dir()).is_dir() else []
    if files:
        return Finding("MACE foundation models", "ok", f"{len(files)} in {get_cache_dir()}")
    return Finding(
        "MACE foundation models",
        "note",
        "none downloaded: a name such as mace:medium-mpa-0 downloads it at first use",
    )


def _store() -> Finding:
    from vitrion.settings import get_settings

    try:
        folder = get_settings().store.expanduser().absolute()
    except VitrionError as exc:
        return Finding("settings", "fault", str(exc))
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as exc:
        return Finding("store", "fault", f"{folder} cannot be written ({exc.strerror})")
    free = shutil.disk_usage(existing).free / 2**30
    status: Literal["ok", "note"] = "ok" if free > 2 else "note"
    return Finding("store", status, f"{folder}, {free:.0f} GB free")


def _fireworks() -> Finding:
    try:
        text = f"FireWorks {version('fireworks')}"
    except PackageNotFoundError:
        text = "not installed (for clusters): pip install 'vitrion[fireworks]'"
        return Finding("FireWorks", "note", text)
    config = os.environ.get("FW_CONFIG_FILE") or Path("~/.fireworks/FW_config.yaml").expanduser()
    if Path(config).is_file():
        return Finding("FireWorks", "ok", f"{text}, configured by {config}")
    return Finding("FireWorks", "note", f"{text}, no launchpad set up (clusters only)")


_CHECKS: tuple[Callable[[], Finding], ...] = (
    _python,
    _torch,
    _device,
    _packmol,
    _potential,
    _evaluation,
    _second_opinion,
    _foundation_models,
    _store,
    _fireworks,
)
