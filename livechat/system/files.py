"""Files that are there whole or not at all, and no larger than they should be."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import mkstemp


def read(path: Path, largest: int) -> bytes:
    """
    Read a whole file.

    @raise OSError: it cannot be read.
    @raise ValueError: it has more than *largest* bytes; it may be endless.
    """
    with path.open("rb") as file:
        return bounded(file.read(largest + 1), largest)


def bounded(document: bytes, largest: int) -> bytes:
    """
    Return *document* if it is small enough.

    @raise ValueError: it has more than *largest* bytes.
    """
    if len(document) > largest:
        raise ValueError(f"it has more than {largest} bytes")
    return document


def write(path: Path, data: bytes, mode: int) -> None:
    """
    Make or replace a file; nobody else can read it before it has its mode.

    @raise OSError: it was left as it was.
    """
    handle, name = mkstemp(dir=path.parent, prefix=f".{path.name}.")
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, mode)
            file.write(data)
            file.flush()
            os.fsync(handle)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def make(path: Path, data: bytes) -> None:
    """
    Make a file for its owner only.  No-op if it is there: the first counts, if several processes
    make it at the same time.

    @raise OSError: it was not made.
    """
    handle, name = mkstemp(dir=path.parent, prefix=f".{path.name}.")
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
