"""
Imports the rooms of an export.

The file is read twice, since none of it is believed before all of it was checked.  Rooms and values
that are there already are passed over, so an import that was stopped is simply given again; and
nothing is overwritten.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from livechat.backends.exports import (
    ADDED,
    OTHER,
    ExportError,
    Outcome,
    Piece,
    Reading,
    Room,
    Said,
    Value,
)
from livechat.backends.redis.moving import Rooms
from livechat.backends.sqlite.moving import StateDirectory
from livechat.command.moving.in_redis import with_redis
from livechat.command.moving.moved import MAPS, Moved, reported
from livechat.command.output import CommandError
from livechat.config import Config

#: Bytes of a secret, at least and at most.
SECRETS: Final = (16, 64)
#: Rooms and values that are named at most, of those that differ.
NAMED: Final = 10
#: Subjects of restrictions that depend on the secret: guests, addresses.
_BY_SECRET: Final = ("|g:", "|a:")


class Target(Protocol):
    """The place to which rooms are brought."""

    async def add_value(self, value: Value) -> Outcome:
        """Add an entry to a map, unless there is one."""

    async def add_room(
        self, room: Room, entries: Iterable[Sequence[Said]], *, anew: bool
    ) -> Outcome:
        """Add a room with its entries, all or nothing, unless there is one of that name."""


def bring(source: Path, config: Config, *, anew: bool, secret: Path | None) -> Moved:
    """
    Import the file *source* into the rooms of *config*.

    @param anew: begin other numberings: members are told of a gap.
    @param secret: the file that the export has written the secret to.
    @raise CommandError: the file is no export, or not whole, and nothing was imported; or what
        follows cannot be written.
    """
    known_by = None if secret is None else reported(secret, lambda: _read_secret(secret))
    with reported(source, lambda: source.open("rb")) as file:
        reported(source, lambda: _check(file))
        file.seek(0)
        if config.redis:
            return reported(
                source,
                lambda: with_redis(
                    config, lambda rooms: _into_redis(file, rooms, known_by, anew=anew)
                ),
            )
        if config.backend is not None:
            raise CommandError("an extension has the rooms: its own tools import them")
        return reported(source, lambda: _into_state(file, config.state, known_by, anew=anew))


def _check(file: BinaryIO) -> None:
    """
    Read the whole file before any of it is imported.

    @raise ExportError: the file is no export, or not whole.
    """
    for piece in Reading(file).pieces():
        if isinstance(piece, Value) and piece.map not in MAPS:
            raise ExportError(f"this livechat has no map {piece.map!r}")


def _read_secret(path: Path) -> bytes:
    with path.open("rb") as file:
        found = file.read(2 * SECRETS[1] + 2)
    try:
        secret = bytes.fromhex(found.decode("ascii").strip())
    except ValueError:
        secret = b""
    if not SECRETS[0] <= len(secret) <= SECRETS[1]:
        raise CommandError(f"{path} is no secret that an export has written")
    return secret


async def _into_redis(file: BinaryIO, rooms: Rooms, secret: bytes | None, *, anew: bool) -> Moved:
    _check_secret(await rooms.prepare(secret))
    return await _bring(file, rooms, anew=anew, with_secret=secret is not None)


def _into_state(file: BinaryIO, state: Path, secret: bytes | None, *, anew: bool) -> Moved:
    directory = StateDirectory(state, time.time, time.monotonic)
    with closing(directory):
        if secret is not None:
            _check_secret(directory.know_guests_by(secret))
        moving = _bring(file, _Blocking(directory), anew=anew, with_secret=secret is not None)
        # This coroutine never waits.
        try:
            moving.send(None)
        except StopIteration as ended:
            moved: Moved = ended.value
            return moved
        raise AssertionError("it waits")


def _check_secret(outcome: Outcome) -> None:
    if outcome == OTHER:
        raise CommandError(
            "guests are known there by another secret: import without --with-secret, or into"
            " a livechat that was never used"
        )


class _Blocking:
    """A `Target` that is a state directory."""

    def __init__(self, directory: StateDirectory) -> None:
        self._directory = directory

    async def add_value(self, value: Value) -> Outcome:
        return self._directory.add_value(value)

    async def add_room(
        self, room: Room, entries: Iterable[Sequence[Said]], *, anew: bool
    ) -> Outcome:
        return self._directory.add_room(room, entries, anew=anew)


class _Pieces:
    """The pieces of an export, with a look at the next one."""

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self._pieces = pieces
        self.next: Piece | None = next(pieces, None)

    def take(self) -> Piece | None:
        """Return the next piece; None behind the last."""
        taken, self.next = self.next, next(self._pieces, None)
        return taken

    def entries(self) -> Iterator[list[Said]]:
        """Take the entries of the room that was taken last."""
        while isinstance(self.next, list):
            some = self.next
            self.take()
            yield some


async def _bring(file: BinaryIO, target: Target, *, anew: bool, with_secret: bool) -> Moved:
    pieces = _Pieces(Reading(file).pieces())
    values = rooms = entries = there = others = unbound = 0
    other: list[str] = []
    while (piece := pieces.take()) is not None:
        match piece:
            case Value():
                outcome, name = await target.add_value(piece), f"{piece.map} {piece.key}"
                values += outcome.added
                bound = with_secret or piece.map != "restrictions"
                unbound += not bound and any(each in piece.key for each in _BY_SECRET)
            case Room():
                outcome = await target.add_room(piece, pieces.entries(), anew=anew)
                name = piece.name
                for _ in pieces.entries():
                    pass  # those of a room that is there already
                rooms += outcome.added
                entries += piece.top - piece.oldest + 1 if outcome == ADDED else 0
            case _:
                continue
        there += outcome.same and not outcome.added
        others += not outcome.same
        if not outcome.same and len(other) < NAMED:
            other.append(name)
    return Moved(values, rooms, entries, there, tuple(other), others, unbound)
