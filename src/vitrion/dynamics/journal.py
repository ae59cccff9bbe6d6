"""File with atomic updates through a journal.

HDF5 does not write its pages in a crash-safe order, so a process killed during an append leaves a
file that cannot be opened. Here an append goes to memory; :meth:`JournaledFile.commit` writes the
changed pages to a journal (temporary file, fsync, rename), then to the file (fsync), then removes
the journal. A journal found on opening is complete because of the rename, and is applied again.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import numpy as np

from vitrion.runtime.atomic import replace_durably

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = 4096


def journal_path(path: Path) -> Path:
    """Return the path of the journal of a file."""
    return path.with_name(path.name + ".journal")


class JournaledFile(io.RawIOBase):
    """A random-access file whose writes reach the disk together, at :meth:`commit`.

    Parameters
    ----------
    path : Path
        The file; a writer creates it if needed.
    writable : bool
        A reader sees the changes of a pending journal without applying them to the file.
    """

    def __init__(self, path: Path, writable: bool = False) -> None:
        self._path = path
        self._writable = writable
        if writable and not path.exists():
            path.touch()
        if writable:
            _recover(path)
        self._file = path.open("rb", buffering=0)  # a cache would outlive a commit
        self._disk_size = os.fstat(self._file.fileno()).st_size
        self._size = self._disk_size
        self._pages: dict[int, bytearray] = {}
        self._position = 0
        if not writable and journal_path(path).exists():
            self._size, pages = _read_journal(journal_path(path))
            self._pages = {number: bytearray(page) for number, page in pages}

    def readable(self) -> bool:  # noqa: D102
        return True

    def writable(self) -> bool:  # noqa: D102
        return self._writable

    def seekable(self) -> bool:  # noqa: D102
        return True

    def tell(self) -> int:  # noqa: D102
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:  # noqa: D102
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def truncate(self, size: int | None = None) -> int:  # noqa: D102
        self._size = self._position if size is None else size
        return self._size

    def readinto(self, buffer) -> int:  # noqa: D102
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self._size - self._position))
        self._read_disk(self._position, view[:count])
        for number, start, stop, offset in self._spans(count):
            page = self._pages.get(number)
            if page is not None:
                view[offset : offset + stop - start] = page[start:stop]
        self._position += count
        return count

    def write(self, data) -> int:  # noqa: D102
        view = memoryview(data).cast("B")
        for number, start, stop, offset in self._spans(len(view)):
            page = self._pages.get(number)
            if page is None:
                page = self._pages[number] = bytearray(PAGE)
                if stop - start < PAGE:
                    self._read_disk(number * PAGE, memoryview(page))
            page[start:stop] = view[offset : offset + stop - start]
        self._position += len(view)
        self._size = max(self._size, self._position)
        return len(view)

    def commit(self) -> None:
        """Write all changes since the last commit to disk atomically."""
        if not self._pages and self._size == self._disk_size:
            return
        journal = journal_path(self._path)
        temporary = journal.with_name(journal.name + ".tmp")
        _write_journal(temporary, self._size, self._pages)
        replace_durably(temporary, journal)
        _recover(self._path)
        self._pages.clear()
        self._disk_size = self._size

    def close(self) -> None:
        """Close the file and drop uncommitted changes."""
        if not self.closed:
            self._file.close()
        super().close()

    def _spans(self, count: int) -> Iterator[tuple[int, int, int, int]]:
        """Split ``count`` bytes from here into pages: number, start, stop, offset in the buffer."""
        offset = 0
        while offset < count:
            number, start = divmod(self._position + offset, PAGE)
            stop = min(PAGE, start + count - offset)
            yield number, start, stop, offset
            offset += stop - start

    def _read_disk(self, position: int, view: memoryview) -> None:
        """Fill the view from the file, with zeros beyond its end."""
        self._file.seek(position)
        done = 0
        while done < len(view) and (count := self._file.readinto(view[done:])):
            done += count
        view[done:] = bytes(len(view) - done)


def _write_journal(path: Path, size: int, pages: dict[int, bytearray]) -> None:
    numbers = np.array(sorted(pages), dtype="<i8")
    with path.open("wb") as handle:
        handle.write(np.array([size, len(numbers)], dtype="<i8").tobytes())
        handle.write(numbers.tobytes())
        for number in numbers:
            handle.write(pages[int(number)])


def _read_journal(path: Path) -> tuple[int, list[tuple[int, bytes]]]:
    data = path.read_bytes()
    size, count = (int(value) for value in np.frombuffer(data, "<i8", 2))
    numbers = np.frombuffer(data, "<i8", count, offset=16)
    start = 16 + 8 * count
    pages = [data[start + i * PAGE : start + (i + 1) * PAGE] for i in range(count)]
    return size, [(int(number), page) for number, page in zip(numbers, pages, strict=True)]


def _recover(path: Path) -> None:
    """Apply and remove the journal of a file if it exists."""
    journal = journal_path(path)
    if not journal.exists():
        return
    size, pages = _read_journal(journal)
    with path.open("rb+") as handle:
        for number, page in pages:
            handle.seek(number * PAGE)
            handle.write(page)
        handle.truncate(size)
        handle.flush()
        os.fsync(handle.fileno())
    journal.unlink()  # no sync: applying it again after a power failure changes nothing
