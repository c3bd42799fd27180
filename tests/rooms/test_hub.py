"""`livechat.rooms.hub`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass, verifyObject

from livechat.errors import Kind
from livechat.interfaces import ISink
from livechat.net.fast import write_all
from livechat.protocol.encoding import Encoding
from livechat.protocol.messages import Entry, Message, Place
from livechat.rooms.hub import SLICE, Hub
from livechat.system.time import Time
from tests.support import TURN, RecordingClient, RecordingSink, TurnClock


class CountingMember(RecordingClient):
    """Counts how often it is written to."""

    writes = 0
    last = b""

    def write(self, frames: bytes) -> None:
        self.writes += 1
        self.last = frames
        super().write(frames)

    def texts(self) -> list[str]:
        """Texts heard since the last call."""
        return [json.loads(frame)["message"] for frame in self.frames()]


class BrokenMember(CountingMember):
    """A member whose connection cannot be written to."""

    def write(self, frames: bytes) -> None:
        raise OSError(frames)


def messages(*texts: str) -> list[Message]:
    return [Message(text, seq, 0) for seq, text in enumerate(texts, 1)]


class HubTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.hub = Hub(Time(self.clock), write_all)

    def deliver(self, room: str, *texts: str) -> None:
        """Deliver, and end the turn."""
        self.hub.deliver(room, "e", messages(*texts))
        self.clock.advance(0)

    def test_is_a_sink(self) -> None:
        """The hub is what a backend delivers to."""
        assert verifyClass(ISink, Hub)
        assert verifyObject(ISink, self.hub)

    def test_delivers_to_the_room(self) -> None:
        """Every member of the room gets every message in order, nobody else gets any."""
        inside, too, outside = RecordingClient(), RecordingClient(), RecordingClient()
        self.hub.join("a", inside)
        self.hub.join("a", too)
        self.hub.join("b", outside)
        self.deliver("a", "x", "y")
        for member in (inside, too):
            assert [json.loads(frame)["message"] for frame in member.frames()] == ["x", "y"]
        assert outside.data == b""

    def test_a_message_to_an_empty_room_is_dropped(self) -> None:
        """A message for a room without members is nobody's."""
        self.deliver("a", "x")

    def test_leaving_tells_the_last_member(self) -> None:
        """Leaving tells the last member of a room; a second time is nothing."""
        one, two = RecordingClient(), RecordingClient()
        self.hub.join("a", one)
        self.hub.join("a", two)
        self.hub.join("a", two)
        assert self.hub.members("a") == 2
        assert not self.hub.leave("a", one)
        assert not self.hub.leave("a", one)
        assert self.hub.leave("a", two)
        assert not self.hub.leave("a", two)
        assert self.hub.members("a") == 0

    def test_a_place_that_was_found(self) -> None:
        """A place that was read is every newcomer's, until something is delivered."""
        assert self.hub.known("a") is None
        assert self.hub.found("a", Place("e", 2)) == Place("e", 2)
        assert self.hub.known("a") is None
        self.hub.join("a", RecordingClient())
        assert self.hub.known("a") is None
        assert self.hub.found("a", Place("e", 2)) == Place("e", 2)
        assert self.hub.found("a", Place("e", 3)) == self.hub.known("a") == Place("e", 2)
        assert self.hub.place("a") is None
        self.deliver("a", *"xyz")
        assert self.hub.found("a", Place("e", 2)) == self.hub.known("a") == Place("e", 3)

    def test_a_found_place_ahead_of_deliveries(self) -> None:
        """Members that begin at one get what follows it, and nothing before."""
        first, second = RecordingClient(), RecordingClient()
        for each in (first, second):
            self.hub.join("a", each, reads=True)
            place = self.hub.known("a") or self.hub.found("a", Place("e", 2))
            self.hub.go_live("a", each, place)
        self.deliver("a", "x")
        self.deliver("a", *"xyz")
        for each in (first, second):
            assert [json.loads(frame)["message"] for frame in each.frames()] == ["z"]

    def test_a_broken_member_stops_nobody(self) -> None:
        """A member whose connection raises is cut off, and the others get the message."""
        before, broken, after = RecordingClient(), BrokenMember(), RecordingClient()
        for member in (before, broken, after):
            self.hub.join("a", member)
        self.deliver("a", "x")
        assert len(self.flushLoggedErrors(OSError)) == 1
        assert len(before.frames()) == len(after.frames()) == 1
        assert self.hub.members("a") == 2
        assert broken.refused is not None
        assert broken.refused.kind is Kind.INTERNAL
        assert not before.refused

    def test_an_early_member_that_is_broken_stops_nobody(self) -> None:
        """Nor does one that cannot be told what it missed when it becomes live."""
        broken, other = BrokenMember(), RecordingClient()
        broken.encoding = Encoding.V1
        self.hub.join("a", broken, reads=True)
        self.hub.join("a", other)
        self.hub.go_live("a", broken, Place("another epoch", 5))
        self.deliver("a", "x")
        assert len(self.flushLoggedErrors(OSError)) == 1
        assert broken.refused is not None
        assert len(other.frames()) == 1
        assert self.hub.members("a") == 1

    def test_a_broken_watcher_stops_nobody(self) -> None:
        """Nor does an operator's page that cannot be told."""

        class BrokenSink(RecordingSink):
            def deliver(self, room: str, epoch: str, entries: Sequence[Entry]) -> None:
                raise OSError

        watcher, member = RecordingSink(), RecordingClient()
        for sink in (BrokenSink(), watcher):
            self.hub.watch("a", sink)
        self.hub.join("a", member)
        self.deliver("a", "x")
        assert len(self.flushLoggedErrors(OSError)) == 1
        assert watcher.texts("a") == ["x"]
        assert len(member.frames()) == 1

    def test_a_room_of_broken_members_ends(self) -> None:
        """The last member of a room ends it even if writing to it had failed."""
        broken = BrokenMember()
        self.hub.join("a", broken)
        self.deliver("a", "x")
        self.flushLoggedErrors(OSError)
        assert self.hub.leave("a", broken)

    def test_leaving_while_delivering(self) -> None:
        """A member may leave because of what it is written."""
        hub = self.hub

        class Leaver(RecordingClient):
            def write(self, frames: bytes) -> None:
                hub.leave("a", self)

        after = RecordingClient()
        hub.join("a", Leaver())
        hub.join("a", after)
        self.deliver("a", "x")
        assert len(after.frames()) == 1

    def test_a_watcher_is_no_member(self) -> None:
        """A watcher is told what is said, until it no longer watches, and is no member."""
        watcher, member = RecordingSink(), RecordingClient()
        self.hub.watch("a", watcher)
        self.hub.watch("a", watcher)
        assert (self.hub.members("a"), dict(self.hub.rooms())) == (0, {})
        self.deliver("a", "x")
        self.hub.join("a", member)
        self.deliver("a", "y")
        self.deliver("b", "z")
        assert watcher.texts("a") == ["x", "y"]
        assert dict(self.hub.rooms()) == {"a": 1}
        assert self.hub.unwatch("a", watcher) is False
        self.deliver("a", "z")
        assert watcher.texts("a") == ["x", "y"]

    def test_a_watched_room_does_not_end(self) -> None:
        """The room ends when the last one goes, member or watcher."""
        watcher, member = RecordingSink(), RecordingClient()
        self.hub.join("a", member)
        self.hub.watch("a", watcher)
        assert not self.hub.leave("a", member)
        assert self.hub.unwatch("a", watcher)
        assert not self.hub.unwatch("a", watcher)


