"""
Rooms out of a Redis, and into it, as exports have them, while livechats use it.

Commands are given one after the other, and each is followed by as long a rest as it took: a Redis
that is busy, or slow, is asked less.

A room is read in steps, and of one moment nevertheless: it is read anew if an entry was changed, or
an old one removed, before the last step.  A room is written to a key beside it, and one script
makes it a room, if there is none of that name by then.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, BinaryIO, Final, NamedTuple

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from livechat.backends.exports import (
    ADDED,
    OTHER,
    THERE,
    Outcome,
    Room,
    Said,
    Value,
    compact,
    to_line,
)
from livechat.backends.maps import MapEntry
from livechat.backends.redis.connection import (
    Commands,
    Connection,
    RefusedError,
    Script,
    answers,
)
from livechat.backends.redis.entries import stored_entry, user_to_bytes
from livechat.backends.redis.generation import RENEW, Generation
from livechat.backends.redis.health import check_role
from livechat.backends.redis.history import READ_WORD_LASTS
from livechat.backends.redis.keys import FORMAT, Keys
from livechat.backends.redis.layout import LAYOUT, check_layout
from livechat.backends.redis.map_store import CHANGE, MapStore, Reading, new_word
from livechat.backends.redis.map_version import Version, packed_entry
from livechat.backends.redis.rights import RIGHTS, check_rights
from livechat.backends.redis.sharding import shard

EXPORT: Final = Script("export")
IMPORT: Final = Script("import")
#: Scripts that are called.
SCRIPTS: Final = (EXPORT, IMPORT, CHANGE, LAYOUT, RENEW, RIGHTS)
#: Entries, and bytes of text, that a step reads.
ENTRIES: Final = 500
BYTES: Final = 1 << 18
#: Attempts to read a room that changes meanwhile.
TRIES: Final = 20
#: Seconds after which the draft of a room ends without another step.
DRAFT_LASTS: Final = 3_600
#: Keys that Redis looks at for one answer.
SCANNED: Final = 1_000
#: Keys that an import lets a map have.
MOST_KEYS: Final = 1 << 20
#: Bytes of a map's value, for the size of steps.
_VALUE: Final = 4_096
#: Words of `change.lua`: the condition that there is no value; and its verdicts.
_NONE: Final = b"-"
_CHANGED: Final = 1
_HAS_ANOTHER: Final = 0


class Rooms:
    """
    The rooms of an installation, in one or several Redis.

    All calls fail as `Connection.command`.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        """
        @param parts: the Redis servers in the order of ``--redis``, which decides where a room is.
        """
        self._parts = parts
        self._first = parts[0]

    async def look(self) -> None:
        """
        Look for a livechat's rooms.

        @raise RefusedError: there are none, or in another layout.
        """
        for each in self._parts:
            await each.look()

    async def prepare(self, secret: bytes | None) -> Outcome:
        """
        Make of each Redis one that livechat uses, if it is none yet.

        @param secret: the one by which guests are to be known; None: any.
        @return: what became of the secret.
        @raise RefusedError: it lets us do too little, or is in another layout.
        """
        for each in self._parts:
            await each.prepare()
        return await self._first.know_guests_by(secret)

    async def secret(self) -> bytes:
        """Return the secret by which guests are known."""
        return await self._first.secret()

    async def values(self, names: Iterable[str]) -> AsyncIterator[Value]:
        """Return the entries of these maps, by map and key."""
        for name in sorted(names):
            for key, entry in sorted((await self._first.read_map(name)).items()):
                yield Value(name, key, compact(entry.value), entry.until)

    async def names(self) -> AsyncIterator[list[str]]:
        """Return the names of all rooms in pieces, in any order, and perhaps twice."""
        for each in self._parts:
            async for some in each.names():
                yield some

    async def read(self, room: str, spool: BinaryIO) -> Room | None:
        """
        Write the lines of a room's entries to *spool*, in place of what is in it.

        @return: the room; None if there is none of that name, or not any more.
        """
        return await self._of(room).read(room, spool)

    async def add_value(self, value: Value) -> Outcome:
        """Add an entry to a map, unless there is one; processes hear of it."""
        return await self._first.add_value(value)

    async def add_room(
        self, room: Room, entries: Iterable[Sequence[Said]], *, anew: bool
    ) -> Outcome:
        """
        Add a room with its entries, all or nothing, unless there is one of that name.

        @param anew: begin another numbering.
        """
        return await self._of(room.name).add(room, entries, anew=anew)

    def _of(self, room: str) -> Part:
        return self._parts[shard(room, len(self._parts))]


