"""
Restores a backup into an empty state directory.

Rooms go on from the backup, under other epochs: entries said since get numbers that were given
before, and whoever comes back is told of the gap.

The archive is unpacked beside its place, and its databases are checked.  Only then are the files
moved, the rooms' last: a killed restore leaves a directory without rooms, which nobody takes for a
whole one.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator, Set
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from livechat.backends.sqlite.moving import begin_anew
from livechat.command.backup import DATABASES, LARGEST_FILE, sync
from livechat.command.output import CommandError

_DRAFT: Final = ".restored."


def restore(archive: Path, state: Path) -> list[str]:
    """
    Unpack *archive*, made by `livechat.command.backup.back_up`; return the names of the files.

    @param state: is made if it is not there, and must be empty.
    @raise CommandError: there is something in it, the archive is none, or a file cannot be written.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = {path.name for path in state.iterdir()}
        drafts = {name for name in found if name.startswith(_DRAFT)}
        if found > drafts:
            raise CommandError(f"{state} is not empty: {_advice(found, drafts)}")
        for name in drafts:
            # A killed restore has left this directory.
            shutil.rmtree(state / name)
        with TemporaryDirectory(dir=state, prefix=_DRAFT) as place:
            names = _unpack(archive, Path(place))
            begin_anew(Path(place, DATABASES[0]))
            for name in names:
                _own(Path(place, name), state)
                Path(place, name).replace(state / name)
        sync(state)
    except sqlite3.Error as reason:
        raise CommandError(f"{archive} has a database that is broken: {reason}") from None
    except (tarfile.TarError, EOFError):
        raise CommandError(f"{archive} is no backup of livechat's, or not whole") from None
    except OSError as reason:
        where = reason.filename or archive
        raise CommandError(f"{where}: {reason.strerror or reason}") from None
    return sorted(names)


def _advice(found: Set[str], drafts: Set[str]) -> str:
    if drafts and DATABASES[0] not in found:
        return "a restore was killed here; remove all that is in it, and restore again"
    return "livechat restores into an empty directory"


def _unpack(archive: Path, place: Path) -> list[str]:
    """Unpack the files; return their names, the rooms' last."""
    names = []
    with tarfile.open(archive, "r:") as opened:
        for member in _files(opened, archive):
            found = opened.extractfile(member)
            assert found is not None
            made = os.open(place / member.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with found, os.fdopen(made, "wb") as file:
                while data := found.read(1 << 20):
                    file.write(data)
                file.flush()
                os.fsync(file.fileno())
            names.append(member.name)
    if DATABASES[0] not in names:
        raise CommandError(f"{archive} is no backup of livechat's: it has no {DATABASES[0]}")
    for name in DATABASES:
        if name in names:
            _check(place / name)
    return sorted(names, key=lambda name: name == DATABASES[0])


def _files(opened: tarfile.TarFile, archive: Path) -> Iterator[tarfile.TarInfo]:
    """
    @raise CommandError: the archive has an entry that no backup has.
    """
    known: set[str] = set()
    for member in opened:
        name = member.name
        good = member.isreg() and not {"/", "\0"} & set(name) and not name.startswith(".")
        small = name in DATABASES or member.size <= LARGEST_FILE
        if not (good and small) or name in known:
            raise CommandError(f"{archive} is no backup of livechat's: it has {name!r}")
        known.add(name)
        yield member


def _check(database: Path) -> None:
    with closing(sqlite3.connect(database)) as opened:
        (found,) = opened.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise CommandError(f"{database.name} is broken: {found}")


def _own(path: Path, state: Path) -> None:
    """Give *path* to the directory's owner: root may restore for livechat's user."""
    owner = state.stat()
    if os.geteuid() == 0 and (owner.st_uid, owner.st_gid) != (0, 0):
        os.chown(path, owner.st_uid, owner.st_gid)
