"""Progress of a long job, written to a small file that other processes can read."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

PROGRESS_FILE = "progress.json"
PLAN_FILE = "planned.json"


@dataclass(frozen=True)
class Progress:
    """Completed amount of a job and its total.

    Attributes
    ----------
    done, total : float
    unit : str
        Such as ``ps`` or ``defects``.
    note : str
        Short remark, such as the temperature.
    """

    done: float
    total: float
    unit: str
    note: str = ""


def write_progress(
    directory: str | os.PathLike[str], progress: Progress, *, plan: bool = False
) -> None:
    """Write the progress of the work in a directory.

    Parameters
    ----------
    directory : path
        Created if needed.
    progress : Progress
    plan : bool
        Whether ``progress`` is the total planned work below the directory, including work that has
        not started.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (PLAN_FILE if plan else PROGRESS_FILE)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(asdict(progress)))
    temporary.replace(path)


def read_progress(directory: Path) -> Progress | None:
    """Return the total progress below a directory, or None if no work has started."""
    reports = _read(directory, PROGRESS_FILE)
    plans = _read(directory, PLAN_FILE)
    if not reports:
        return None
    total = max(sum(report.total for report in reports), sum(report.total for report in plans))
    note = reports[0].note if len(reports) == 1 else f"in {len(reports)} parts"
    return Progress(sum(report.done for report in reports), total, reports[0].unit, note)


def read_progress_of_job(directory: Path) -> Progress | None:
    """Return the progress of a job, which may continue the work of an earlier one.

    Parameters
    ----------
    directory : Path
        Its directory. Names of those of a job and of its continuations end in 1, 2, ...
    """
    stem, _, number = directory.name.rpartition("-")
    earlier = range(int(number) - 1, 0, -1) if number.isdigit() else ()
    for folder in (directory, *(directory.with_name(f"{stem}-{index}") for index in earlier)):
        found = read_progress(folder)
        if found is not None:
            return found
    return None


def _read(directory: Path, name: str) -> list[Progress]:
    """Read all files of a name; one that a loss of power has emptied is left out."""
    found = []
    for path in sorted(directory.rglob(name)):
        with suppress(ValueError):
            found.append(Progress(**json.loads(path.read_text())))
    return found
