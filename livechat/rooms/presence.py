"""
Presence: the users of a room, at all processes.

A user is present from the first connection to the last, at any process.  A user that would be
recognized (`livechat.identity.guests`) stays for `RETURN_WITHIN` seconds after the last one:
reloading a page, or losing a restarting server, is not leaving.

Each process publishes its `Share` of a room to the others.  A user in any share is present;
`joined` and `left` are the changes in all of them together:

    enter, leave ──> own share ──every second──> the other processes
                          └──────────┬─────────────┘ their shares
                           joined, left, presence ──> the room's members

If the room's setting ``presence`` is off, members are not told of each other: they get numbers, and
only on request.

In a room of more than `LARGE_ROOM` users, single users are not announced; members get numbers, once
a second at most.  There a user at two processes counts twice, since shares have only numbers, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

from msgspec import structs
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from livechat.events.announcing import Announcer
from livechat.identity.actor import Actor
from livechat.interfaces import IPresenceRelay, IPresenceSink
from livechat.limits.deadlines import Deadlines
from livechat.protocol.cluster import Share
from livechat.protocol.messages import User
from livechat.protocol.v1 import Joined, Left, Present, Renamed, ServerFrame, Typing
from livechat.rooms.hub import Hub
from livechat.rooms.listeners import Listeners

#: Seconds for which a user without connections stays present.
RETURN_WITHIN: Final = 10.0
#: The most users of a room that may be away for that time; beyond, the first has left.
MOST_AWAY: Final = 50
#: The number of users beyond which a room has numbers only.
LARGE_ROOM: Final = 100
#: Seconds between two shares that are published, and between two numbers of a large room.
PUBLISH_EVERY: Final = 1.0
#: Seconds between two announcements that a user is typing.
TYPING_EVERY: Final = 3.0
#: Milliseconds for which that announcement holds.
TYPING_TTL: Final = 6_000


class _LocalUser:
    """
    A user of this process.

    @ivar connections: 0 while the user may come back.
    @ivar typed: when the user was last announced as typing.
    @ivar named: when the user took another name, in milliseconds since 1970; 0: the name is that
        of the newest connection.
    """

    __slots__ = ("connections", "named", "typed", "user")

    def __init__(self, user: User) -> None:
        self.user = user
        self.connections = 0
        self.typed = float("-inf")
        self.named = 0


class _Attendance:
    """
    The users of one room.

    @ivar here: the users of this process, by subject.
    @ivar away: the users here that may come back, in the order in which they went.
    @ivar others: the shares of the other processes.
    @ivar announced: the numbers last told to the members, while the room is large.
    @ivar doubtful: users that have left this process, while another one claims to have them.
    """

    __slots__ = ("announced", "away", "connections", "doubtful", "here", "others")

    def __init__(self) -> None:
        self.here: dict[str, _LocalUser] = {}
        self.away: dict[str, None] = {}
        self.connections = 0
        self.others: Sequence[Share] = ()
        self.announced: Present | None = None
        self.doubtful: dict[str, User] = {}

    def share(self) -> Share:
        users = (
            tuple(each.user for each in self.here.values()) if len(self.here) <= LARGE_ROOM else ()
        )
        return Share(users, len(self.here), self.connections)

    def elsewhere(self) -> dict[str, User]:
        """Return the users that the other processes name."""
        return {user.subject: user for share in self.others for user in share.users}

    def numbers(self) -> Present:
        """Count the users of all processes, and their connections."""
        connections = self.connections + sum(share.connections for share in self.others)
        return Present(self.count(), connections)

    def count(self) -> int:
        """Count the users of all processes."""
        if not self.others:
            return len(self.here)
        if len(self.here) > LARGE_ROOM or any(
            share.count > len(share.users) for share in self.others
        ):
            return len(self.here) + sum(share.count for share in self.others)
        return len(self.here.keys() | self.elsewhere().keys())


@implementer(IPresenceSink)
class Presence:
    """
    Presence in all rooms of this process.

    @ivar follow: called with a user of this process that has taken another name in a room, and
        whether the room's members are told.
    @ivar announcer: told of users that come and go; None without one.
    """

    def __init__(
        self,
        clock: IReactorTime,
        hub: Hub,
        relay: IPresenceRelay,
        listeners: Listeners | None = None,
        shown: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """
        @param listeners: other people's code, told of the users of this process.
        @param shown: tells whether the members of a room are told of each other.
        """
        self._shown = shown
        self._listeners = listeners or Listeners((), clock)
        self._clock = clock
        self._hub = hub
        self._relay = relay
        self._rooms: dict[str, _Attendance] = {}
        self._gone: Deadlines[tuple[str, str]] = Deadlines(clock, RETURN_WITHIN, self._stays_away)
        # Rooms with news: for other processes, and for their own members.
        self._changed: dict[str, None] = {}
        self._large: dict[str, None] = {}
        self._timer: IDelayedCall | None = None
        self.follow: Callable[[str, User, bool], None] = lambda *_: None
        self.announcer: Announcer | None = None

    def enter(self, name: str, actor: Actor) -> None:
        """Count a connection in."""
        room = self._rooms.setdefault(name, _Attendance())
        user = _user(actor)
        here = room.here.get(user.subject)
        if here is None:
            here = room.here[user.subject] = _LocalUser(user)
            self._listeners.joined(name, user)
            if not room.others or user.subject not in room.elsewhere():
                self._announce(name, room, Joined(user))
                if self.announcer is not None:
                    self.announcer.came("joined", name, user)
            room.doubtful.pop(user.subject, None)
        if not here.connections:
            here.named = 0
            if here.user != user:
                self._announce(name, room, Renamed(user))
        if not here.named:
            here.user = user
        here.connections += 1
        room.connections += 1
        room.away.pop(user.subject, None)
        self._gone.stop((name, user.subject))
        self._change(name, room)

    def leave(self, name: str, actor: Actor) -> None:
        """Count a connection out."""
        room, known_as = self._rooms[name], _user(actor).subject
        here = room.here[known_as]
        here.connections -= 1
        room.connections -= 1
        if not here.connections:
            if actor.returns:
                room.away[known_as] = None
                self._gone.start((name, known_as))
                if len(room.away) > MOST_AWAY:
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

    def _remove(self, name: str, room: _Attendance, here: _LocalUser) -> None:
        del room.here[here.user.subject]
        self._listeners.left(name, here.user)
        room.away.pop(here.user.subject, None)
        if not room.others or here.user.subject not in room.elsewhere():
            self._announce(name, room, Left(here.user))
            self._tell_left(name, here.user)
        elif self.announcer is not None:
            room.doubtful[here.user.subject] = here.user
        self._forget(name, room)

    def _tell_left(self, name: str, user: User) -> None:
        if self.announcer is not None:
            self.announcer.came("left", name, user)

    def present(self, name: str, shares: Sequence[Share]) -> None:
        room = self._rooms.get(name)
        if room is None:
            if not shares or not self._hub.is_open(name):
                return
            room = self._rooms[name] = _Attendance()
        before, small = room.elsewhere(), room.count() <= LARGE_ROOM
        room.others = shares
        after = room.elsewhere()
        for known_as in room.doubtful.keys() - after.keys():
            # The other process lost the user at the same time, and may have assumed it to be here.
            self._tell_left(name, room.doubtful.pop(known_as))
        if small:
            # In a large room these users may have been present before without a name.
            for known_as in after.keys() - before.keys() - room.here.keys():
                self._announce(name, room, Joined(after[known_as]))
            for known_as in before.keys() - after.keys() - room.here.keys():
                self._announce(name, room, Left(before[known_as]))
            for known_as in after.keys() & before.keys() - room.here.keys():
                if after[known_as] != before[known_as]:
                    self._announce(name, room, Renamed(after[known_as]))
        self._note(name, room)
        self._forget(name, room)

    def known(self, name: str, actor: Actor) -> Actor:
        """Return *actor*, a member of the room, under its user's newest name."""
        here = self._rooms[name].here[_user(actor).subject]
        return structs.replace(actor, user=here.user) if here.named else actor

    def rename(self, name: str, user: User, now: int) -> None:
        """
        Rename a user in a room, at all processes.

        @param now: in milliseconds since 1970.
        """
        room = self._rooms.get(name)
        here = None if room is None else room.here.get(user.subject)
        # This name counts as the newest against any clock of another process.
        when = now if here is None else max(now, here.named + 1)
        self.renamed(name, user, when)
        self._relay.renamed(name, user, when)

    def renamed(self, room: str, user: User, when: int) -> None:
        there = self._rooms.get(room)
        here = None if there is None else there.here.get(user.subject)
        # Users at other processes come with shares.
        if there is None or here is None or (when, user.name) <= (here.named, here.user.name):
            return
        here.user, here.named = user, when
        told = self._announce(room, there, Renamed(user))
        self._change(room, there)
        self.follow(room, user, told)

    def typing(self, room: str, user: User) -> None:
        there = self._rooms.get(room)
        if there is not None and there.count() <= LARGE_ROOM:
            self._broadcast(room, Typing(user, TYPING_TTL))

    def types(self, name: str, actor: Actor) -> bool:
        """
        Announce that *actor* is typing, in a room that is not large.

        @return: False if the last announcement still holds.
        """
        room = self._rooms[name]
        here = room.here[_user(actor).subject]
        now = self._clock.seconds()
        if now < here.typed + TYPING_EVERY:
            return False
        here.typed = now
        if room.count() <= LARGE_ROOM:
            self._broadcast(name, Typing(here.user, TYPING_TTL))
            self._relay.typing(name, here.user)
        return True

    def who(self, name: str, *, hidden: bool = False) -> Present:
        """
        Return the numbers of a room, and its first users.

        @param hidden: also if members are not told of each other.
        """
        room = self._rooms.get(name, _Attendance())
        if not (hidden or self._shown(name)):
            return structs.replace(room.numbers(), members=())
        some = {key: here.user for key, here in islice(room.here.items(), LARGE_ROOM)}
        if len(some) < LARGE_ROOM:
            some |= room.elsewhere()
        return structs.replace(room.numbers(), members=tuple(islice(some.values(), LARGE_ROOM)))

    def users(self, name: str) -> dict[str, User]:
        """Return all users of a room whose names are known here, by subject."""
        room = self._rooms.get(name, _Attendance())
        return room.elsewhere() | {key: here.user for key, here in room.here.items()}

    def closed(self, name: str) -> None:
        """Forget the users of other processes: nobody watches the room here any more."""
        room = self._rooms.get(name)
        if room is not None:
            self._forget(name, room)

    def _broadcast(self, name: str, frame: ServerFrame) -> bool:
        shown = self._shown(name)
        if shown:
            self._hub.broadcast(name, frame)
        return shown

    def _announce(self, name: str, room: _Attendance, frame: Joined | Left | Renamed) -> bool:
        return room.count() <= LARGE_ROOM and self._broadcast(name, frame)

    def _change(self, name: str, room: _Attendance) -> None:
        """Schedule a share: something has changed in this process."""
        self._changed[name] = None
        self._note(name, room)
        if self._timer is None:
            self._timer = self._clock.callLater(PUBLISH_EVERY, self._publish)

    def _note(self, name: str, room: _Attendance) -> None:
        """Schedule numbers if the room is large, or was: something has changed in some process."""
        if room.count() > LARGE_ROOM or room.announced is not None:
            self._large[name] = None
            if self._timer is None:
                self._timer = self._clock.callLater(PUBLISH_EVERY, self._publish)

    def _publish(self) -> None:
        self._timer = None
        changed, self._changed = self._changed, {}
        large, self._large = self._large, {}
        for name in changed:
            room = self._rooms.get(name)
            self._relay.share(name, Share() if room is None else room.share())
        for name in large:
            room = self._rooms.get(name)
            if room is not None and (numbers := room.numbers()) != room.announced:
                self._broadcast(name, numbers)
                room.announced = numbers if numbers.users > LARGE_ROOM else None

    def _forget(self, name: str, room: _Attendance) -> None:
        if not room.here and not (room.others and self._hub.is_open(name)):
            self._rooms.pop(name, None)


def _user(actor: Actor) -> User:
    """The user of a member, which always has one."""
    assert actor.user is not None
    return actor.user
