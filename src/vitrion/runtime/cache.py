"""Cache of results in a file with one JSON line per result, robust against kills."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrion.errors import VitrionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class OutOfTime(VitrionError):
    """The walltime ended; finished results are kept and the same call resumes from them."""


class ResultCache:
    """Results by key, written to disk immediately.

    On opening, a line truncated by a kill is dropped.

    Parameters
    ----------
    path : str, Path or None
        The file, created on the first write; None keeps the results in memory only.
    walltime_s : float or None
        Time in s from now after which a write raises `OutOfTime` once its results are on disk, so
        every call makes at least one write.
    """

    def __init__(self, path: str | Path | None, walltime_s: float | None = None) -> None:
        self._deadline = math.inf if walltime_s is None else time.monotonic() + walltime_s
        self._path = None if path is None else Path(path)
        self._results: dict[str, dict[str, Any]] = {}
        if self._path is None or not self._path.is_file():
            return
        kept = 0
        with self._path.open("rb") as file:
            for line in file:
                entry = _parse(line)
                if entry is None:
                    break
                self._results[entry["key"]] = entry["result"]
                kept += len(line)
        if kept < self._path.stat().st_size:
            os.truncate(self._path, kept)

    def __contains__(self, key: str) -> bool:
        return key in self._results

    def __getitem__(self, key: str) -> dict[str, Any]:
        return self._results[key]

    def write(self, results: Mapping[str, dict[str, Any]]) -> None:
        """Add results and sync them to disk."""
        self._results.update(results)
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps({"key": key, "result": result}) for key, result in results.items()]
        with self._path.open("ab") as file:
            file.write("".join(line + "\n" for line in lines).encode())
            file.flush()
            os.fsync(file.fileno())
        if time.monotonic() > self._deadline:
            raise OutOfTime("The walltime ended. Repeat the call to resume.")


def fingerprint(parts: Iterable[Any]) -> str:
    """Return a short hash of JSON data; floats are rounded to 1e-6."""
    text = json.dumps([_rounded(part) for part in parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6) + 0.0  # no negative zero
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return value


def _parse(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and {"key", "result"} <= entry.keys() else None