class Part:
    """The rooms in one Redis, or in one cluster, which was found fit when it was connected to."""

    def __init__(
        self,
        connection: Commands,
        keys: Keys,
        clock: IReactorTime,
        masters: Callable[[], Sequence[Connection]],
    ) -> None:
        """
        @param masters: returns the connections to all of them.
        """
        self._connection = connection
        self._masters = masters
        self._keys = keys
        self._clock = clock
        self._generation = Generation(connection, keys, lambda: None)
        self._maps: dict[str, tuple[MapStore, Version]] = {}

    async def _ask(self, answer: Awaitable[Any]) -> Any:
        """Wait for *answer*, and then rest for as long as it took."""
        began = self._clock.seconds()
        found = await answer
        await deferLater(self._clock, self._clock.seconds() - began)
        return found

    async def look(self) -> None:
        names = [self._keys.format, self._keys.generation]
        form, generation = await self._connection.command(b"MGET", *names)
        if not form or not generation:
            raise RefusedError("no livechat has its rooms there, under this --redis-prefix")
        if form != FORMAT:
            raise RefusedError("its rooms are in another layout: start this livechat with it once")
        await self._generation.refresh()

    async def prepare(self) -> None:
        await check_layout(self._connection, self._keys)
        command = self._connection.command
        if not await command(b"EXISTS", self._keys.generation):
            # An unknown clock is trusted, as by the first process of an installation.
            (seconds, _) = await self._masters()[0].command(b"TIME")
            await command(b"SET", self._keys.clock, b"%d 0 0" % int(seconds), b"NX")
        await self._generation.refresh()

    async def secret(self) -> bytes:
        found: bytes = await self._connection.command(b"GET", self._keys.secret)
        return found

    async def know_guests_by(self, secret: bytes | None) -> Outcome:
        if secret is None:
            return THERE
        made = await self._connection.command(b"SET", self._keys.secret, secret, b"NX")
        if made:
            return ADDED
        return THERE if await self.secret() == secret else OTHER

    async def read_map(self, name: str) -> Mapping[str, MapEntry]:
        store, _ = await self._map(name)
        found: Reading = await self._ask(store.read())
        return found.entries

    async def _map(self, name: str) -> tuple[MapStore, Version]:
        if name not in self._maps:
            store = MapStore(name, self._connection, self._keys, _VALUE)
            self._maps[name] = store, await store.version()
        return self._maps[name]

    async def add_value(self, value: Value) -> Outcome:
        store, known = await self._map(value.map)
        entry = MapEntry(bytes(value.value), value.until)
        changed = store.change(known, value.key, entry, _NONE, most=MOST_KEYS, now=0, over=())
        verdict, _ = await self._ask(changed)
        if verdict == _CHANGED:
            return ADDED
        if verdict == _HAS_ANOTHER:
            name, key = self._keys.map(value.map), value.key.encode()
            (found,) = await self._connection.command(b"HMGET", name, key)
            return THERE if found == packed_entry(entry) else OTHER
        raise RefusedError(f"ERR {value.map} cannot be changed")

    async def names(self) -> AsyncIterator[list[str]]:
        asked = (b"MATCH", self._keys.states, b"COUNT", b"%d" % SCANNED)
        for master in self._masters():
            cursor = b""
            while cursor != b"0":
                cursor, found = await self._ask(master.command(b"SCAN", cursor or b"0", *asked))
                yield [self._keys.room_of_stream(each) for each in found]

    async def read(self, name: str, spool: BinaryIO) -> Room | None:
        for _ in range(TRIES):
            spool.seek(0)
            spool.truncate()
            room = await self._read_once(name, spool)
            if room is not None:
                return room if room.top else None
        raise RefusedError(f"ERR {name} changes all the time")

    async def _read_once(self, name: str, spool: BinaryIO) -> Room | None:
        """Read a room in steps; None if it changed meanwhile."""
        part = await self._step(name, 0)
        room = Room(name, part.epoch, part.top, part.oldest, part.time, part.event)
        at = room.oldest
        while True:
            for each in part.entries:
                if each.seq == at <= room.top:
                    spool.write(to_line(each))
                    at += 1
            if at > room.top:
                return room
            part = await self._step(name, at)
            # A new event may have changed an entry that was read before.
            same = (part.epoch, part.event) == (room.epoch, room.event)
            if not same or not part.entries or part.entries[0].seq != at:
                return None

    async def _step(self, name: str, start: int) -> _Step:
        lasts = b"%d" % (1000 * READ_WORD_LASTS)
        args = [b"%d" % start, b"%d" % ENTRIES, b"%d" % BYTES, new_word(), lasts]
        called = self._connection.call(EXPORT, self._keys.numbering(name), args)
        word, top, time, event, oldest, found = await self._ask(called)
        entries = []
        for number, kept in found:
            each = stored_entry(number, kept, word)
            extra = compact(each.extra)
            entries.append(Said(each.seq, each.time, each.text, each.user, int(each.kind), extra))
        return _Step(self._generation.epoch(name, word), top, time, event, oldest, entries)

    async def add(self, room: Room, entries: Iterable[Sequence[Said]], *, anew: bool) -> Outcome:
        top, word = await self._connection.command(
            b"HMGET", self._keys.state(room.name), b"s", b"w"
        )
        if top is not None:
            same = self._generation.epoch(room.name, word or b"") == room.epoch
            return THERE if same and int(top) >= room.top else OTHER
        draft = self._keys.draft(room.name)
        await self._connection.command(b"DEL", draft)
        tag = new_word()
        for some in entries:
            await self._ask(self._gather(draft, some, tag))
        word = new_word() if anew else self._generation.brought(room.epoch.encode())
        numbers = room.top, room.time
        args = [word, *(b"%d" % each for each in numbers), tag + b"%x" % room.top]
        args += [b"%d" % room.oldest, b"%d" % room.event]
        keys = [*self._keys.numbering(room.name), draft]
        if not await self._ask(self._connection.call(IMPORT, keys, args)):
            return OTHER
        if room.oldest <= room.top:
            stream = self._keys.stream(room.name)
            await self._connection.command(
                b"ZADD", self._keys.idle_of(stream), b"%d" % room.time, stream
            )
        return ADDED

    async def _gather(self, draft: bytes, entries: Sequence[Said], tag: bytes) -> None:
        """
        Add *entries* to the stream that the room will have.

        @param tag: the beginning of their tags; their numbers follow.
        """
        asked = []
        for each in entries:
            words = [b"t", b"%d" % each.time, b"i", tag + b"%x" % each.seq]
            words += b"m", each.text.encode()
            if each.user is not None:
                words += b"u", user_to_bytes(each.user)
            if each.kind:
                words += b"k", b"%d" % each.kind
            if each.extra:
                words += b"x", each.extra.encode()
            asked.append(self._connection.command(b"XADD", draft, b"%d-0" % each.seq, *words))
        lasts = b"%d" % (1000 * DRAFT_LASTS)
        asked.append(self._connection.command(b"PEXPIRE", draft, lasts))
        await answers(asked)


class OneRedis(Part):
    """The rooms in one Redis."""

    def __init__(self, connection: Connection, keys: Keys, clock: IReactorTime) -> None:
        super().__init__(connection, keys, clock, lambda: [connection])
        self._one = connection

    async def look(self) -> None:
        await check_role(self._one)
        await super().look()

    async def prepare(self) -> None:
        await check_role(self._one)
        await check_rights(self._one, self._keys)
        await super().prepare()


class _Step(NamedTuple):
    """Some entries of a room, and its numbering as they were read."""

    epoch: str
    top: int
    time: int
    event: int
    oldest: int
    entries: list[Said]
