"""`livechat.hub`."""

from __future__ import annotations

import json

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass, verifyObject

from livechat.hub import Hub
from livechat.interfaces import ISink
from livechat.wire import Message
from tests.support import RecordingClient, RecordingSink


class BrokenMember(RecordingClient):
    """Its connection cannot be written to."""

    def write(self, frames: bytes) -> None:
        raise OSError(frames)


def messages(*texts: str) -> list[Message]:
    return [Message(text, seq, 0) for seq, text in enumerate(texts, 1)]


class HubTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.hub = Hub(self.clock)

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

    def test_empty_room(self) -> None:
        """A message for a room without members is nobody's."""
        self.deliver("a", "x")

    def test_the_last_one(self) -> None:
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

    def test_a_broken_member_stops_nobody(self) -> None:
        """A member whose connection raises is cut off, and the others get the message."""
        before, broken, after = RecordingClient(), BrokenMember(), RecordingClient()
        for member in (before, broken, after):
            self.hub.join("a", member)
        self.deliver("a", "x")
        assert len(self.flushLoggedErrors(OSError)) == 1
        assert len(before.frames()) == len(after.frames()) == 1
        assert self.hub.members("a") == 2
        assert broken.aborted
        assert not before.aborted

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

    def test_watchers(self) -> None:
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
