"""
Which users are in a room, at all processes.

A user is here from its first connection to its last, wherever they are.  One who will be
known again (`livechat.identity.guests`) stays for `GRACE` after the last one has gone: who reloads
a page, or is thrown off by a server that restarts, has not left.

Each process tells the others its `Share` of a room.  A user who is in anybody's share is
here; `joined` and `left` are what changes in all of them together:

    enter, leave ──> own share ──every second──> the other processes
                          └──────────┬─────────────┘ their shares
                           joined, left, presence ──> the room's members

In a room of more than `MANY` users nobody is told of single ones: there are numbers, once
a second at most.  There a user at two processes counts twice, because shares have numbers
only as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

from msgspec import structs
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from livechat.identity.guests import Visitor
from livechat.interfaces import IBackend, ICompany
from livechat.limits.deadlines import Deadlines
from livechat.protocol.cluster import Share
from livechat.protocol.messages import User
from livechat.protocol.v1 import Joined, Left, Present, Typing
from livechat.rooms.hub import Hub

#: Seconds for which a user stays without any connection.
GRACE: Final = 10.0
#: Users of a room who may be away for that time; of more, the first has left.
AWAY: Final = 50
#: Users of a room beyond which it has numbers only.
MANY: Final = 100
#: Seconds between two times at which other processes, or a large room, are told numbers.
TELL_EVERY: Final = 1.0
#: Seconds in which a user is passed on as writing once.
TYPING_EVERY: Final = 3.0
#: Milliseconds for which that holds.
TYPING_LASTS: Final = 6_000


class _Here:
    """
    A user of this process.

    @ivar connections: 0 while it may come back.
    @ivar typed: when it was last passed on as writing.
    """

    __slots__ = ("connections", "typed", "user")

    def __init__(self, user: User) -> None:
        self.user = user
        self.connections = 0
        self.typed = float("-inf")


class _Room:
    """
    @ivar here: the users of this process, by id.
    @ivar away: those of them who may come back, in the order in which they went.
    @ivar others: the shares of the others.
    @ivar told: the numbers that its members were told last, while it is large.
    """

    __slots__ = ("away", "connections", "here", "others", "told")

    def __init__(self) -> None:
        self.here: dict[str, _Here] = {}
        self.away: dict[str, None] = {}
        self.connections = 0
        self.others: Sequence[Share] = ()
        self.told: Present | None = None

    def share(self) -> Share:
        users = tuple(each.user for each in self.here.values()) if len(self.here) <= MANY else ()
        return Share(users, len(self.here), self.connections)

    def elsewhere(self) -> dict[str, User]:
        """The users of the other processes, as far as they tell."""
        return {user.id: user for share in self.others for user in share.users}

    def numbers(self) -> Present:
        """How many they are, and how many connections they have."""
        connections = self.connections + sum(share.connections for share in self.others)
        return Present(self.count(), connections)

    def count(self) -> int:
        """How many users are here."""
        if not self.others:
            return len(self.here)
        if len(self.here) > MANY or any(share.count > len(share.users) for share in self.others):
            return len(self.here) + sum(share.count for share in self.others)
        return len(self.here.keys() | self.elsewhere().keys())


@implementer(ICompany)
class Presence:
    """The users of all rooms."""

    def __init__(self, clock: IReactorTime, hub: Hub, backend: IBackend) -> None:
        self._clock = clock
        self._hub = hub
        self._backend = backend
        self._rooms: dict[str, _Room] = {}
        self._gone: Deadlines[tuple[str, str]] = Deadlines(clock, GRACE, self._stays_away)
        # Of which there is something to tell: to other processes, to the room itself.
        self._changed: dict[str, None] = {}
        self._large: dict[str, None] = {}
        self._telling: IDelayedCall | None = None

    def enter(self, name: str, visitor: Visitor) -> None:
        """One more connection."""
        room = self._rooms.setdefault(name, _Room())
        user = visitor.user
        here = room.here.get(user.id)
        if here is None:
            here = room.here[user.id] = _Here(user)
            if not room.others or user.id not in room.elsewhere():
                self._tell(name, room, Joined(user))
        here.user = user
        here.connections += 1
        room.connections += 1
        room.away.pop(user.id, None)
        self._gone.stop((name, user.id))
        self._change(name, room)

    def leave(self, name: str, visitor: Visitor) -> None:
        """One connection less."""
        room = self._rooms[name]
        here = room.here[visitor.user.id]
        here.connections -= 1
        room.connections -= 1
        if not here.connections:
            if visitor.returns:
                room.away[visitor.user.id] = None
                self._gone.start((name, visitor.user.id))
                if len(room.away) > AWAY:
                    first = next(iter(room.away))
                    self._gone.stop((name, first))
                    self._remove(name, room, room.here[first])
            else:
                self._remove(name, room, here)
        self._change(name, room)

    def _stays_away(self, gone: tuple[str, str]) -> None:
        name, known_as = gone
        room = self._rooms[name]
        self._remove(name, room, room.here[known_as])
        self._change(name, room)

    def _remove(self, name: str, room: _Room, here: _Here) -> None:
        del room.here[here.user.id]
        room.away.pop(here.user.id, None)
        if not room.others or here.user.id not in room.elsewhere():
            self._tell(name, room, Left(here.user))
        self._forget(name, room)

    def present(self, name: str, shares: Sequence[Share]) -> None:
        room = self._rooms.get(name)
        if room is None:
            if not shares or not self._hub.members(name):
                return
            room = self._rooms[name] = _Room()
        before, small = room.elsewhere(), room.count() <= MANY
        room.others = shares
        after = room.elsewhere()
        if small:
            # Or else they may have been there before, and not been named.
            for known_as in after.keys() - before.keys() - room.here.keys():
                self._tell(name, room, Joined(after[known_as]))
            for known_as in before.keys() - after.keys() - room.here.keys():
                self._tell(name, room, Left(before[known_as]))
        self._note(name, room)
        self._forget(name, room)

    def typing(self, room: str, user: User) -> None:
        there = self._rooms.get(room)
        if there is not None and there.count() <= MANY:
            self._hub.tell(room, Typing(user, TYPING_LASTS))

    def types(self, name: str, visitor: Visitor) -> bool:
        """
        Pass on that *visitor* writes something, in a room that is not large.

        @return: whether it was time for that.
        """
        room = self._rooms[name]
        here = room.here[visitor.user.id]
        now = self._clock.seconds()
        if now < here.typed + TYPING_EVERY:
            return False
        here.typed = now
        if room.count() <= MANY:
            self._hub.tell(name, Typing(here.user, TYPING_LASTS))
            self._backend.typing(name, here.user)
        return True

    def who(self, name: str) -> Present:
        """Who is in a room."""
        room = self._rooms.get(name, _Room())
        some = {key: here.user for key, here in islice(room.here.items(), MANY)}
        if len(some) < MANY:
            some |= room.elsewhere()
        return structs.replace(room.numbers(), members=tuple(islice(some.values(), MANY)))

    def _tell(self, name: str, room: _Room, frame: Joined | Left) -> None:
        if room.count() <= MANY:
            self._hub.tell(name, frame)

    def _change(self, name: str, room: _Room) -> None:
        """Something has changed here."""
        self._changed[name] = None
        self._note(name, room)
        if self._telling is None:
            self._telling = self._clock.callLater(TELL_EVERY, self._tell_all)

    def _note(self, name: str, room: _Room) -> None:
        """Something has changed somewhere."""
        if room.count() > MANY or room.told is not None:
            self._large[name] = None
            if self._telling is None:
                self._telling = self._clock.callLater(TELL_EVERY, self._tell_all)

    def _tell_all(self) -> None:
        self._telling = None
        changed, self._changed = self._changed, {}
        large, self._large = self._large, {}
        for name in changed:
            room = self._rooms.get(name)
            self._backend.share(name, Share() if room is None else room.share())
        for name in large:
            room = self._rooms.get(name)
            if room is not None and (numbers := room.numbers()) != room.told:
                self._hub.tell(name, numbers)
                room.told = numbers if numbers.users > MANY else None

    def _forget(self, name: str, room: _Room) -> None:
        if not room.here and not (room.others and self._hub.members(name)):
            self._rooms.pop(name, None)
