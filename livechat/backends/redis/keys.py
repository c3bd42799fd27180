"""
Names of keys and channels.

A prefix tells installations that share a Redis apart.  Channels know no databases, so
the database's number is in their names.  The braces put all keys of a room, and all that
belong to no room, in the same place where there are several (hash tags).  Names of rooms
go in as they are: they have no braces, and only internal ones a `!`, with more behind it
(`livechat.protocol.names`).

    lc:{room}:s      the stream: an entry's id is its number, its fields are t (time in
                     milliseconds), i (tag), m (text) and, maybe, u (user), k (kind), x (the rest)
    lc:{room}:x      a hash: entries that were changed, and neighbours of them, by number; the
                     stream does not have them any more (`amend.lua`)
    lc:{room}:m      the state: s, t and i of the newest entry; w, the word of the numbering;
                     e, the number of the newest event, if there was one; o, while that event is
                     kept, the oldest kept number; h, g and f, for entries that receivers outside
                     wait for (`holding.lua`).  The state outlives the stream
    lc:{room}:c      a hash: how far each of them was told
    lc:{room}:w      the word of a room without entries; ends by itself
    lc:{room}:n:…    the use of a nonce: number, time, tag, digest of the act, and word
    lc:{room}:t:…    when the newest message of a user, or of an address, was let through, where a
                     slow mode counts it, in milliseconds; the digest of `Throttle.key` is in
                     the name.  Ends by itself, as the next one does
    lc:{room}:r      how far the room has used up its rate (`pacing.lua`)
    lc:{room}:d      a stream that an import fills (`moving`); ends by itself
    lc:{room}:p      who is in the room, at each process (`livechat.backends.redis.presence`)
    lc:DB:{room}     the room's channel

    lc:{!}:format, generation, secret, processes, process:…
    lc:{!}:shared:…  a hash: a shared map (`change.lua`)
    lc:{!}:draft:…   a map that is about to be put back (`restore.lua`); ends by itself
    lc:{!}:map:…, shelf:…
                     what a map was in versions before
    lc:{!}:idle      a sorted set: all streams, by the time of their newest message
    lc:{!}:clock     how far Redis's clock was trusted (`livechat.system.wallclock.Record`)
    lc:{!}:sweeper, searched
                     the leader of the sweep; that all streams were looked for lately
    lc:{!}:receivers the receivers outside (`livechat.backends.redis.receivers`)
    lc:{!}:entered, marks
                     a sorted set: rooms that may have something for them; and a hash: under which
                     mark each was entered last (`livechat.backends.redis.entering`)
    lc:{!}:teller    the process that tells them
    lc:{!}:rights    empty: rights are tried on it, and on the channel lc:DB:{!}:rights
    lc:DB:{!}        the channel of what concerns all processes
    lc:DB:{!relay}   that of what they tell each other and nobody keeps
    lc:DB:{!outbox}  that of rooms with new entries, while there are receivers outside
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

#: The layout that this module describes.  A process refuses others.
FORMAT: Final = b"3"
#: Layouts that are converted: processes of the last one would show events as messages.
BEFORE: Final = (b"2",)
#: The default prefix of an installation.
PREFIX: Final = "lc"
#: The prefix of the first layout, which knew no format.
_BEFORE: Final = "lc"
#: Documents of the first layout.
_DOCUMENTS: Final = ("operators",)


@dataclass(frozen=True)
class Keys:
    """The names that one installation uses."""

    prefix: str = PREFIX
    database: int = 0

    def _of(self, room: str, what: str) -> bytes:
        return f"{self.prefix}:{{{room}}}:{what}".encode()

    def _ours(self, what: str) -> bytes:
        return self._of("!", what)

    def stream(self, room: str) -> bytes:
        return self._of(room, "s")

    def state(self, room: str) -> bytes:
        return self._of(room, "m")

    def changed(self, room: str) -> bytes:
        return self._of(room, "x")

    def word(self, room: str) -> bytes:
        return self._of(room, "w")

    def nonce(self, room: str, nonce: str) -> bytes:
        return self._of(room, f"n:{nonce}")

    def last_of(self, room: str, mark: str) -> bytes:
        """
        @param mark: the digest of whose message it is.
        """
        return self._of(room, f"t:{mark}")

    def rate(self, room: str) -> bytes:
        return self._of(room, "r")

    def cursors(self, room: str) -> bytes:
        return self._of(room, "c")

    def cursors_of(self, stream: bytes) -> bytes:
        """`cursors` of the room that *stream* is of."""
        return stream[:-1] + b"c"

    def draft(self, room: str) -> bytes:
        return self._of(room, "d")

    def presence(self, room: str) -> bytes:
        return self._of(room, "p")

    def numbering(self, room: str) -> list[bytes]:
        """The keys from which the scripts know a room, in their order."""
        return [self.stream(room), self.state(room), self.word(room), self.changed(room)]

    def numbering_of(self, stream: bytes) -> list[bytes]:
        """`numbering` of the room that *stream* is of."""
        before = stream[:-1]
        return [stream, before + b"m", before + b"w", before + b"x"]

    def channel(self, room: str) -> bytes:
        return f"{self.prefix}:{self.database}:{{{room}}}".encode()

    def room(self, channel: bytes) -> str:
        """The room that *channel* belongs to."""
        return channel[self._before_room : -1].decode()

    def room_of_stream(self, stream: bytes) -> str:
        """The room that *stream*, or another key of it, belongs to."""
        return stream[stream.index(b"{") + 1 : stream.rindex(b"}")].decode()

    @cached_property
    def _before_room(self) -> int:
        # Cached, as each published message needs these two.
        return len(self.channel("")) - 1

    @cached_property
    def control(self) -> bytes:
        return self.channel("!")

    @cached_property
    def relay(self) -> bytes:
        return self.channel("!relay")

    @cached_property
    def outbox(self) -> bytes:
        return self.channel("!outbox")

    @property
    def format(self) -> bytes:
        return self._ours("format")

    @property
    def generation(self) -> bytes:
        return self._ours("generation")

    @property
    def secret(self) -> bytes:
        return self._ours("secret")

    @property
    def processes(self) -> bytes:
        return self._ours("processes")

    @property
    def streams(self) -> bytes:
        """A pattern that all streams match."""
        return self.stream("*")

    @property
    def states(self) -> bytes:
        """A pattern that all states match."""
        return self.state("*")

    def idle_of(self, stream: bytes) -> bytes:
        """The set of idle rooms that a room's *stream* is in."""
        return self.idle

    @cached_property
    def idle(self) -> bytes:
        return self._ours("idle")

    @property
    def clock(self) -> bytes:
        return self._ours("clock")

    @property
    def sweeper(self) -> bytes:
        return self._ours("sweeper")

    @property
    def searched(self) -> bytes:
        return self._ours("searched")

    @property
    def receivers(self) -> bytes:
        return self._ours("receivers")

    @cached_property
    def entered(self) -> bytes:
        return self._ours("entered")

    @cached_property
    def marks(self) -> bytes:
        return self._ours("marks")

    @property
    def teller(self) -> bytes:
        return self._ours("teller")

    @property
    def trial(self) -> bytes:
        """A key on which rights are tried, and that stays empty."""
        return self._ours("rights")

    @property
    def trial_channel(self) -> bytes:
        """A channel on which rights are tried, and on which nothing is said."""
        return self.control + b":rights"

    def is_trial(self, channel: bytes) -> bool:
        """Tell whether rights are tried on *channel*."""
        return channel == self.trial_channel

    def process(self, name: bytes) -> bytes:
        return self._ours("process:") + name

    def map(self, name: str) -> bytes:
        return self._ours(f"shared:{name}")

    def map_draft(self, name: str, word: str) -> bytes:
        return self._ours(f"draft:{name}:{word}")

    def former_map(self, name: str) -> bytes:
        return self._ours(f"map:{name}")

    def shelf(self, name: str) -> bytes:
        return self._ours(f"shelf:{name}")

    def renamed(self) -> list[tuple[bytes, bytes]]:
        """Keys of the first layout that go on under new names: old, new."""
        if self.prefix != _BEFORE:
            return []
        names = [("generation", self.generation), ("secret", self.secret)]
        names += [(f"shelf:{name}", self.shelf(name)) for name in _DOCUMENTS]
        return [(f"{_BEFORE}:{old}".encode(), new) for old, new in names]

    @staticmethod
    def processes_before() -> bytes:
        """The processes of the first layout."""
        return f"{_BEFORE}:processes".encode()
