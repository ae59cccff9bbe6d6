"""How far a long job is, left as a small file for whoever watches from another process."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

PROGRESS_FILE = "progress.json"
PLAN_FILE = "planned.json"


@dataclass(frozen=True)
class Word:
    """How much of something is done.

    Attributes
    ----------
    done, total : float
    unit : str
        Such as ``ps`` or ``defects``.
    note : str
        A few words more, such as the temperature.
    """

    done: float
    total: float
    unit: str
    note: str = ""


def leave_word(directory: str | os.PathLike[str], word: Word, *, plan: bool = False) -> None:
    """Write down how far the work in a directory is.

    Parameters
    ----------
    directory : path
        Made if it is not there.
    word : Word
    plan : bool
        Whether this is the sum of all that will be done below the directory, parts that have not
        begun included.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (PLAN_FILE if plan else PROGRESS_FILE)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(asdict(word)))
    temporary.replace(path)


def read_progress(directory: Path) -> Word | None:
    """Return how far all the work below a directory is, or None where nothing has begun."""
    words = _read(directory, PROGRESS_FILE)
    plans = _read(directory, PLAN_FILE)
    if not words:
        return None
    total = max(sum(word.total for word in words), sum(word.total for word in plans))
    note = words[0].note if len(words) == 1 else f"in {len(words)} parts"
    return Word(sum(word.done for word in words), total, words[0].unit, note)


def _read(directory: Path, name: str) -> list[Word]:
    return [Word(**json.loads(path.read_text())) for path in sorted(directory.rglob(name))]
