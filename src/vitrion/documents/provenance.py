"""Where a result comes from: potential, seeds, jobs and package versions."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PACKAGES = (
    "vitrion",
    "ase",
    "atomate2",
    "chgnet",
    "emmet-core",
    "jobflow",
    "mace-torch",
    "numpy",
    "pymatgen",
    "scipy",
    "torch",
)


def utc_now() -> datetime:
    """Return the time in UTC, naive and in whole milliseconds, which is what BSON can hold."""
    now = datetime.now(UTC).replace(tzinfo=None)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


@lru_cache(maxsize=1)
def _installed_versions() -> tuple[tuple[str, str], ...]:
    found = []
    for package in PACKAGES:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            continue
    return tuple(found)


def current_job_uuid() -> str | None:
    """Return the uuid of the jobflow job that is running in this process, or None."""
    jobflow = sys.modules.get("jobflow")  # nothing is running where it was never imported
    job = None if jobflow is None else jobflow.CURRENT_JOB.job
    return None if job is None else job.uuid


class PotentialProvenance(BaseModel):
    """The interatomic potential that gave the energies and forces."""

    name: str = Field(description="Name in vitrion's registry of potentials.")
    sha256: str | None = Field(
        None, description="SHA-256 of the model file; None where it has no file."
    )
    backend: str | None = Field(None, description="Program that evaluates it, e.g. mace or chgnet.")
    backend_version: str | None = Field(None, description="Version of that program.")
    functional: str | None = Field(None, description="Density functional it was trained on.")
    training_set: str | None = Field(None, description="Data it was trained on.")
    elements: list[str] | None = Field(None, description="Symbols of the elements it knows.")
    cutoff_A: float | None = Field(None, description="Interaction cutoff in A.")
    license: str | None = Field(None, description="License of the model file.")


class PotentialTrust(BaseModel):
    """How far the potential can be trusted for the run the document describes."""

    reference: str | None = Field(
        None, description="Potential or functional the errors are measured against."
    )
    n_frames: int | None = Field(None, description="Frames of this very run that were compared.")
    energy_mae_eV_per_atom: float | None = Field(
        None, description="Mean absolute error of the energy in eV/atom."
    )
    force_mae_eV_per_A: float | None = Field(
        None, description="Mean absolute error of a force component in eV/A."
    )
    out_of_range_fraction: float | None = Field(
        None, description="Fraction of the frames outside the range of the training set."
    )


class Provenance(BaseModel):
    """What is needed to find the origin of a document and to make it again."""

    potential: PotentialProvenance | None = Field(None, description="The interatomic potential.")
    seeds: dict[str, int] = Field(
        default_factory=dict, description="Random seed of each step that used one, by its name."
    )
    job_uuids: list[str] = Field(
        default_factory=list, description="Uuids of the jobs that made the document, in order."
    )
    package_versions: dict[str, str] = Field(
        default_factory=dict, description="Version of each package that takes part."
    )
    created_at: datetime = Field(
        default_factory=utc_now, description="Time of creation in UTC, whole milliseconds."
    )

    @classmethod
    def collect(
        cls,
        potential: PotentialProvenance | Mapping[str, Any] | None = None,
        *,
        seeds: Mapping[str, int] | None = None,
        job_uuids: Sequence[str] = (),
    ) -> Provenance:
        """Gather the provenance of a document that is being made now.

        Parameters
        ----------
        potential
            The potential, or a mapping with the fields of :class:`PotentialProvenance`.
        seeds
            Random seeds by the name of the step that used them.
        job_uuids
            Jobs whose outputs went into the document; the running job is appended.

        Returns
        -------
        Provenance
            With the versions of the installed packages and the present time.
        """
        running = current_job_uuid()
        uuids = list(dict.fromkeys([*job_uuids, *([running] if running else [])]))
        return cls(
            potential=potential,
            seeds=dict(seeds or {}),
            job_uuids=uuids,
            package_versions=dict(_installed_versions()),
        )
