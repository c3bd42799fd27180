"""
Erases the last traces of edited and retracted messages from the embedded backend's files.

A transaction that changes a row has SQLite overwrite the old one with zeros (``secure_delete``).
Two places are left where the words may still be:

  - the write-ahead log, until it is cut to nothing;
  - gaps.  SQLite fills pages from their ends, and when it rebuilds a page from some of its rows,
    copies of the others stay in the gap between the pointers at its front and the rows at its
    end.  Such a copy was made long before its row was changed, so SQLite knows nothing of it.

So after the log is cut, zeros are written over the gaps, in the file itself: a gap means nothing
to anybody (https://www.sqlite.org/fileformat.html#b_tree_pages).  The file is locked against
writers meanwhile and the log is empty, so the file is all there is, and no page is in the making.
Readers take no notice.
"""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from livechat.backends.sqlite.upkeep import log_size, truncate

#: Pages that one step looks at: 16 MB, which takes some 20 ms.
STEP: Final = 4_096
#: Seconds that one step waits for readers; each is done within a few milliseconds.
PATIENCE: Final = 0.1
#: Lengths of the headers of b-tree pages, by their first byte.  Other pages begin with the number
#: of a page, so with a zero in files of less than 64 GB.
_HEADERS: Final = {2: 12, 5: 12, 10: 8, 13: 8}
_MOST_PAGES: Final = 1 << 24
#: SQLite does not use the page with this byte, and puts its contents behind it.
_LOCK_BYTE: Final = 1 << 30
#: The first page begins with the file's header, of this length.
_FILE_HEADER: Final = 100
_LOG_HEADER: Final = 32
_FRAME_HEADER: Final = 24
_CELLS: Final = struct.Struct(">HH")


class Layout(NamedTuple):
    """
    The pages of a file.

    @ivar size: bytes of a page.
    @ivar usable: bytes of a page that SQLite uses.
    @ivar maps: every so many pages, from the second on, is one that has other bytes first; 0 for
        none.
    """

    size: int
    usable: int
    maps: int

    @classmethod
    def of(cls, header: bytes) -> Layout:
        """Read the header of a file."""
        size = int.from_bytes(header[16:18], "big")
        size = 65_536 if size == 1 else size
        usable = size - header[20]
        moves = int.from_bytes(header[52:56], "big")
        return cls(size, usable, usable // 5 + 1 if moves else 0)

    def is_map(self, page: int) -> bool:
        """Tell whether *page* is, or may be, one that has other bytes first than a b-tree page."""
        behind = page - _LOCK_BYTE // self.size - 1
        return bool(self.maps) and ((page - 2) % self.maps == 0 or behind in {0, 1})


class Eraser:
    """
    One file, looked through again and again.

    Between two steps of a round the log must not be begun anew: it says which pages were written.

    @ivar under_way: a round has begun and not ended.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # Never closed while SQLite has the file open: with the first file descriptor that a
        # process closes it loses all its locks on that file, whoever took them.
        self._file: int | None = None
        self._next = 0
        self.under_way = False

    def begin(self) -> None:
        """Begin a round."""
        self._next = 0
        self.under_way = True

    def give_up(self) -> None:
        """End the round where it is."""
        self.under_way = False

    def step(self, db: sqlite3.Connection, timeout: float) -> bool:
        """
        Go on with the round; return False if a reader is in the way.

        Close *db* afterwards: its cache of the pages still has the old gaps.

        @param timeout: seconds that the connection's statements wait.
        """
        written = self._written()
        if not truncate(db, timeout, PATIENCE):
            return False
        db.execute("BEGIN IMMEDIATE")
        try:
            if log_size(self._path):
                return False
            pages = db.execute("PRAGMA page_count").fetchone()[0]
            if self._file is None:
                self._file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
            self._wipe(written, min(pages, _MOST_PAGES))
        finally:
            db.execute("ROLLBACK")
        self.under_way = self._next < pages < _MOST_PAGES
        return True

    def close(self) -> None:
        """Close the file; SQLite must have closed it before."""
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)

    def _written(self) -> Sequence[int]:
        """Find pages written since the last step: texts in gaps of others may have moved there."""
        if not self._next:
            return ()
        assert self._file is not None
        size = Layout.of(os.pread(self._file, _FILE_HEADER, 0)).size
        return sorted({*logged(Path(f"{self._path}-wal"), size)})

    def _wipe(self, written: Sequence[int], pages: int) -> None:
        assert self._file is not None
        layout = Layout.of(os.pread(self._file, _FILE_HEADER, 0))
        wiped = sum(wipe(self._file, layout, page, 1) for page in written if page <= self._next)
        count = min(STEP, pages - self._next)
        wiped += wipe(self._file, layout, self._next + 1, count)
        self._next += count
        if wiped:
            os.fdatasync(self._file)


def logged(log: Path, size: int) -> Iterator[int]:
    """The numbers of the pages, of *size* bytes, in a write-ahead log; some may be outdated."""
    with log.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        for at in range(_LOG_HEADER, length - size, _FRAME_HEADER + size):
            yield int.from_bytes(os.pread(file.fileno(), 4, at), "big")


def wipe(file: int, layout: Layout, first: int, count: int) -> int:
    """Write zeros over the gaps of *count* pages; return how many were not empty."""
    data = os.pread(file, count * layout.size, (first - 1) * layout.size)
    zeros = bytes(layout.size)
    wiped = 0
    for number in range(first, first + len(data) // layout.size):
        at = (number - first) * layout.size
        begin, end = gap(data, at, layout, number)
        if data[begin:end] != zeros[: end - begin]:
            os.pwrite(file, zeros[: end - begin], (first - 1) * layout.size + begin)
            wiped += 1
    return wiped


def gap(data: bytes | bytearray, at: int, layout: Layout, number: int) -> tuple[int, int]:
    """Find the beginning and the end of the gap in the page at *at*; equal if there is none."""
    start = at if number > 1 else at + _FILE_HEADER
    header = _HEADERS.get(data[start])
    if header is None or layout.is_map(number):
        return at, at
    cells, content = _CELLS.unpack_from(data, start + 3)
    begin, end = start + header + 2 * cells, at + (content or 65_536)
    if not begin <= end <= at + layout.usable:
        return at, at
    return begin, end
