"""
The standing of connections: the rights of each in its room, while settings and restrictions change.

A connection *stands* in its room from its entering to its end.  When an input of its rights
changes, these are forgotten at once, and computed anew.  Then the connection is told; or it is
closed, if it may not be there any more.  The end of a restriction is such a change, too.

A change may concern all connections of a process.  They take turns, `SLICE` at a time, so that
chatting goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final, TypeVar

from msgspec.structs import replace
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from zope.interface import Interface

from livechat.errors import ChatError
from livechat.identity.actor import Actor
from livechat.identity.pseudonyms import is_pseudonym
from livechat.identity.rights import EVERYWHERE, Right, Rights
from livechat.protocol.messages import User
from livechat.protocol.moderation import Restriction
from livechat.protocol.names import fits
from livechat.protocol.settings import RoomSettings
from livechat.protocol.v1 import Renamed, RoomChanged, ServerFrame
from livechat.rooms.hub import Hub
from livechat.rooms.restrictions import names_of
from livechat.rooms.rules import Rules
from livechat.system.time import Time

#: Connections whose rights are computed anew in one turn of the reactor.
SLICE: Final = 500
#: Seconds of the longest timer: a restriction that ends later is checked again meanwhile.
_LONGEST_TIMER: Final = 3_600.0

_log = Logger()
_T = TypeVar("_T")


class IResident(Interface):
    """A connection in a room."""

    def lapsed(reason: ChatError) -> None:
        """Close: the client may not be there any more."""

    def rights_changed() -> None:
        """Tell the client its present rights."""

    def tell(frame: ServerFrame) -> None:
        """Send *frame*, if the client understands frames."""

    def renamed(actor: Actor) -> None:
        """Go on as *actor*, the same user with another name."""


class Standing:
    """The standing of one connection."""

    __slots__ = ("_known", "_standings", "_timer", "actor", "resident", "room")

    def __init__(self, standings: Standings, actor: Actor, room: str, resident: IResident) -> None:
        self.actor = actor
        self.room = room
        self.resident = resident
        self._standings = standings
        self._timer: IDelayedCall | None = None
        self._known = standings.found(self)

    def renew(self, actor: Actor) -> None:
        """Go on as *actor*, the same user with other rights."""
        self._standings.left(self)
        self.actor = actor
        self._standings.entered(self)
        self._known = self._standings.found(self)
        self.check()

    def renamed(self, user: User, *, tell: bool) -> None:
        """
        Go on as *user*, the same one with another name.

        @param tell: tell the client, which the room does not tell.
        """
        self.actor = replace(self.actor, user=user)
        self.resident.renamed(self.actor)
        if tell:
            self.resident.tell(Renamed(user))

    def end(self) -> None:
        """End with the connection.  No-op a second time."""
        self._standings.left(self)
        self._cancel()

    def check(self) -> None:
        """Compute the rights anew, and tell the client if they have changed."""
        if not self._standings.has(self):
            return
        self._standings.forget(self)
        before, self._known = self._known, self._standings.found(self)
        reason = self._standings.refusal(self)
        if reason is not None:
            self.end()
            self.resident.lapsed(reason)
            return
        if self._known != before:
            self.resident.rights_changed()
        self.wait()

    def wait(self) -> None:
        """Look again when a restriction ends."""
        self._cancel()
        restriction = self._known[1]
        if restriction is not None and restriction.until is not None:
            self._timer = self._standings.call_at(restriction.until, self.check)

    def _cancel(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None


class Standings:
    """
    The standings of the connections of this process.

    @ivar moderator_came: called whenever a connection turns out to moderate its room.
    """

    def __init__(self, rules: Rules, hub: Hub, time: Time) -> None:
        self._policy = rules.policy
        self._settings = rules.settings
        self._restrictions = rules.restrictions
        self._hub = hub
        self._time = time
        self._rooms: dict[str, dict[Standing, None]] = {}
        self._names: dict[str, dict[Standing, None]] = {}
        # Settings last told to the members of a room.
        self._told: dict[str, RoomSettings] = {}
        self._rooms_to_tell: dict[str, None] = {}
        self._to_check: dict[Standing, None] = {}
        self._scheduled = False
        self.moderator_came: Callable[[], None] = lambda: None
        rules.settings.watch(self._settings_changed)
        rules.restrictions.watch(self._restrictions_changed)

    def enter(self, actor: Actor, room: str, resident: IResident) -> Standing:
        """
        Give the connection of *actor* its standing in *room*, which it has joined.

        May call *resident* at once, since its rights may have changed since it was let in.
        """
        standing = Standing(self, actor, room, resident)
        self.entered(standing)
        standing.check()
        return standing

    def rooms(self) -> list[str]:
        """The rooms with a connection at this process."""
        return [*self._rooms]

    def residents(self, room: str, right: Right) -> Iterator[IResident]:
        """The connections in *room* that have *right*."""
        for standing in tuple(self._rooms.get(room, ())):
            if right in self._policy.rights(standing.actor, room):
                yield standing.resident

    def of_subject(self, room: str, subject: str) -> Iterator[Standing]:
        """The connections of a user in *room*, or in all rooms."""
        for standing in tuple(self._names.get(subject, ())):
            if room in (EVERYWHERE, standing.room):
                yield standing

    def entered(self, standing: Standing) -> None:
        """Count *standing* in."""
        there = self._rooms.get(standing.room)
        if there is None:
            there = self._rooms[standing.room] = {}
            self._told[standing.room] = self._settings.of(standing.room).shown()
        there[standing] = None
        for name in names_of(standing.actor):
            self._names.setdefault(name, {})[standing] = None

    def left(self, standing: Standing) -> None:
        """Count *standing* out.  No-op a second time."""
        _take_out(self._rooms, standing.room, standing)
        if standing.room not in self._rooms:
            self._told.pop(standing.room, None)
        for name in names_of(standing.actor):
            _take_out(self._names, name, standing)
        self._to_check.pop(standing, None)

    def has(self, standing: Standing) -> bool:
        """Tell whether *standing* is counted in."""
        return standing in self._rooms.get(standing.room, ())

    def found(self, standing: Standing) -> tuple[Rights, Restriction | None]:
        """The rights of *standing*, and the restriction that binds it."""
        actor, room = standing.actor, standing.room
        rights = self._policy.rights(actor, room)
        if "moderate" in rights:
            self.moderator_came()
        return rights, self._policy.restriction(actor, room)

    def forget(self, standing: Standing) -> None:
        """Drop the kept rights of *standing*."""
        self._policy.forget(standing.actor, standing.room)

    def refusal(self, standing: Standing) -> ChatError | None:
        """The reason why *standing* may not be in its room any more; None if it may."""
        try:
            self._policy.require(standing.actor, standing.room, "join")
        except ChatError as reason:
            return reason
        return None

    def call_at(self, second: int, check: Callable[[], None]) -> IDelayedCall:
        """Call *check* at this second since 1970, or before that."""
        wait = max(0.0, second - self._time.wall())
        return self._time.callLater(min(wait, _LONGEST_TIMER), check)

    def _restrictions_changed(self, keys: Collection[str]) -> None:
        if not keys:
            self._check(each for there in self._rooms.values() for each in there)
        for key in keys:
            room, _, name = key.partition("|")
            # A connected user's address is still valid, however old.
            for standing in self.of_subject(EVERYWHERE, name):
                self._restrictions.saw(standing.actor)
            self._check_now(self.of_subject(room, name))
            if is_pseudonym(name):
                # The address may be that of a user here: only the restriction itself names its
                # person.
                rooms = list(self._rooms) if room == EVERYWHERE else [room]
                self._check(each for one in rooms for each in self._rooms.get(one, ()))

    def _settings_changed(self, patterns: Collection[str]) -> None:
        changed = [
            room
            for room in self._rooms
            if not patterns or any(fits(room, pattern) for pattern in patterns)
        ]
        for room in changed:
            self._rooms_to_tell[room] = None
            self._check(self._rooms[room])
        self._schedule()

    def _check_now(self, standings: Iterable[Standing]) -> None:
        """Compute the rights of a few anew, before the change is answered."""
        for standing in tuple(standings):
            self._checked(standing)

    def _check(self, standings: Iterable[Standing]) -> None:
        for standing in standings:
            self.forget(standing)
            self._to_check[standing] = None
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled and (self._to_check or self._rooms_to_tell):
            self._scheduled = True
            self._time.callLater(0, self._go_on)

    def _go_on(self) -> None:
        self._scheduled = False
        left = SLICE
        while self._rooms_to_tell and left:
            self._tell(_first(self._rooms_to_tell))
            left -= 1
        while self._to_check and left:
            self._checked(_first(self._to_check))
            left -= 1
        self._schedule()

    def _tell(self, room: str) -> None:
        """Tell the members of *room* its settings, if they have changed."""
        shown = self._settings.of(room).shown()
        if room in self._told and self._told[room] != shown:
            self._told[room] = shown
            self._hub.broadcast(room, RoomChanged(shown))

    @staticmethod
    def _checked(standing: Standing) -> None:
        try:
            standing.check()
        except Exception:  # noqa: BLE001 - the others are checked all the same
            _log.failure("A connection could not be told of its rights.")


def _take_out(index: dict[str, dict[Standing, None]], name: str, standing: Standing) -> None:
    there = index.get(name)
    if there is not None:
        there.pop(standing, None)
        if not there:
            del index[name]


def _first(queue: dict[_T, None]) -> _T:
    first = next(iter(queue))
    del queue[first]
    return first
