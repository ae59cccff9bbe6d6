"""Opening files, packed or not, such that one that cannot be read says so in a sentence."""

from __future__ import annotations

import lzma
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from monty.io import zopen

from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

PACKED = (".gz", ".bz2", ".xz", ".lzma")
"""Endings of packed files that are read as they are."""

BROKEN = (
    ValueError,  # of which those of encoding and of JSON are kinds
    LookupError,
    EOFError,
    OSError,
    RuntimeError,
    ParseError,
    zlib.error,
    lzma.LZMAError,
)
"""What readers raise over a file that is not what its name says."""


def open_text(path: Path) -> AbstractContextManager[Any]:
    """Open a text file, packed or not."""
    return zopen(path, "rt", encoding="utf-8")


def open_bytes(path: Path) -> AbstractContextManager[Any]:
    """Open a file of bytes, packed or not."""
    return zopen(path, "rb")


def unpacked_name(path: Path) -> str:
    """Return the name of a file in lower case, without the ending of what it is packed by."""
    name = path.name.lower()
    return name.rsplit(".", 1)[0] if name.endswith(PACKED) else name


@contextmanager
def as_input_error(path: Path) -> Iterator[None]:
    """Turn what goes wrong in reading a file into an `InputError` that names it."""
    try:
        yield
    except InputError:
        raise
    except BROKEN as exc:
        why = str(exc).strip().rstrip(".") or type(exc).__name__
        raise InputError(f"{path} is not a trajectory that can be read: {why}.") from exc
