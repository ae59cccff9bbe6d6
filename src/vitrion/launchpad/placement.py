"""Set the folders and walltimes of a submitted flow's long jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from vitrion.errors import InputError
from vitrion.runtime.running_job import check_root

if TYPE_CHECKING:
    import os

    from jobflow import Flow, Job


@runtime_checkable
class _KeepsFiles(Protocol):
    """A Maker whose jobs keep their files in a subfolder of `root_dir`."""

    root_dir: str | None


@runtime_checkable
class _EndsInTime(Protocol):
    """A Maker whose jobs replace themselves by a job that resumes."""

    walltime_s: float | None


def place(
    flow: Flow | Job,
    *,
    root_dir: str | os.PathLike[str] | None = None,
    walltime_s: float | None = None,
) -> None:
    """Make the long jobs of a flow resumable on other workers.

    A job that is rerun after its walltime or a kill resumes from its files under `root_dir`, in any
    launch directory.

    Parameters
    ----------
    flow
        Flow whose Makers, including nested ones, are changed.
    root_dir
        Folder shared by all workers; None keeps the setting of the flow.
    walltime_s
        Seconds after which a job of molecular dynamics or defects stops at a checkpoint and
        replaces itself by a job that resumes; None keeps the setting of the flow.

    Raises
    ------
    InputError
        If the folder is not an absolute path, or the walltime is not positive.
    """
    if walltime_s is not None and not walltime_s > 0:
        raise InputError(f"The walltime must be positive, not {walltime_s:g} s.")
    root_dir = check_root(root_dir)
    changes: list[tuple[str, Any, type]] = []
    if root_dir is not None:
        changes.append(("root_dir", root_dir, _KeepsFiles))
    if walltime_s is not None:
        changes.append(("walltime_s", walltime_s, _EndsInTime))
    for name, value, maker_kind in changes:
        flow.update_maker_kwargs({name: value}, class_filter=maker_kind)
