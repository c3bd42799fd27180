"""
Presence in Redis: the users in the rooms, by process.

Each process keeps its own share of a room in a hash, one field for each process, and tells
the room's channel when it changes: its load grows with rooms and processes, not with
connections.  It says everything again every `REFRESH` seconds, in steps, so what was lost on the
way is made good by then, and a hash that nobody refreshes ends.  Where many processes have members
in a room, they are told of it the more rarely: each hears of some `FEW` others in that time.

The shares of a process that is not in the registry any more (`livechat.backends.redis.registry`)
do not count.  A process is in the registry before it shares, and a share that comes while the
registry is read is kept: what was read may be older than the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from livechat.backends.redis.connection import Commands, RefusedError, Script, UnansweredError
from livechat.backends.redis.entries import user_of_bytes, user_to_bytes
from livechat.backends.redis.keys import Keys
from livechat.interfaces import IPresenceRelay, IPresenceSink
from livechat.protocol.cluster import Share
from livechat.protocol.messages import User

PRESENCE: Final = Script("presence")
#: Seconds between two repetitions of a process's shares.
REFRESH: Final = 20.0
#: Rooms whose shares are repeated together.  All rooms at once would hold up this process and Redis
#: until pings are overdue.
STEP: Final = 100
#: Other processes in a room below which each repeated share is published.
FEW: Final = 8
#: Seconds after which a share that is not repeated is dropped.
SHARE_LASTS: Final = 75
#: Seconds for which a room without messages keeps its numbering's word after its last member has
#: left.
WORD_LASTS: Final = 86_400
#: Prefixes of news on a room's channel: of shares, of typing users, and of guests' new names.
SHARE: Final = b"company"
TYPING: Final = b"typing"
RENAMED: Final = b"renamed"
NEWS: Final = frozenset({SHARE, TYPING, RENAMED})

_decoder: Final = msgspec.msgpack.Decoder(Share)


@implementer(IPresenceRelay)
class PresenceRelay:
    """The shares of one process, and its knowledge of the others'."""

    _log = Logger()

    def __init__(
        self,
        connection: Commands,
        keys: Keys,
        clock: IReactorTime,
        *,
        process: bytes,
        usable: Callable[[str], bool],
    ) -> None:
        """
        @param process: this process's name in the registry.
        @param usable: returns True if Redis can be asked about a room.
        """
        self._usable = usable
        self._stopped = False
        self._connection = connection
        self._keys = keys
        self._clock = clock
        self._process = process
        self._sink: IPresenceSink | None = None
        self._mine: dict[str, Share] = {}
        # Other processes' shares of the subscribed rooms, by room and process.
        self._others: dict[str, dict[bytes, Share]] = {}
        #: The number of shares that came from other processes.
        self.heard = 0
        # By process, the value of `heard` at its last share.
        self._last: dict[bytes, int] = {}
        # Rooms whose last share was not published, or perhaps not.
        self._unsaid: set[str] = set()
        self._said_at = float("-inf")
        # The number of the last walk over all rooms; and true while it goes on.
        self._walk = 0
        self._walking = False

    def start(self, sink: IPresenceSink | None) -> None:
        self._sink = sink

    def stop(self) -> None:
        """Publish no more shares."""
        self._stopped = True

    def share(self, room: str, share: Share) -> None:
        """Implement `livechat.interfaces.IPresenceRelay.share`."""
        if not self._stopped and (share.count or room in self._mine):
            self._mine[room] = share
            self._say(room, share)

    def _say(self, room: str, share: Share, *, tell: bool = True) -> Deferred[None]:
        """
        Publish a share.  Fires when it was published, or lost.

        @param tell: publish it in the room's channel, too, and not only store it.
        """
        if tell:
            self._unsaid.add(room)
        value = msgspec.msgpack.encode(share) if share.count else b""
        keys = [self._keys.presence(room), self._keys.channel(room), self._keys.word(room)]
        lasts = b"%d" % (1000 * SHARE_LASTS), b"%d" % (1000 * WORD_LASTS)
        args = [self._process, value, *lasts, b"1" if tell else b""]
        # A lost share is told again, an empty one as well.
        called = self._connection.call(PRESENCE, keys, args)
        return called.addCallbacks(self._said, _lost, (room, share))

    def _said(self, _: object, room: str, share: Share) -> None:
        if self._mine.get(room) == share:
            self._unsaid.discard(room)
        if not share.count and self._mine.get(room) == share:
            del self._mine[room]

    def typing(self, room: str, user: User) -> None:
        """Implement `livechat.interfaces.IPresenceRelay.typing`."""
        self._publish(room, b"%b %b %b" % (TYPING, self._process, user_to_bytes(user)))

    def renamed(self, room: str, user: User, when: int) -> None:
        """Implement `livechat.interfaces.IPresenceRelay.renamed`."""
        told = b"%b %b %d %b" % (RENAMED, self._process, when, user_to_bytes(user))
        self._publish(room, told)

    def _publish(self, room: str, payload: bytes) -> None:
        if self._usable(room):
            channel = self._keys.channel(room)
            self._connection.command(b"PUBLISH", channel, payload).addErrback(_lost)

    def refresh(self, *, now: bool = False) -> None:
        """
        Publish all shares again, step by step, if they are due.

        @param now: they are due, and earlier ones may be lost.
        """
        due = self._clock.seconds() >= self._said_at + REFRESH and not self._walking
        if now or due:
            self._said_at = self._clock.seconds()
            self._walk += 1
            if now:
                self._unsaid.update(self._mine)
            Deferred.fromCoroutine(self._say_all(self._walk))

    async def _say_all(self, walk: int) -> None:
        """Repeat all shares; a step waits for the answers to the last, and then as long again."""
        self._walking = True
        rooms = tuple(self._mine)
        most = REFRESH * STEP / max(1, len(rooms)) / 2
        for start in range(0, len(rooms), STEP):
            began = self._clock.seconds()
            some = [room for room in rooms[start : start + STEP] if room in self._mine]
            said = [self._say(each, self._mine[each], tell=self._tells(each)) for each in some]
            await DeferredList(said)
            if start + STEP < len(rooms):
                took = self._clock.seconds() - began
                await deferLater(self._clock, min(took, most))
            if walk != self._walk or self._stopped:
                # A later walk has begun, or no share is left.
                return
        self._walking = False

    def _tells(self, room: str) -> bool:
        """Return True if a repeated share is to be published in its room."""
        others = len(self._others.get(room, ()))
        return room in self._unsaid or self._walk % (1 + others // FEW) == 0

    async def find(self, room: str) -> None:
        """
        Read the shares of a room that is listened to now.  Fails as `Commands.command`.
        """
        found = await self._connection.command(b"HGETALL", self._keys.presence(room))
        shares = self._others[room] = {}
        for process, value in zip(found[::2], found[1::2], strict=True):
            self._update(shares, process, value)
        self.tell(room)

    def forget(self, room: str) -> None:
        """Drop the shares of a room that is not listened to any more."""
        self._others.pop(room, None)

    def hear(self, room: str, payload: bytes) -> None:
        """
        Handle another process's news: its share, a typing user, or a guest's new name.

        @raise ValueError: the news are of another kind.
        """
        what, process, value = payload.split(b" ", 2)
        if process == self._process or self._sink is None:
            return
        if what == TYPING:
            self._sink.typing(room, _user(value))
        elif what == RENAMED:
            when, _, renamed = value.partition(b" ")
            self._sink.renamed(room, _user(renamed), int(when))
        elif room in self._others:
            self._update(self._others[room], process, value)
            self.tell(room)

    def _update(self, shares: dict[bytes, Share], process: bytes, value: bytes) -> None:
        if process == self._process:
            return
        self.heard += 1
        self._last[process] = self.heard
        try:
            share = _decoder.decode(value) if value else Share()
        except msgspec.MsgspecError as reason:
            # The share is another version's.
            self._log.warn(
                "The users at another process cannot be read: {reason}", reason=str(reason)
            )
            return
        if share.count:
            shares[process] = share
        else:
            shares.pop(process, None)

    def alive(self, processes: Iterable[bytes], heard: int) -> None:
        """
        Drop the shares of processes that are not in the registry.

        @param heard: `heard` before the registry was read; processes that shared since are kept.
        """
        registered = frozenset(processes)
        self._last = {
            process: last
            for process, last in self._last.items()
            if last > heard or process in registered
        }
        there = registered | self._last.keys()
        if self._process not in there:
            # Other processes have dropped this one's shares while it was silent.
            self.refresh(now=True)
        for room, shares in self._others.items():
            gone = shares.keys() - there
            if gone:
                for process in gone:
                    del shares[process]
                self._connection.command(b"HDEL", self._keys.presence(room), *gone).addErrback(
                    _lost
                )
                self.tell(room)

    def tell(self, room: str) -> None:
        """Tell the sink the other processes' shares of a room."""
        if self._sink is not None:
            self._sink.present(room, tuple(self._others.get(room, {}).values()))


def _user(value: bytes) -> User:
    """
    Read the user that news are about.

    @raise ValueError: there is none.
    """
    user = user_of_bytes(value)
    if user is None:
        raise ValueError("nobody is named")
    return user


def _lost(failure: Failure) -> None:
    """The share was not told; tell it again."""
    failure.trap(UnansweredError, RefusedError)
