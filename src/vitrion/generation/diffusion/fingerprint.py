"""Fingerprints of a training run, which detect a checkpoint of a different run."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from vitrion.generation.diffusion.net import NetConfig, ScoreNet
    from vitrion.generation.diffusion.train_settings import TrainSettings
    from vitrion.generation.diffusion.training_crystals import Crystal

MAY_CHANGE = frozenset({"wall_minutes", "checkpoint_minutes", "device"})
"""Settings that do not affect the trained weights."""


def fingerprints(
    crystals: Sequence[Crystal],
    settings: TrainSettings,
    config: NetConfig,
    held_out: Collection[str],
    start: ScoreNet | None,
) -> dict[str, str]:
    """Return the hashes that identify a training run.

    The order of the crystals and of the formulas does not matter.
    """
    chosen = {key: value for key, value in asdict(settings).items() if key not in MAY_CHANGE}
    weights = {} if start is None else start.state_dict()
    return {
        "training set": _digest(sorted(_digest(_arrays(crystal)) for crystal in crystals)),
        "settings": _digest([_written(chosen), _written(asdict(config))]),
        "held-out formulas": _digest(sorted(held_out)),
        "start": _digest(value.detach().cpu().numpy().tobytes() for value in weights.values()),
    }


def _arrays(crystal: Crystal) -> list[bytes]:
    return [
        np.ascontiguousarray(array).tobytes()
        for array in (crystal.numbers, crystal.fractional, crystal.lattice)
    ]


def _written(values: Mapping[str, object]) -> str:
    return repr(sorted(values.items()))


def _digest(parts: Iterable[str | bytes]) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part.encode() if isinstance(part, str) else part).digest())
    return whole.hexdigest()
