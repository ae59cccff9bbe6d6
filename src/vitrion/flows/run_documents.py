"""The documents of a run in a store: labelled with the name of the run, and found again by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vitrion.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobflow import Flow, JobStore

    from vitrion.documents.base import VitrionDoc

RUNS_FOLDER = "runs"
"""Folder beside the store that holds one folder for each run."""
REQUEST_KEY, ATTEMPT_KEY = "vitrion_request", "vitrion_attempt"
"""Metadata of the jobs of a run: its name, and the uuid of its flow."""
KINDS = (
    "conductivity",
    "amorphous",
    "polymorphs",
    "defects",
    "site_energy_landscape",
    "comparison",
)
"""Documents that make the result of a run."""
_WITHOUT: dict[str, dict[str, None]] = {"defects": {"relaxed_structures": None}}


def not_stored(run_id: str) -> StoreError:
    """Return the error of a run that is finished, but not in the store."""
    return StoreError(
        f"The run {run_id} is finished but its documents are not in the store: name the store it "
        "was made with, or remove its folder to run it again."
    )


def label_run(flow: Flow, run_id: str) -> None:
    """Label the outputs of a flow with the name of the run and the attempt."""
    flow.update_metadata({REQUEST_KEY: run_id, ATTEMPT_KEY: flow.uuid})


def find_documents(
    store: JobStore, run_id: str, kinds: Sequence[str] = KINDS
) -> dict[str, list[VitrionDoc]]:
    """Return what a store holds of a run's results, by kind, the newest of each last.

    If a run was restarted after its folder was removed, only its newest attempt counts.
    """
    from vitrion.database.kinds import document_classes

    store.ensure_index(f"metadata.{REQUEST_KEY}")  # else every output is read, for every run
    criteria = {
        f"metadata.{REQUEST_KEY}": run_id,
        "output.property_name": {"$in": list(kinds)},
    }
    newest: dict[str, tuple[str | None, dict[str, Any]]] = {}
    attempt: str | None = None
    for found in store.query(criteria, sort={"completed_at": 1}):
        attempt = found["metadata"].get(ATTEMPT_KEY)
        output = found["output"]
        # Large parts stay in their store: nobody reads relaxed defects off a table.
        output = {**output, **_WITHOUT.get(output["property_name"], {})}
        newest.pop(found["uuid"], None)  # what a job has replaced itself by comes in its order
        newest[found["uuid"]] = attempt, output
    classes = document_classes()
    documents: dict[str, list[VitrionDoc]] = {}
    for made_by, output in newest.values():
        if made_by == attempt:
            kind = output["property_name"]
            documents.setdefault(kind, []).append(classes[kind].model_validate(output))
    return documents
