"""
A shared map in Redis: a hash, read and put back in steps.

A whole map at once would hold up Redis and this process, and take longer than an answer may.
A reading in steps is not of one moment.  Its caller completes it by the changes that it
has heard of meanwhile (`livechat.backends.redis.maps`).
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from livechat.backends.maps import MapEntry
from livechat.backends.redis.connection import Commands, Script, answers
from livechat.backends.redis.keys import Keys
from livechat.backends.redis.map_version import Version, packed_entry, unpacked_entry
from livechat.backends.redis.shelf import document_entries

CHANGE: Final = Script("change")
RESTORE: Final = Script("restore")
#: Bytes of values that a step reads or writes at most, by an estimate.
STEP: Final = 1 << 18
#: Keys of a step, at least and at most.
FEWEST: Final = 10
MOST: Final = 500
#: Seconds after which an unfinished draft ends.
DRAFT_LASTS: Final = 60
#: Seconds for which the former form of a converted map is kept.
FORMER_LASTS: Final = 86_400


class Reading(NamedTuple):
    """
    Entries as they were read from one version on; those that changed until the other are of
    either.

    @ivar held: entries of the last version: a map that is put back meanwhile is read in part.
    """

    begun: Version
    entries: dict[str, MapEntry]
    ended: Version
    held: int


class MapStore:
    """The hash of one map.  All calls fail as `Commands.command`."""

    def __init__(self, name: str, connection: Commands, keys: Keys, largest: int) -> None:
        """
        @param largest: bytes of a value.
        """
        self._name = name.encode()
        self._connection = connection
        self._keys = keys
        self._key = keys.map(name)
        self._step = max(FEWEST, min(MOST, STEP // max(1, largest)))

    async def change(
        self,
        known: Version,
        key: str,
        entry: MapEntry | None,
        expected: bytes,
        *,
        most: int,
        now: float,
        over: Collection[str],
    ) -> tuple[int, bytes]:
        """Run `change.lua`, and return its answer."""
        args = [
            self._name,
            known.packed(),
            new_word(),
            new_tag(),
            b"%d" % most,
            b"%d" % int(now),
            key.encode(),
            b"" if entry is None else packed_entry(entry),
            expected,
            *(each.encode() for each in over),
        ]
        verdict, news = await self._connection.call(CHANGE, [self._key, self._keys.control], args)
        return verdict, news

    async def version(self) -> Version:
        (found,) = await self._connection.command(b"HMGET", self._key, b"")
        return Version.unpacked(found)

    async def read(self) -> Reading:
        """Read the map in steps."""
        begun = await self.version()
        entries: dict[str, MapEntry] = {}
        cursor = b"0"
        while True:
            cursor, flat = await self._connection.command(
                b"HSCAN", self._key, cursor, b"COUNT", b"%d" % self._step
            )
            entries.update(_entries(flat))
            if cursor == b"0":
                break
        count: int = await self._connection.command(b"HLEN", self._key)
        ended = await self.version()
        return Reading(begun, entries, ended, count - 1 if ended.word else 0)

    async def read_at_once(self) -> Reading:
        """Read the map as it is at one moment."""
        flat: list[bytes] = await self._connection.command(b"HGETALL", self._key)
        found = dict(zip(flat[::2], flat[1::2], strict=True))
        version = Version.unpacked(found.get(b""))
        entries = _entries(flat)
        return Reading(version, entries, version, len(entries))

    def takes_steps(self, count: int) -> bool:
        """Tell whether so many keys are written in several steps."""
        return count > self._step

    async def restore(
        self, seen: Version, version: Version, entries: Mapping[str, MapEntry]
    ) -> bool:
        """Replace the map, if it is as it was *seen*; tell whether it was."""
        # A snapshot, as the copy may change while it is put back.
        items = [*entries.items()]
        draft = self._keys.map_draft(self._text, new_word().decode())
        for words in self._pieces(items):
            written = self._connection.command(b"HSET", draft, *words)
            lasts = self._connection.command(b"PEXPIRE", draft, b"%d" % (1000 * DRAFT_LASTS))
            await answers((written, lasts))
        args = [self._name, seen.packed(), version.packed(), b"%d" % len(items)]
        done: int = await self._connection.call(
            RESTORE, [self._key, draft, self._keys.control], args
        )
        return done == 1

    def _pieces(self, items: Sequence[tuple[str, MapEntry]]) -> Iterator[list[bytes]]:
        for start in range(0, len(items), self._step):
            words: list[bytes] = []
            for key, entry in items[start : start + self._step]:
                words += (key.encode(), packed_entry(entry))
            yield words

    async def former(self) -> dict[str, MapEntry]:
        """Read the leavings of versions before: a map of their own, or a document."""
        flat = await self._connection.command(b"HGETALL", self._keys.former_map(self._text))
        if flat:
            return _entries(flat)
        document: bytes | None = await self._connection.command(
            b"GET", self._keys.shelf(self._text)
        )
        values = document_entries(document) if document else {}
        return {key: MapEntry(value) for key, value in values.items()}

    @property
    def _text(self) -> str:
        return self._name.decode()

    async def forget_former(self) -> None:
        """Have the leavings of versions before expire."""
        lasts = b"%d" % (1000 * FORMER_LASTS)
        for key in (self._keys.former_map(self._text), self._keys.shelf(self._text)):
            await self._connection.command(b"PEXPIRE", key, lasts)


def _entries(flat: Sequence[bytes]) -> dict[str, MapEntry]:
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return {key.decode(): unpacked_entry(packed) for key, packed in pairs if key}


def new_word() -> bytes:
    """Make the word of a map, or of a draft."""
    return secrets.token_urlsafe(9).encode()


def new_tag() -> bytes:
    """Make the tag of a change."""
    return secrets.token_urlsafe(6).encode()
