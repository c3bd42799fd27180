"""`livechat.members.base`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from twisted.trial.unittest import SynchronousTestCase

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.interfaces import IReceiver
from livechat.members.base import (
    FIRST_RECONNECT,
    FRAGMENT_RATE,
    LAST_RECONNECT,
    NOISE_RATE,
    RECONNECT_ALONE,
    RECONNECTS_PER_SECOND,
    JoinRequest,
    reconnect_ms,
)
from livechat.members.plain import PlainSession
from livechat.rooms.chat import Chat
from tests.members.plain_client import Client
from tests.support import ANN, RecordingClient, World


@pytest.mark.parametrize(
    ("disturb", "burst"),
    [
        (lambda session: session.text_received(b"x"), NOISE_RATE.burst),
        (lambda session: session.binary_received(), NOISE_RATE.burst),
        (lambda session: session.control_received(), NOISE_RATE.burst),
        (lambda session: session.fragment_received(), FRAGMENT_RATE.burst),
    ],
)
def test_frames_without_messages_have_a_budget(
    world: World, disturb: Callable[[PlainSession], None], burst: int
) -> None:
    """Frames that carry no message have a budget that no option switches off."""
    one = Client(world)
    for _ in range(int(burst)):
        disturb(one.session)
    assert one.flood is None
    answers = len(one.heard())
    disturb(one.session)
    assert one.flood is not None
    assert one.heard() == []
    assert answers <= burst


def test_the_budget_comes_back(world: World) -> None:
    """A client that disturbs seldom is never a flood."""
    one = Client(world)
    for _ in range(2_000):
        one.session.control_received()
        world.clock.advance(0.1)
    assert one.flood is None


def test_a_closed_session_is_in_no_room(world: World) -> None:
    """A session that was closed is in no room any more."""
    one = Client(world)
    one.session.close()
    one.session.close()
    Client(world).says({"message": "x"})
    assert one.heard() == []


class FailingChatTest(SynchronousTestCase):
    """A send fails on the server's side."""

    def session(self, reason: Exception) -> Client:
        class Failing(Chat):
            def __init__(self) -> None:
                """Needs nothing."""

            def say(
                self, actor: Actor, room: str, text: str, receiver: IReceiver, **more: Any
            ) -> None:
                receiver.not_stored(reason)

        client = Client.__new__(Client)
        RecordingClient.__init__(client)
        none = cast("Any", None)
        client.session = PlainSession(Failing(), none, ANN, JoinRequest("r"), client)
        return client

    def test_an_unstored_message_is_answered(self) -> None:
        """A message that cannot be stored is answered with an error."""
        client = self.session(ChatError(Kind.UNAVAILABLE, "No."))
        client.says({"message": "x"})
        assert client.heard() == [{"error": {"code": "unavailable", "detail": "No."}}]

    def test_a_bug_is_logged_and_not_shown(self) -> None:
        """A bug is logged, and the client learns nothing of it."""
        client = self.session(ZeroDivisionError("secret"))
        client.says({"message": "x"})
        (answer,) = client.heard()
        assert answer["error"]["code"] == "internal"
        assert "secret" not in str(answer)
        assert len(self.flushLoggedErrors(ZeroDivisionError)) == 1


@pytest.mark.parametrize("count", [0, 1, 1_000, 1_000_000])
def test_clients_are_asked_back_at_random(count: int) -> None:
    """Clients come back at random, so many a second; but none is asked to wait for long."""
    found = [reconnect_ms(count) for _ in range(100)]
    spread = min(LAST_RECONNECT, 1_000 * count // RECONNECTS_PER_SECOND)
    told = [reconnect_ms(count, 10.0) for _ in range(100)]
    assert min(told) >= RECONNECT_ALONE
    assert max(told) <= RECONNECT_ALONE + max(0, spread - 10_000)
    assert all(0 <= each - FIRST_RECONNECT <= spread for each in found)
    assert len(set(found)) > (1 if spread > 100 else 0)
