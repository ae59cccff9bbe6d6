"""Weights of a score net: one safetensors file with its card and a known hash."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from vitrion.errors import InputError, PotentialError
from vitrion.potentials.spec import sha256_of
from vitrion.runtime.atomic import write_durably

if TYPE_CHECKING:
    from vitrion.generation.diffusion.net import ScoreNet

SHIPPED = "vitrion-score"
"""Name of the weights shipped with the package."""


class ScoreNetCard(BaseModel):
    """Metadata of a weights file."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="Name of the weights.")
    config: dict[str, Any] = Field(description="Size of the network (NetConfig).")
    largest_noise_A: float = Field(description="Largest noise level of the training, in A.")
    smallest_noise_A: float = Field(description="Smallest noise level of the training, in A.")
    elements: dict[str, int] = Field(description="Number of training crystals with each element.")
    systems: list[str] = Field(
        description="Chemical systems with two or more nonmetals in training, such as Li-O-P."
    )
    training_set: str = Field(description="Description of the training set.")
    n_crystals: int = Field(description="Number of crystals in the training set.")
    epochs: float = Field(description="Number of passes over the training set.")
    held_out: list[str] = Field(
        default_factory=list, description="Formulas held out for validation."
    )
    validation_loss: float | None = Field(
        None, description="Mean squared error of sigma times the score on held-out formulas."
    )
    sha256: str | None = Field(None, description="SHA-256 of the file, set on reading.")


def save_weights(net: ScoreNet, card: ScoreNetCard, path: str | Path) -> str:
    """Write a network and its card; return the SHA-256 of the file."""
    from safetensors.torch import save

    state = {name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()}
    content = card.model_copy(update={"config": asdict(net.config), "sha256": None})
    write_durably(Path(path), save(state, metadata={"card": content.model_dump_json()}))
    return sha256_of(Path(path))


def load_weights(
    weights: str | Path = SHIPPED, *, sha256: str | None = None, device: str = "cpu"
) -> tuple[ScoreNet, ScoreNetCard]:
    """Read a network.

    Parameters
    ----------
    weights : str or path
        ``vitrion-score`` (shipped), or a safetensors file, optionally with ``#<sha256>``.
    sha256 : str, optional
        Expected hash; the hash of the shipped file is always checked.
    device : str
        Torch device.

    Raises
    ------
    InputError
        If the file is missing or is not a score net.
    PotentialError
        If its hash is not the expected one.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    from vitrion.generation.diffusion.net import NetConfig, ScoreNet

    path, expected = _locate(weights)
    expected = sha256 or expected
    found = sha256_of(path)
    if expected is not None and found != expected:
        raise PotentialError(
            f"The score net {path} has SHA-256 {found[:12]}..., not the expected "
            f"{expected[:12]}...: reinstall the package or download the file again."
        )
    try:
        with safe_open(str(path), framework="pt") as handle:
            card = ScoreNetCard.model_validate_json((handle.metadata() or {})["card"])
        net = ScoreNet(NetConfig(**card.config))
        net.load_state_dict(load_file(str(path)))
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as exc:
        raise InputError(f"{path} is not a score net of this version of vitrion: {exc}.") from exc
    return net.to(device).eval(), card.model_copy(update={"sha256": found})


def _locate(weights: str | Path) -> tuple[Path, str | None]:
    if str(weights) == SHIPPED:
        folder = Path(str(files("vitrion.generation") / "data"))
        recorded = json.loads((folder / "score_net.json").read_text())
        return folder / "score_net.safetensors", recorded["sha256"]
    name, _, sha256 = str(weights).partition("#")
    path = Path(name).expanduser()
    if not path.is_file():
        raise InputError(f"There is no score net '{name}': name a file, or {SHIPPED}.")
    return path, sha256 or None


def with_hash(weights: str) -> str:
    """Return a file as ``<absolute path>#<sha256>``, and the name of the shipped weights as it is.

    Raises
    ------
    InputError
        If the file is missing.
    """
    if weights == SHIPPED:
        return weights
    path, sha256 = _locate(weights)
    return f"{path.absolute()}#{sha256 or sha256_of(path)}"
