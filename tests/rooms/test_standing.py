"""`livechat.rooms.standing`."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.limits.rates import Rate
from livechat.limits.source import Source
from livechat.protocol.audit import Author
from livechat.protocol.messages import User
from livechat.protocol.moderation import Restriction
from livechat.protocol.settings import SettingsChange
from livechat.protocol.v1 import RoomChanged, ServerFrame
from livechat.rooms.standing import SLICE, IResident, Standings
from livechat.system.time import Time
from tests.support import TURN, TurnClock, make_free_rules, run

NOW = 1_000_000
MOD = Author("operator")


@implementer(IResident)
class Resident:
    """A connection that remembers what it was told."""

    def __init__(self) -> None:
        self.reason: ChatError | None = None
        self.told = 0
        self.broken = False

    def lapsed(self, reason: ChatError) -> None:
        self.reason = reason

    def rights_changed(self) -> None:
        if self.broken:
            raise ZeroDivisionError
        self.told += 1

    def tell(self, frame: ServerFrame) -> None:
        """Nothing is told in these tests."""

    def renamed(self, actor: Actor) -> None:
        """No-op: these tests rename nobody."""


class Rooms:
    """Stands for the hub."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def broadcast(self, room: str, frame: Any) -> None:
        self.told.append((room, frame))


class StandingsTest(SynchronousTestCase):
    """The connections of a process."""

    def setUp(self) -> None:
        self.clock = TurnClock()
        self.clock.advance(NOW)
        self.time = Time(self.clock, self.clock.seconds)
        self.rules = make_free_rules(self.time)
        self.hub = cast("Any", Rooms())
        self.standings = Standings(self.rules, self.hub, self.time)

    def enter(self, known_as: str = "42", room: str = "r") -> tuple[Resident, Any]:
        resident = Resident()
        user = User(known_as, "Ann", verified=True)
        actor = Actor("user", Source("192.0.2.1", Rate.of(0)), user)
        return resident, self.standings.enter(actor, room, resident)

    def restrict(self, kind: Any, known_as: str = "42", room: str = "r", **more: Any) -> None:
        user = User(known_as, "Ann", verified=True)
        made = Restriction(kind, "moderate", user, MOD, NOW, **more)
        run(self.rules.restrictions.put(room, user.subject, made))

    def change(self, pattern: str, **settings: Any) -> None:
        run(self.rules.settings.change(pattern, SettingsChange(**settings)))

    def test_banned_at_the_door(self) -> None:
        """A ban since the admission counts as soon as the member enters."""
        self.restrict("ban")
        resident, _ = self.enter()
        assert resident.reason is not None
        assert resident.reason.kind is Kind.BANNED
        assert self.standings.rooms() == []

    def test_a_restriction_is_in_force_before_the_answer(self) -> None:
        """A restriction is in force when its maker is answered."""
        here, _ = self.enter()
        elsewhere, _ = self.enter(room="x")
        another, _ = self.enter("43")
        self.restrict("mute")
        assert [each.told for each in (here, elsewhere, another)] == [1, 0, 0]
        self.restrict("ban", room="*")
        assert here.reason is not None
        assert elsewhere.reason is not None
        assert another.reason is None

    def test_an_equal_change_is_not_told(self) -> None:
        """A change that makes no difference to a member is not told to it."""
        resident, _ = self.enter()
        self.change("r", topic="x")
        self.change("*", title="y", guests="off")
        self.clock.advance(TURN)
        assert (resident.told, resident.reason) == (0, None)
        assert [room for room, _ in self.hub.told] == ["r"]

    def test_a_closed_connection_is_told_nothing(self) -> None:
        """A connection that is over is told nothing, and keeps nothing here."""
        resident, standing = self.enter()
        self.restrict("mute", until=NOW + 10)
        standing.end()
        standing.end()
        self.change("*", closed=True)
        self.clock.advance(20)
        assert (resident.told, resident.reason) == (1, None)
        assert not self.clock.getDelayedCalls()
        index = self.standings
        assert (index._rooms, index._names, index._told) == ({}, {}, {})

    def test_the_end_of_a_restriction_is_told(self) -> None:
        """Far ends are waited for, too."""
        resident, _ = self.enter()
        self.restrict("mute", until=NOW + 100_000)
        for _ in range(30):
            self.clock.advance(3_600)
        assert resident.told == 2
        assert not self.clock.getDelayedCalls()

    def test_a_replaced_restriction_is_told(self) -> None:
        """A restriction that takes the place of another is told."""
        resident, _ = self.enter()
        self.restrict("mute", until=NOW + 10)
        self.restrict("mute", until=NOW + 20)
        self.clock.advance(10 + TURN)
        assert resident.told == 2
        self.clock.advance(10)
        assert resident.told == 3

    def test_many_members_are_told_in_slices(self) -> None:
        """Many members are told in slices; their rights are forgotten at once."""
        residents = [self.enter(f"{number}", f"team-{number}") for number in range(3 * SLICE)]
        self.change("team-*", closed=True, topic="x")
        _, last = residents[-1]
        assert self.standings.refusal(last) is not None
        assert not self.hub.told
        turns = 0
        while self.clock.getDelayedCalls():
            turns += 1
            self.clock.advance(TURN)
        assert 6 <= turns <= 7
        assert all(each.reason is not None for each, _ in residents)
        assert len(self.hub.told) == 3 * SLICE

    def test_an_emptied_room_is_passed_over(self) -> None:
        """A room that nobody is in any more when its turn comes is passed over."""
        _, standing = self.enter()
        self.change("r", topic="x", guests="off")
        standing.end()
        self.clock.advance(TURN)
        assert not self.hub.told

    def test_a_bug_at_one_member_spares_the_others(self) -> None:
        """The others are told all the same."""
        first, _ = self.enter()
        second, _ = self.enter()
        first.broken = True
        self.restrict("mute")
        assert second.told == 1
        assert len(self.flushLoggedErrors(ZeroDivisionError)) == 1

    def test_settings_are_told_without_words(self) -> None:
        """The room's settings, without its words."""
        self.enter()
        self.change("r", slow=5, words=("bad",))
        self.clock.advance(TURN)
        ((room, frame),) = self.hub.told
        assert isinstance(frame, RoomChanged)
        assert (room, msgspec.to_builtins(frame.settings)) == ("r", {"slow": 5})
