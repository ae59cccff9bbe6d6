"""The running job: its folder, the folder of a previous job, and the job that continues it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jobflow import CURRENT_JOB, Flow

from vitrion.errors import InputError

if TYPE_CHECKING:
    import os

    from jobflow import Job


def check_root(root_dir: str | os.PathLike[str] | None) -> str | None:
    """Return the parent of the folders of jobs as text; None unchanged.

    Raises
    ------
    InputError
        If the path is not absolute.
    """
    if root_dir is not None and not Path(root_dir).is_absolute():
        raise InputError(
            f"The folder '{root_dir}' must be an absolute path: workers start in other folders."
        )
    return None if root_dir is None else str(root_dir)


def job_folder(root_dir: str | None, kind: str) -> Path:
    """Return the folder of the running job: the same one whenever it is run again.

    Parameters
    ----------
    root_dir
        Its parent; None for the launch directory.
    kind
        First part of its name, before the uuid of the job.
    """
    root = Path.cwd() if root_dir is None else Path(root_dir)
    running = CURRENT_JOB.job
    return root / (kind if running is None else f"{kind}-{running.uuid}")


def resolve_prev_dir(prev_dir: str | Path | None) -> Path | None:
    """Return the local path of a previous directory, which may have a ``host:`` prefix.

    Raises
    ------
    InputError
        If the directory does not exist on this machine.
    """
    if prev_dir is None:
        return None
    from atomate2.utils.path import strip_hostname

    path = Path(strip_hostname(prev_dir))
    if not path.is_dir():
        raise InputError(f"The previous directory {prev_dir} does not exist on this machine.")
    return path


def continued(job: Job) -> Job:
    """Give a job the name of the running job, which it continues.

    A Maker's job has that name already, and jobflow would append to it again what ``append_name``
    has appended.
    """
    for update in reversed(CURRENT_JOB.job.name_updates if CURRENT_JOB.job else ()):
        text = update["append_str"]
        cut = job.name.removeprefix if update["prepend"] else job.name.removesuffix
        job.name = cut(text)
    return job


def continued_after(before: Flow, job: Job) -> Flow:
    """Return a flow whose last job continues the running job, under its uuid.

    Parameters
    ----------
    before : Flow
        Runs first; `job` may refer to its output.
    job : Job

    Notes
    -----
    jobflow gives the uuid to a single job that replaces another one. For a flow it would add a job
    that stores the result a second time.
    """
    running = CURRENT_JOB.job
    if running is not None:
        continued(job).set_uuid(running.uuid)
        job.index = running.index + 1
        job.metadata = {**job.metadata, **running.metadata}
    return Flow([before, job])
