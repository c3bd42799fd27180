"""
The rules: who may join, send and read what, and how often.

The only place where the backend, the hub and the limits meet.  Everything that
can be refused by a rule is refused here, by raising `ChatError` before anything
has happened; sockets, HTTP and pages all come through here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from hashlib import blake2b
from typing import Final

from msgspec import Struct, structs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from livechat import metrics
from livechat.errors import ChatError, Kind
from livechat.identity.guests import Visitor, passer_by, regular
from livechat.interfaces import IBackend, IClient, IMember, ISink
from livechat.limits.rates import Buckets, Rate
from livechat.limits.source import Source
from livechat.protocol.cluster import Report, Room
from livechat.protocol.looks import seen
from livechat.protocol.messages import Draft, Message, Newest, Place, Position, Repeated, User
from livechat.protocol.v1 import Limits
from livechat.rooms.activity import Activity
from livechat.rooms.directory import rooms_of_all
from livechat.rooms.hub import Hub
from livechat.rooms.presence import Presence
from livechat.rooms.recovery import NEWEST, Replay

#: Messages in a history unless said, and at most.
PAGE: Final = NEWEST
LONGEST_PAGE: Final = 1_000
#: Of a room in which nothing was ever said.
_NEVER: Final = Newest(0, 0)


class Window(Struct, frozen=True):
    """
    Which part of a history: the first `limit` messages after `after`, or the
    last `limit` before `before`, or, with neither, the newest.
    """

    limit: int = PAGE
    before: int | None = None
    after: int | None = None


class History:
    """
    Consecutive messages of a room, read as they are wanted.

    @ivar position: where the stream stood.
    @ivar first: the number of the first message.
    @ivar last: that of the last one; ``first - 1`` if there is none.
    @ivar older: the number before which there are others, or None.
    @ivar newer: the number after which there are others, or None.
    """

    def __init__(
        self, backend: IBackend, room: str, position: Position, first: int, last: int
    ) -> None:
        self._backend = backend
        self._room = room
        self.position = position
        self.first = first
        self.last = last
        some = first <= last
        self.older = first if some and first > position.oldest else None
        self.newer = last if some and last < position.seq else None

    async def pages(self) -> AsyncGenerator[tuple[Message, ...], None]:
        """
        The messages, oldest first, in pages that are small in memory.

        Ends early if the rest has expired meanwhile.

        @raise ChatError: the backend cannot read.
        """
        after = self.first - 1
        while after < self.last:
            page = await self._backend.read(self._room, after, self.last - after)
            messages = tuple(each for each in page.messages if each.seq <= self.last)
            if not messages:
                return
            yield messages
            after = messages[-1].seq


class Chat:
    """
    The rooms, as clients may use them.

    @ivar activity: what was said lately.
    @ivar presence: who is there.
    @ivar limits: what a client may do.
    """

    def __init__(
        self,
        backend: IBackend,
        hub: Hub,
        clock: IReactorTime,
        now: Callable[[], float],
        *,
        max_message: int,
        default_room: str,
        rate: float,
        rate_per_ip: float,
    ) -> None:
        """
        @param now: the time in seconds since 1970, UTC.
        @param max_message: bytes of UTF-8 in a message.
        @param rate: messages a second of a connection; 0 is no limit.
        @param rate_per_ip: messages a second of an address; 0 is no limit.
        """
        self._backend = backend
        self._hub = hub
        self._clock = clock
        self._now = now
        self.activity = Activity(clock)
        self.presence = Presence(clock, hub, backend)
        # What the backend knows of active rooms in which nothing was said lately.
        self._quiet: dict[str, Newest] = {}
        self._addresses = Buckets(Rate.of(rate_per_ip))
        self.max_message = max_message
        self.default_room = default_room
        self.limits = Limits(max_message, rate, Rate.of(rate).burst if rate else 0, PAGE)

    def now(self) -> int:
        """The time in milliseconds since 1970, UTC."""
        return int(1000 * self._now())

    async def visitor(self, name: str | None, key: str | None) -> Visitor:
        """
        Who comes, by the *name* and the *key* that it gives, if it gives any.

        @raise ChatError: it has a key, and the backend cannot be asked whose that is.
        """
        if key is None:
            return passer_by(name)
        return regular(await self._backend.secret(), key, name)

    async def join(
        self, room: str, member: IMember, visitor: Visitor, *, reads: bool = False
    ) -> None:
        """
        Make *member* one of *room*: from when this returns, it gets every message.

        @param reads: nothing until it has gone live, and everything from there on.
        @raise ChatError: the backend cannot deliver the room; *member* is not in it.
        """
        self._hub.join(room, member, reads=reads)
        try:
            await self._backend.subscribe(room)
            self.presence.enter(room, visitor)
        except BaseException:
            self._take_out(room, member)
            raise

    def leave(self, room: str, member: IMember, visitor: Visitor) -> None:
        """Take *member*, who has joined, out of *room*."""
        self._take_out(room, member)
        self.presence.leave(room, visitor)

    def _take_out(self, room: str, member: IMember) -> None:
        if self._hub.leave(room, member):
            self._backend.unsubscribe(room)

    async def place(self, room: str) -> Place:
        """
        Where *room* stands: what is said from now on comes behind it.

        @raise ChatError: the backend cannot read.
        """
        known = self._hub.place(room)
        if known is None:
            position = (await self._backend.read(room, 0, 0)).position
            known = self._hub.place(room) or Place(position.epoch, position.seq)
        return known

    def go_live(self, room: str, member: IMember, place: Place) -> None:
        """Deliver to *member* what follows *place*, which is where the room stands."""
        self._hub.go_live(room, member, place)

    def replay(self, room: str, client: IClient) -> Replay:
        """A way for *client*, a member of *room*, to read what it missed."""
        return Replay(self._backend, self._hub, self._clock, room, client)

    async def watch(self, room: str, watcher: ISink) -> None:
        """
        Show *watcher* what is said in *room*, from when this returns, without
        making it a member.

        @raise ChatError: the backend cannot deliver the room; it is not watched.
        """
        self._hub.watch(room, watcher)
        try:
            await self._backend.subscribe(room)
        except BaseException:
            self.unwatch(room, watcher)
            raise

    def unwatch(self, room: str, watcher: ISink) -> None:
        """Show it no more; nothing if it does not watch."""
        if self._hub.unwatch(room, watcher):
            self._backend.unsubscribe(room)

    def send(
        self,
        source: Source,
        room: str,
        text: str,
        *,
        user: User | None = None,
        nonce: str | None = None,
        anonymous: bool = False,
    ) -> Deferred[Message]:
        """
        Say *text* in *room*.  Fires once it is stored and delivered.

        One source's messages are stored in the order of the calls.

        @param user: whose message it is.
        @param nonce: the same one from the same user in the same room is the same message
            (`livechat.interfaces.IBackend.publish`).
        @param anonymous: the user will be another one next time, and the nonce counts among
            those of all such.
        @raise ChatError: at once, if it may not be sent.
        """
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise ChatError(
                Kind.BAD_MESSAGE, "The message holds half a surrogate pair, which is not Unicode."
            ) from None
        if size > self.max_message:
            raise ChatError(
                Kind.MESSAGE_TOO_LONG,
                f"The message has {size} bytes of UTF-8; at most {self.max_message} are allowed.",
            )
        now = self._clock.seconds()
        wait = source.bucket.admit(now) or self._addresses.admit(source.key, now)
        if wait:
            raise ChatError(
                Kind.RATE_LIMITED,
                f"Too many messages; wait {wait:.2f} seconds.",
                retry_after=wait,
            )
        if nonce is not None:
            nonce = _scoped(None if anonymous else user, nonce)
        draft = Draft(room, text, user, nonce, source.key)
        return self._backend.publish(draft).addCallback(self._said, room)

    def _said(self, message: Message, room: str) -> Message:
        if not isinstance(message, Repeated):
            metrics.stored.count += 1
            self.activity.said(room, message)
        return message

    async def history(self, room: str, window: Window) -> History:
        """
        What was said in *room*.  An unknown room has an empty history.

        @raise ChatError: the backend cannot read.
        """
        limit = min(window.limit, LONGEST_PAGE)
        position = (await self._backend.read(room, 0, 0)).position
        if window.after is not None:
            first = max(window.after + 1, position.oldest)
            last = min(first + limit - 1, position.seq)
        else:
            newest = position.seq if window.before is None else window.before - 1
            last = min(newest, position.seq)
            first = max(last - limit + 1, position.oldest)
        return History(self._backend, room, position, first, max(last, first - 1))

    async def rooms(self) -> list[Room]:
        """
        The active rooms, in no order: those that have members, in whatever process, and
        those in which something was said lately.
        """
        rooms = rooms_of_all(report.rooms for report in await self._backend.reports())
        quiet = {room.name for room in rooms if room.newest is None}
        for name in self._quiet.keys() - quiet:
            del self._quiet[name]
        unknown = [name for name in quiet if name not in self._quiet]
        if unknown:
            self._quiet |= await self._newest(unknown)
        return [
            structs.replace(room, newest=self._quiet.get(room.name))
            if room.newest is None
            else room
            for room in rooms
        ]

    async def room(self, name: str) -> Room:
        """One room, active or not."""
        reports = await self._backend.reports()
        shares = (room for report in reports for room in report.rooms if room.name == name)
        room = next(iter(rooms_of_all([shares])), Room(name, 0))
        if room.newest is not None:
            return room
        return structs.replace(room, newest=(await self._newest([name])).get(name))

    async def reports(self) -> Sequence[Report]:
        """What the processes that serve these rooms say of themselves, this one first."""
        return await self._backend.reports()

    def report(self, process: str, started: int, connections: int) -> Report:
        """
        What this process says of itself.

        @param process: its name, which no other has.
        @param started: in milliseconds since 1970, UTC.
        @param connections: how many it has.
        """
        return Report(
            process,
            started,
            connections,
            self.activity.rate(),
            tuple(self.activity.chart()),
            tuple(self.activity.rooms(self._hub.rooms())),
        )

    async def _newest(self, rooms: Sequence[str]) -> dict[str, Newest]:
        """What the backend knows of *rooms*: nothing, while it is away."""
        # Who looks at the rooms then must see them all the same.
        try:
            found = await self._backend.newest(rooms)
        except ChatError:
            return {}
        return {room: found.get(room, _NEVER) for room in rooms}

    def trouble(self) -> str | None:
        """Why messages cannot be taken just now; None if they can."""
        return self._backend.trouble()


def check_seen(text: str) -> None:
    """
    @raise ChatError: nothing of *text* is to be seen, so that it would be an empty line.
    """
    if not seen(text):
        raise ChatError(Kind.EMPTY_MESSAGE, "There is nothing to be seen in this message.")


def _scoped(user: User | None, nonce: str) -> str:
    """*nonce* as it is among those of all users; who has no user shares them with all such."""
    known_as = b"" if user is None else user.id.encode()
    return blake2b(nonce.encode(), key=known_as, digest_size=12).hexdigest()