class TurnsTest(SynchronousTestCase):
    """Batches and the turns in which they are written."""

    def setUp(self) -> None:
        self.clock = TurnClock()
        self.hub = Hub(Time(self.clock), write_all)

    def turn(self) -> None:
        """Advance by one turn of the reactor; calls made for later run in the next one."""
        self.clock.advance(TURN)

    def join(self, room: str, count: int) -> list[CountingMember]:
        members = [CountingMember() for _ in range(count)]
        for member in members:
            self.hub.join(room, member)
        return members

    def test_deliveries_of_a_turn_are_one_write(self) -> None:
        """Deliveries of a turn become one write to each member, at its end."""
        (member,) = self.join("a", 1)
        self.hub.deliver("a", "e", messages("x", "y"))
        self.hub.deliver("a", "e", messages("z"))
        assert member.writes == 0
        self.turn()
        assert member.writes == 1
        assert member.texts() == ["x", "y", "z"]
        assert self.clock.getDelayedCalls() == []

    def test_members_share_encoded_bytes(self) -> None:
        """All members are given the very same bytes."""
        one, two = self.join("a", 2)
        self.hub.deliver("a", "e", messages("x"))
        self.turn()
        assert one.last is two.last

    def test_joining_in_between_hears_what_follows(self) -> None:
        """A member that joins between two messages of a turn gets the second one only."""
        (before,) = self.join("a", 1)
        self.hub.deliver("a", "e", messages("x"))
        (between,) = self.join("a", 1)
        self.hub.deliver("a", "e", messages("y"))
        (after,) = self.join("a", 1)
        self.turn()
        self.turn()
        assert (before.texts(), between.texts(), after.texts()) == (["x", "y"], ["y"], [])

    def test_a_room_made_meanwhile(self) -> None:
        """A room that ended with messages left does not give them to those who make it anew."""
        (gone,) = self.join("a", 1)
        self.hub.deliver("a", "e", messages("x"))
        self.hub.leave("a", gone)
        (new,) = self.join("a", 1)
        self.turn()
        assert (gone.writes, new.writes) == (0, 0)
        self.hub.deliver("a", "e", messages("y"))
        self.turn()
        assert new.texts() == ["y"]

    def test_a_large_room_is_written_in_slices(self) -> None:
        """A large room is written in slices; a small one does not wait for all of them."""
        large, small = self.join("large", 3 * SLICE + 1), self.join("small", 1)
        self.hub.deliver("large", "e", messages("x"))
        self.hub.deliver("small", "e", messages("y"))
        self.turn()
        assert sum(member.writes for member in large) == SLICE
        self.turn()
        assert small[0].writes == 1
        for _ in range(2):
            self.turn()
        assert all(member.texts() == ["x"] for member in large)
        assert self.clock.getDelayedCalls() == []

    def test_a_turn_is_bounded_over_rooms(self) -> None:
        """However many rooms have something, a turn writes to no more members than a slice."""
        rooms = [self.join(f"r{number}", 7) for number in range(SLICE)]
        for number in range(SLICE):
            self.hub.deliver(f"r{number}", "e", messages("x"))
        written = 0
        while written < 7 * SLICE:
            self.turn()
            now = sum(member.writes for members in rooms for member in members)
            assert 0 < now - written <= SLICE
            written = now

    def test_order_over_slices(self) -> None:
        """A batch begins when the one before is with everybody, and holds all that came since."""
        members = self.join("a", 2 * SLICE)
        self.hub.deliver("a", "e", messages("1"))
        self.turn()
        self.hub.deliver("a", "e", messages("2"))
        late = self.join("a", 1)
        self.hub.deliver("a", "e", messages("3"))
        for _ in range(9):
            self.turn()
        assert all(member.texts() == ["1", "2", "3"] for member in members)
        assert late[0].texts() == ["3"]

    def test_leaving_between_slices(self) -> None:
        """A member that has left is not written to any more."""
        members = self.join("a", 2 * SLICE)
        self.hub.deliver("a", "e", messages("x"))
        self.turn()
        for member in members[SLICE : SLICE + 10]:
            self.hub.leave("a", member)
        self.turn()
        assert [member.writes for member in members[SLICE : SLICE + 11]] == [0] * 10 + [1]

    def test_a_broken_member_in_a_slice(self) -> None:
        """A broken member costs the others nothing, wherever it stands in the slice."""
        broken: list[CountingMember] = [BrokenMember() for _ in range(3)]
        members = self.join("a", SLICE)
        for member in broken:
            self.hub.join("a", member)
        members += self.join("a", SLICE)
        self.hub.deliver("a", "e", messages("x"))
        for _ in range(4):
            self.turn()
        assert len(self.flushLoggedErrors(OSError)) == 3
        assert all(member.refused for member in broken)
        assert all(member.texts() == ["x"] for member in members)

    def test_flushing_writes_everything(self) -> None:
        """Flushing writes everything at once."""
        members = self.join("a", 3 * SLICE)
        (other,) = self.join("b", 1)
        self.hub.deliver("a", "e", messages("x"))
        self.turn()
        self.hub.deliver("a", "e", messages("y"))
        self.hub.deliver("b", "e", messages("z"))
        self.hub.flush()
        assert all(member.texts() == ["x", "y"] for member in members)
        assert other.texts() == ["z"]
