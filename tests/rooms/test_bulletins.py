"""`livechat.rooms.bulletins`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase

from livechat.errors import ChatError, Kind
from livechat.protocol.messages import Message
from livechat.protocol.names import AUDIT_ROOM
from tests.members.session_client import Client
from tests.rooms.moderating import moderator, restricts
from tests.support import World


def test_nobody_moderates(world: World) -> None:
    """The audit is watched only from when a moderator is there."""
    Client(world)
    assert AUDIT_ROOM not in world.hub._watchers
    moderator(world)
    moderator(world, "9")
    assert len(world.hub._watchers[AUDIT_ROOM]) == 1


def test_invalid_records_are_skipped(world: World) -> None:
    """Invalid records and those of other rooms are skipped."""
    bob = moderator(world)
    bob.heard()
    texts = ("", "{}", '{"action":{"type":"sign_in"},"by":{"kind":"operator"},"room":"r"}',
             '{"action":{"type":"exile"},"by":{"kind":"operator"},"room":"r"}')  # fmt: skip
    entries = [Message(text, number, 0) for number, text in enumerate(texts)]
    world.hub.deliver(AUDIT_ROOM, "k", entries)
    assert bob.heard() == []


class AwayTest(SynchronousTestCase):
    """The backend cannot deliver the audit."""

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> None:
        self.directory = tmp_path / "state"

    def test_a_failed_subscription_is_tried_again(self) -> None:
        """A failed subscription is tried again with the next moderator that joins."""
        world = World(self.directory)
        self.addCleanup(world.close)
        log: Any = world.backend.messages
        subscribe = log.subscribe
        away = ChatError(Kind.UNAVAILABLE, "It is away.")
        log.subscribe = lambda room: fail(away) if room == AUDIT_ROOM else subscribe(room)
        bob = moderator(world)
        assert AUDIT_ROOM not in world.hub._watchers
        log.subscribe = subscribe
        moderator(world, "9")
        restricts(bob)
        assert bob.hears("moderated") == []
        assert AUDIT_ROOM in world.hub._watchers
