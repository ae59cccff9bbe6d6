"""Description of a potential, stored with every result."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from vitrion.errors import InputError, PotentialError

if TYPE_CHECKING:
    from collections.abc import Iterator

MACE_PREFIX = "mace:"
"""Start of the names of models of mace-torch, and of files of the user."""


class PotentialSpec(BaseModel):
    """Identity and limits of a potential."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="Name in the registry, such as chgnet or mace:/models/my.model.")
    backend: str = Field(description="Program that evaluates it: chgnet or mace.")
    version: str = Field(description="Version of the weights as their authors name it.")
    path: Path | None = Field(
        None, description="Weights file; None before the download of a named model."
    )
    sha256: str | None = Field(
        None, description="Expected SHA-256 of the weights file; None if unknown."
    )
    elements: tuple[str, ...] | None = Field(
        None, description="Symbols of the supported elements; None until the weights are loaded."
    )
    functional: str = Field(description="Exchange-correlation functional of its training labels.")
    training_set: str = Field(description="Description of the training set.")
    cutoff_A: float | None = Field(None, description="Cutoff radius of one message step, in A.")
    license: str = Field(description="License of the weights.")
    citation: str = Field(description="Reference to cite.")

    @property
    def is_user_file(self) -> bool:
        """Whether the user named the file: its faults are bad input, not a damaged package."""
        return self.path is not None and self.name.startswith(MACE_PREFIX)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as a hexadecimal string."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextmanager
def naming(spec: PotentialSpec) -> Iterator[None]:
    """Turn faults of a file that the user named into bad input.

    Raises
    ------
    InputError
        In place of a PotentialError about such a file.
    """
    try:
        yield
    except PotentialError as error:
        if not spec.is_user_file:
            raise
        raise InputError(str(error)) from error


def verify_file(spec: PotentialSpec) -> Path:
    """Return the weights file after comparing it with its recorded hash.

    Raises
    ------
    InputError, PotentialError
        If the file is missing or its hash is not the recorded one: an InputError if the user named
        the file.
    """
    with naming(spec):
        if spec.path is None or not spec.path.is_file():
            raise PotentialError(f"The weights file {spec.path} of '{spec.name}' does not exist.")
        if spec.sha256 is not None and (found := sha256_of(spec.path)) != spec.sha256:
            remedy = "name the right file or hash" if spec.is_user_file else "download it again"
            raise PotentialError(
                f"The weights file {spec.path} has SHA-256 {found[:12]}..., not the expected "
                f"{spec.sha256[:12]}...: {remedy}."
            )
    return spec.path
