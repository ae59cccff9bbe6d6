"""Provenance of a result: potential, seeds, jobs and package versions."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from vitrion.potentials import PotentialSpec, describe_potential
from vitrion.potentials.calculators import evaluation_of_potential

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
    "torch-sim-atomistic",
)


def utc_now() -> datetime:
    """Return the time in UTC, naive and in whole milliseconds, as BSON stores it."""
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
    """Return the uuid of the jobflow job running in this process, or None."""
    jobflow = sys.modules.get("jobflow")  # no job is running if it was never imported
    job = None if jobflow is None else jobflow.CURRENT_JOB.job
    return None if job is None else job.uuid


class Provenance(BaseModel):
    """Data to trace a document to its origin and to reproduce it."""

    potential: PotentialSpec | None = Field(None, description="The interatomic potential.")
    evaluated_by: str | None = Field(
        None,
        description="What evaluated the potential: a variant of the native kernel, or torch.",
    )
    seeds: dict[str, int] = Field(default_factory=dict, description="Random seeds by step name.")
    job_uuids: list[str] = Field(
        default_factory=list, description="Uuids of the jobs that created the document, in order."
    )
    package_versions: dict[str, str] = Field(
        default_factory=dict, description="Versions of the packages that affect the result."
    )
    created_at: datetime = Field(
        default_factory=utc_now, description="Time of creation in UTC, whole milliseconds."
    )

    @property
    def potential_identity(self) -> tuple[str, str | None] | None:
        """Name and SHA-256 of the potential, equal on all machines, unlike its path."""
        return None if self.potential is None else (self.potential.name, self.potential.sha256)

    @classmethod
    def collect(
        cls,
        potential: PotentialSpec | str | None = None,
        *,
        seeds: Mapping[str, int] | None = None,
        job_uuids: Sequence[str] = (),
    ) -> Provenance:
        """Collect the provenance of a new document.

        Parameters
        ----------
        potential
            The potential or its name in the registry; the hash of its file is added.
        seeds
            Random seeds by step name.
        job_uuids
            Jobs whose outputs are used in the document; the running job is appended.

        Returns
        -------
        Provenance
            With the versions of the installed packages and the current time.
        """
        running = current_job_uuid()
        uuids = list(dict.fromkeys([*job_uuids, *([running] if running else [])]))
        return cls(
            potential=None if potential is None else describe_potential(potential),
            evaluated_by=None if potential is None else evaluation_of_potential(potential)[0],
            seeds=dict(seeds or {}),
            job_uuids=uuids,
            package_versions=dict(_installed_versions()),
        )

    @classmethod
    def derived(cls, source: Provenance, job_uuids: Sequence[str]) -> Provenance:
        """Collect the provenance of a document of others, without the file of the potential.

        Parameters
        ----------
        source
            Provenance with the potential and the seeds.
        job_uuids
            Jobs whose outputs are used in the document; the running job is appended.

        Returns
        -------
        Provenance
            With the versions of the installed packages and the current time.
        """
        found = cls.collect(seeds=source.seeds, job_uuids=job_uuids)
        kept = {"potential": source.potential, "evaluated_by": source.evaluated_by}
        return found.model_copy(update=kept)
