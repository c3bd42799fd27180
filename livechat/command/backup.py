"""
A backup of the state directory, while livechat runs or not: one tar archive.

The databases are copied by SQLite itself, each as it is at one moment.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final

from livechat.command.output import CommandError
from livechat.net import whereabouts

#: The databases, in the state directory.
DATABASES: Final = ("livechat.sqlite3", "maps.sqlite3")
#: Files of the running process, which a backup leaves out.
_OF_NOW: Final = frozenset({"livechat.lock", whereabouts.FILE})
#: Bytes of the other files that are kept: passwords, hashes, keys.
LARGEST_FILE: Final = 1 << 20
#: Seconds for which a database that is in use is waited for.
_BUSY: Final = 30.0


def back_up(state: Path, target: Path, environment: Mapping[str, str]) -> list[str]:
    """
    Make the archive *target*, whole or not at all; return the names of its files.

    @raise CommandError: the rooms are not here, or a file cannot be read or written.
    """
    _check_rooms(state, environment)
    if target.parent.resolve() == state.resolve():
        raise CommandError("a backup in the state directory itself would be of no use")
    with (
        _explained(target),
        TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as place,
    ):
        draft = Path(place) / "archive"
        names = _pack(state, Path(place), draft)
        draft.replace(target)
        sync(target.parent)
    return names


def pour(state: Path, output: BinaryIO, environment: Mapping[str, str]) -> None:
    """
    Write the archive to *output*, once it is whole.

    @raise CommandError: as `back_up`.
    """
    _check_rooms(state, environment)
    # The state directory has room for copies, and is private.
    with _explained(state), TemporaryDirectory(dir=state, prefix=".backup.") as place:
        draft = Path(place) / "archive"
        _pack(state, Path(place), draft)
        with draft.open("rb") as file:
            shutil.copyfileobj(file, output)
        output.flush()


@contextmanager
def _explained(target: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as reason:
        raise CommandError(f"a database cannot be copied: {reason}") from None
    except BrokenPipeError:
        raise
    except OSError as reason:
        where = reason.filename or target
        raise CommandError(f"{where}: {reason.strerror or reason}") from None


def _check_rooms(state: Path, environment: Mapping[str, str]) -> None:
    elsewhere = any(
        environment.get(name) for name in ("LIVECHAT_REDIS", "REDIS_URL", "LIVECHAT_BACKEND")
    )
    with suppress(OSError, ValueError):
        elsewhere = elsewhere or not whereabouts.read(state).embedded
    if elsewhere:
        raise CommandError(
            "the rooms are not in the state directory: back up the Redis that has them"
            " (redis-cli BGSAVE, then copy its dump.rdb), and keep the files of --state beside it"
        )
    if not (state / DATABASES[0]).is_file():
        raise CommandError(f"{state} is no state directory: it has no {DATABASES[0]}")


def _pack(state: Path, place: Path, draft: Path) -> list[str]:
    """
    @param place: a private directory for copies.
    """
    names = []
    with draft.open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name in DATABASES:
                if (state / name).is_file():
                    copy(state / name, place / name)
                    archive.add(place / name, name)
                    (place / name).unlink()
                    names.append(name)
            for path in _small_files(state):
                archive.add(path, path.name, recursive=False)
                names.append(path.name)
        file.flush()
        os.fsync(file.fileno())
    return names


def copy(source: Path, target: Path) -> None:
    """
    Copy a database as it is at one moment, in one step: one in steps begins anew at writes.

    @raise CommandError: it is broken.
    @raise sqlite3.Error: it cannot be read.
    """
    # Not read-only, as SQLite must make the index of a log that a killed process has left.
    uri = f"{source.absolute().as_uri()}?mode=rw"
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with (
        closing(sqlite3.connect(uri, timeout=_BUSY, uri=True)) as used,
        closing(sqlite3.connect(target)) as copied,
    ):
        used.backup(copied, pages=-1)
        copied.execute("PRAGMA journal_mode = DELETE")
        (found,) = copied.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise CommandError(f"{source} is broken: {found}")


def _small_files(state: Path) -> Iterator[Path]:
    for path in sorted(state.iterdir()):
        name, status = path.name, path.lstat()
        # Broken databases that livechat has moved aside are left out, too.
        own = name.startswith(DATABASES)
        if (
            stat.S_ISREG(status.st_mode)
            and not (own or name in _OF_NOW or name.startswith("."))
            and status.st_size <= LARGEST_FILE
        ):
            yield path


def sync(directory: Path) -> None:
    """Have the names in *directory* on the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
