"""Where the long jobs of a submitted flow keep their files, and when they make room for others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from vitrion.errors import InputError

if TYPE_CHECKING:
    import os

    from jobflow import Flow, Job


@runtime_checkable
class _KeepsFiles(Protocol):
    """A Maker whose jobs find their files again in a folder of their own under this one."""

    root_dir: str | None


@runtime_checkable
class _EndsInTime(Protocol):
    """A Maker whose jobs replace themselves by one that goes on."""

    walltime_s: float | None


def place(
    flow: Flow | Job,
    *,
    root_dir: str | os.PathLike[str] | None = None,
    walltime_s: float | None = None,
) -> None:
    """Make the long jobs of a flow fit for workers that come and go.

    A job that is run again, after a walltime or a kill and in whatever launch directory, goes on
    from what it has left under `root_dir`.

    Parameters
    ----------
    flow
        Its Makers are changed, those inside of other Makers too.
    root_dir
        Folder that all workers see; None leaves the flow as it is.
    walltime_s
        Seconds after which a job of molecular dynamics or defects ends at a checkpoint and replaces
        itself by one that goes on; None leaves the flow as it is.

    Raises
    ------
    InputError
        If the folder is not an absolute path, or the walltime is not positive.
    """
    if walltime_s is not None and not walltime_s > 0:
        raise InputError(f"A walltime is a positive time in s, not {walltime_s:g}.")
    if root_dir is not None and not Path(root_dir).is_absolute():
        raise InputError(
            f"The folder '{root_dir}' must be an absolute path: workers start anywhere."
        )
    changes: list[tuple[str, Any, type]] = []
    if root_dir is not None:
        changes.append(("root_dir", str(root_dir), _KeepsFiles))
    if walltime_s is not None:
        changes.append(("walltime_s", walltime_s, _EndsInTime))
    for name, value, maker_kind in changes:
        flow.update_maker_kwargs({name: value}, class_filter=maker_kind)
