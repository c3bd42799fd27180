"""
Exports the rooms of a livechat to a file.

The embedded database is copied first, as it is at one moment; Redis is read step by step.  The file
is written under another name, and takes its place when it is whole.  So an export that was stopped
can go on where it was.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import BinaryIO, Final, cast

from livechat.backends.exports import (
    FORMAT,
    End,
    ExportError,
    Head,
    Reading,
    Room,
    Said,
    Value,
    is_exported,
    to_line,
)
from livechat.backends.redis.moving import Rooms
from livechat.backends.sqlite.moving import RoomsCopy, values_of
from livechat.command.backup import DATABASES, copy, sync
from livechat.command.moving.in_redis import with_redis
from livechat.command.moving.moved import MAPS, Moved, reported
from livechat.command.output import CommandError
from livechat.config import Config

#: Suffix of an unfinished file.
DRAFT: Final = ".part"


class Draft:
    """
    An export that is being written: a file of its own, which takes its place when it is whole.

    @ivar after: the name of the last room that a draft of before had whole; empty if none.
    """

    def __init__(self, target: Path, *, resume: bool) -> None:
        """
        @param resume: true to go on with an existing draft.
        @raise OSError: the file cannot be written.
        """
        self._target = target
        self._path = target.with_name(target.name + DRAFT)
        self.after = ""
        self._counts = [0, 0, 0]
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | (0 if resume else os.O_TRUNC)
        self._file: BinaryIO = os.fdopen(os.open(self._path, flags, 0o600), "r+b")
        if resume:
            self._go_on()
        if not self.after:
            self._file.seek(0)
            self._file.truncate()
            self._counts = [0, 0, 0]
            self._file.write(to_line(Head(FORMAT)))

    def _go_on(self) -> None:
        """Read the draft, and cut off its last room, which may not be whole."""
        reading = Reading(self._file)
        names = [""]
        try:
            for piece in reading.pieces():
                if isinstance(piece, Room):
                    self.after, names = names[-1], [piece.name]
                    kept, before = reading.offset, reading.counts
                    self._counts = [before.values, before.rooms - 1, before.entries]
        except ExportError:
            pass
        if self.after:
            self._file.seek(kept)
            self._file.truncate()

    def write(self, line: Value | Room | Said) -> None:
        """Write a line."""
        self._count(line)
        self._file.write(to_line(line))

    def write_room(self, room: Room, lines: BinaryIO) -> None:
        """Write a room, and *lines* of its entries."""
        self._count(room)
        self._file.write(to_line(room))
        shutil.copyfileobj(lines, self._file)
        self._counts[2] += room.top - room.oldest + 1

    def _count(self, line: Value | Room | Said) -> None:
        self._counts[(Value, Room, Said).index(type(line))] += 1

    def done(self) -> Moved:
        """Write the last line, and have the file take its place."""
        self._file.write(to_line(End(*self._counts)))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._path.replace(self._target)
        sync(self._target.parent)
        values, rooms, entries = self._counts
        return Moved(values, rooms, entries)

    def close(self) -> None:
        """Close the file; a draft stays."""
        self._file.close()


def export(target: Path, config: Config, *, resume: bool, secret: Path | None) -> Moved:
    """
    Write the rooms of *config* to the file *target*, whole or not at all.

    @param resume: go on with the draft of an export that was stopped.
    @param secret: a file for the secret by which guests are known; None: it is not written.
    @raise CommandError: the rooms cannot be read, or the file cannot be written.
    """
    with closing(reported(target, lambda: Draft(target, resume=resume))) as draft:
        known_by = reported(target, lambda: _exported(draft, target, config))
        if secret is not None:
            reported(secret, lambda: _write_secret(secret, known_by))
        return reported(target, draft.done)


def _exported(draft: Draft, target: Path, config: Config) -> bytes:
    """Write all but the last line; return the secret by which guests are known."""
    if config.redis:
        return with_redis(config, lambda rooms: _export_redis(draft, rooms, target.parent))
    if config.backend is not None:
        raise CommandError("an extension has the rooms: its own tools export them")
    state = config.state
    if not (state / DATABASES[0]).is_file():
        raise CommandError(f"{state} is no state directory: it has no {DATABASES[0]}")
    with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as place:
        for name in DATABASES:
            if (state / name).is_file():
                copy(state / name, Path(place, name))
        return _export_copies(draft, Path(place))


def _export_copies(draft: Draft, place: Path) -> bytes:
    rooms, maps = (place / name for name in DATABASES)
    with closing(RoomsCopy(rooms)) as copied:
        if not draft.after and maps.is_file():
            for value in values_of(maps):
                if value.map in MAPS:
                    draft.write(value)
        for line in copied.rooms(draft.after):
            draft.write(line)
        return copied.secret()


async def _export_redis(draft: Draft, rooms: Rooms, place: Path) -> bytes:
    await rooms.look()
    if not draft.after:
        async for value in rooms.values(MAPS):
            draft.write(value)
    with closing(_Names()) as names, NamedTemporaryFile(dir=place, prefix=".room.") as spool:
        async for some in rooms.names():
            names.add([*filter(is_exported, some)])
        for name in names.after(draft.after):
            room = await rooms.read(name, cast(BinaryIO, spool))
            if room is not None:
                spool.seek(0)
                draft.write_room(room, cast(BinaryIO, spool))
    return await rooms.secret()


class _Names:
    """Sorted names without duplicates, on the disk if they are many."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("CREATE TABLE names (name TEXT PRIMARY KEY) WITHOUT ROWID")

    def add(self, names: Iterable[str]) -> None:
        self._db.executemany("INSERT OR IGNORE INTO names VALUES (?)", [(each,) for each in names])

    def after(self, name: str) -> Iterator[str]:
        for (each,) in self._db.execute(
            "SELECT name FROM names WHERE name > ? ORDER BY 1", (name,)
        ):
            yield each

    def close(self) -> None:
        self._db.close()


def _write_secret(path: Path, secret: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{secret.hex()}\n")
