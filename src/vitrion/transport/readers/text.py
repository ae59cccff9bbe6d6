"""Read text files, compressed or not, line by line, with one-sentence errors."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections import deque
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

PACKED = (".gz", ".bz2", ".xz", ".lzma")
"""Suffixes of supported compressed files."""

OPENERS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
"""First bytes of supported compressed files."""

BROKEN = (
    ValueError,  # includes errors of encoding and JSON
    LookupError,
    EOFError,
    OSError,
    RuntimeError,
    ParseError,
    zlib.error,
    lzma.LZMAError,
    AttributeError,  # these three of readers of other packages
    TypeError,
    AssertionError,
)
"""Exceptions of readers for a file of another format."""


LONGEST_LINE = 1 << 20
"""Maximum number of bytes of a line."""

MOST_ATOMS = 10**7
"""Maximum number of atoms of a frame."""


class _ShortLines(io.RawIOBase):
    """Bytes of a file, which must have line breaks, so that a line fits into memory."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._length = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._file.read(len(buffer))
        except EOFError:  # a compressed file that was cut off
            data = b""
        end = data.rfind(b"\n")
        self._length = len(data) - end - 1 if end >= 0 else self._length + len(data)
        if self._length > LONGEST_LINE:
            raise InputError(
                f"The file has a line of more than {LONGEST_LINE} bytes, so it is not a trajectory."
            )
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def open_text(path: Path) -> AbstractContextManager[Any]:
    """Open a text file, compressed or not; a line that is too long raises InputError."""
    lines = io.BufferedReader(_ShortLines(open_bytes(path)), 1 << 17)
    # Comments may be in another encoding; a byte order mark is skipped.
    return io.TextIOWrapper(lines, encoding="utf-8-sig", errors="replace")


def check_atoms(n_atoms: int) -> None:
    """Refuse a number of atoms that no trajectory has.

    Raises
    ------
    InputError
        If it is zero, or larger than `MOST_ATOMS`.
    """
    if n_atoms < 1:
        raise InputError(
            f"The file states a frame of {n_atoms} atoms: give frames of the mobile ions and of "
            "all other atoms."
        )
    if n_atoms > MOST_ATOMS:
        raise InputError(f"The file states {n_atoms} atoms, but at most {MOST_ATOMS} are read.")


def open_bytes(path: Path) -> AbstractContextManager[Any]:
    """Open a binary file, compressed or not, which its first bytes show."""
    with path.open("rb") as file:
        start = file.read(6)
    for mark, opener in OPENERS.items():
        if start.startswith(mark):
            return opener(path, "rb")
    return lzma.open(path, "rb") if path.suffix.lower() == ".lzma" else path.open("rb")


def unpacked_name(path: Path) -> str:
    """Return the name of a file in lower case, without the suffix of its compression."""
    name = path.name.lower()
    return name.rsplit(".", 1)[0] if name.endswith(PACKED) else name


class Lines:
    """Lines of a file with look-ahead.

    Attributes
    ----------
    number : int
        Number of the last line read, counted from 1.
    """

    def __init__(self, file: Iterable[str]) -> None:
        self._file = iter(file)
        self._ahead: deque[str] = deque()
        self.number = 0

    def take(self) -> str:
        """Return the next line with its newline; an empty string at the end of the file."""
        self.number += 1
        if self._ahead:
            return self._ahead.popleft()
        return next(self._file, "")

    def take_many(self, count: int) -> list[str]:
        """Return up to `count` next lines."""
        lines = [self._ahead.popleft() for _ in range(min(count, len(self._ahead)))]
        lines += islice(self._file, count - len(lines))
        self.number += len(lines)
        return lines

    def peek(self, ahead: int = 0) -> str:
        """Return a line without consuming it; 0 is the next line."""
        while len(self._ahead) <= ahead:
            self._ahead.append(next(self._file, ""))
        return self._ahead[ahead]

    def put_back(self, lines: Iterable[str]) -> None:
        """Put the last lines back."""
        lines = list(lines)
        self._ahead.extendleft(reversed(lines))
        self.number -= len(lines)

    def end_in(self, rows: Sequence[str]) -> bool:
        """Whether the file ends in the last of `rows`, which may lack digits, without a newline."""
        return bool(rows) and not rows[-1].endswith("\n") and not self.peek()


def beginning(path: Path, size: int = 4096) -> bytes:
    """Return the first decompressed bytes of a file, fewer if the file is truncated."""
    with open_bytes(path) as file:
        return bytes(file.read(size))


@contextmanager
def as_input_error(path: Path) -> Iterator[None]:
    """Convert exceptions of a reader to an `InputError` that names the file."""
    try:
        yield
    except InputError as exc:
        if str(path) in str(exc):
            raise
        raise InputError(f"{path}: {exc}") from exc
    except BROKEN as exc:
        why = str(exc).strip().rstrip(".") or type(exc).__name__
        raise InputError(f"{path} is not a trajectory that can be read: {why}.") from exc
