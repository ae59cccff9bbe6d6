"""Label the outputs of a run with its name, and find its documents in a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vitrion.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobflow import Flow, JobStore

    from vitrion.documents.base import VitrionDoc

RUNS_FOLDER = "runs"
"""Folder beside the store with one folder per run."""
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
"""Kinds of documents of a run."""
_WITHOUT: dict[str, dict[str, None]] = {"defects": {"relaxed_structures": None}}


def not_stored(run_id: str) -> StoreError:
    """Return the error for a finished run without documents in the store."""
    return StoreError(
        f"The run {run_id} is finished but its documents are not in the store: name the store of "
        "the run, or remove its folder to rerun it."
    )


def label_run(flow: Flow, run_id: str) -> None:
    """Label the outputs of a flow with the name of the run and the attempt."""
    flow.update_metadata({REQUEST_KEY: run_id, ATTEMPT_KEY: flow.uuid})


def find_documents(
    store: JobStore, run_id: str, kinds: Sequence[str] = KINDS
) -> dict[str, list[VitrionDoc]]:
    """Return the documents of a run by kind, oldest first.

    If a run was restarted from scratch, only its newest attempt is used.
    """
    from vitrion.database.kinds import document_classes

    store.ensure_index(f"metadata.{REQUEST_KEY}")  # otherwise every query scans all outputs
    criteria = {
        f"metadata.{REQUEST_KEY}": run_id,
        "output.property_name": {"$in": list(kinds)},
    }
    newest: dict[str, tuple[str | None, dict[str, Any]]] = {}
    attempt: str | None = None
    for found in store.query(criteria, sort={"completed_at": 1}):
        attempt = found["metadata"].get(ATTEMPT_KEY)
        output = found["output"]
        # Relaxed defect structures are large and not needed here.
        output = {**output, **_WITHOUT.get(output["property_name"], {})}
        newest.pop(found["uuid"], None)  # a replacing job takes the later position
        newest[found["uuid"]] = attempt, output
    classes = document_classes()
    documents: dict[str, list[VitrionDoc]] = {}
    for made_by, output in newest.values():
        if made_by == attempt:
            kind = output["property_name"]
            documents.setdefault(kind, []).append(classes[kind].model_validate(output))
    return documents
