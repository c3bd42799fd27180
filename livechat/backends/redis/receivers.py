"""
The receivers outside that an installation has, as all its processes know them.

A record in Redis names them: an era, and each receiver with the era in which it came.  A process
that starts with others begins a new era, which is told on the control channel; each beat looks for
what was missed.  The scripts that store entries get the record with each call, so that the first
one in a room and an era sets the cursors there (`holding.lua`): no room has to be looked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from twisted.logger import Logger

from livechat.backends import outbox
from livechat.backends.redis.connection import Commands, RefusedError, Script
from livechat.backends.redis.generation import Generation
from livechat.backends.redis.keys import Keys

KEEP: Final = Script("keep")
#: Prefix of news of receivers on the control channel.
_NEWS: Final = b"receivers"
#: Attempts to write receivers that others change meanwhile.
_TRIES: Final = 20


class Record(NamedTuple):
    """
    The receivers of an era.

    @ivar names: by receiver what cursors know it by: one that went and came is another one.
    """

    era: int = 0
    names: Mapping[str, bytes] = {}

    @classmethod
    def of(cls, data: bytes) -> Record:
        """
        @raise ValueError: it is none.
        """
        era, *names = data.split(b" ")
        return cls(int(era), {each.partition(b"@")[0].decode("ascii"): each for each in names})

    def text(self) -> bytes:
        return b" ".join([b"%d" % self.era, *(self.names[name] for name in sorted(self.names))])

    def next(self, names: Collection[str]) -> Record:
        """Return the record of the era in which these are the receivers."""
        era = self.era + 1
        made = {name: self.names.get(name) or f"{name}@{era}".encode() for name in names}
        return Record(era, made)


class Receivers:
    """
    The receivers that this process knows.

    @ivar any: there are some.
    """

    _log = Logger()

    def __init__(self, connection: Commands, keys: Keys, generation: Generation) -> None:
        self._connection = connection
        self._keys = keys
        self._generation = generation
        self._record = Record()
        self._asked: frozenset[str] | None = None
        self.any = False

    def known_as(self, receiver: str) -> bytes | None:
        """Return what cursors know *receiver* by; None if it is none."""
        return self._record.names.get(receiver)

    def of(self, room: str) -> bool:
        """Tell whether somebody is told of *room*."""
        return self.any and outbox.is_told(room)

    def limit(self, room: str, entries: int) -> bytes:
        """
        Return the argument of scripts that says how many *entries* a history of *room* keeps, and
        for whom more is held.
        """
        return self._words(entries) if self.of(room) else b"%d" % entries

    def _words(self, entries: int) -> bytes:
        return b"%d %d %d %b" % (
            entries, self._record.era, outbox.MOST, b" ".join(self._record.names.values())
        )  # fmt: skip

    def holding(self, entries: int = 0) -> list[bytes]:
        """The first arguments of scripts that only know rooms with receivers."""
        return [self._words(entries), self._generation.name]

    async def keep(self, names: frozenset[str]) -> None:
        """
        Have these be the receivers.

        @raise UnansweredError: as `Commands.command`.
        @raise RefusedError: as `Commands.command`.
        """
        self._asked = None
        await self.refresh()
        for _ in range(_TRIES):
            known = self._record
            if names == known.names.keys() or await self._write(
                known.text() if known.era else b"", known.next(names)
            ):
                self._asked = names
                return
        raise RefusedError("ERR the receivers change all the time")

    async def refresh(self) -> None:
        """
        Learn the receivers that there are.  A Redis that has lost them gets them back.  Fails as
        `keep`.
        """
        found: bytes = await self._connection.command(b"GET", self._keys.receivers) or b""
        if not self._adopt(found) and self._record.era:
            await self._write(found, self._record)

    async def _write(self, before: bytes, record: Record) -> bool:
        after = record.text()
        keys = [self._keys.receivers, self._keys.control]
        found = await self._connection.call(KEEP, keys, [before, after])
        self._adopt(found)
        return bool(found == after)

    def hear(self, news: bytes) -> bool:
        """Hear *news* of the control channel; returns whether they are of receivers."""
        word, _, data = news.partition(b" ")
        if word == _NEWS:
            self._adopt(data)
        return word == _NEWS

    def _adopt(self, data: bytes) -> bool:
        """Adopt *data* unless they are older than the known ones; return False if they are."""
        try:
            found = Record.of(data)
        except ValueError:
            # The data are missing, or not of any livechat.
            return False
        if found.era < self._record.era:
            return False
        if found != self._record:
            self._record = found
            self.any = bool(found.names)
            if self._asked is not None and self._asked != found.names.keys():
                self._log.warn(
                    "Another process of this installation has other webhooks, which are in force "
                    "now: {names}",
                    names=", ".join(sorted(found.names)) or "none",
                )
        return True
