"""`livechat.members.session`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from livechat.errors import ChatError, Kind
from livechat.limits.source import Source
from livechat.members.session import FRAGMENT_RATE, NOISE_RATE, PlainSession, Visit
from livechat.rooms.chat import Chat
from tests.protocol.test_plain import HOSTILE
from tests.support import ANN, RecordingClient, World, run


class Client(RecordingClient):
    """A client with its session."""

    def __init__(self, world: World, room: str = "r") -> None:
        super().__init__()
        sender = world.source("192.0.2.1")
        self.session = PlainSession(world.chat, world.clock, Visit(room), self, sender)
        run(self.session.open())

    def says(self, value: Any) -> None:
        self.session.text_received(json.dumps(value).encode())

    def heard(self) -> list[Any]:
        return [json.loads(frame) for frame in self.frames()]


def test_everyone_hears(world: World) -> None:
    """What one says, all in the room hear, the sender too; nobody in another room does."""
    one, two, other = Client(world), Client(world), Client(world, "other")
    one.says({"message": "hi"})
    assert one.heard() == two.heard() == [{"message": "hi"}]
    assert other.heard() == []


@pytest.mark.parametrize(("data", "kind"), HOSTILE)
def test_bad_frames(world: World, data: bytes, kind: Kind) -> None:
    """A bad frame is answered to its sender alone, who can go on."""
    one, two = Client(world), Client(world)
    one.session.text_received(data)
    (answer,) = one.heard()
    assert set(answer) == {"error"}
    assert set(answer["error"]) == {"code", "detail"}
    assert answer["error"]["code"] == kind.code
    assert two.heard() == []
    one.says({"message": "hi"})
    assert one.heard() == two.heard() == [{"message": "hi"}]
    assert one.flood is None


def test_binary(world: World) -> None:
    """A binary frame is answered with an error."""
    one = Client(world)
    one.session.binary_received()
    assert one.heard()[0]["error"]["code"] == "not_text"


def test_too_long(make_world: Callable[..., World]) -> None:
    """A text over the limit is answered with an error."""
    one = Client(make_world(max_message=10))
    one.says({"message": "x" * 11})
    assert one.heard()[0]["error"]["code"] == "message_too_long"


def test_too_fast(make_world: Callable[..., World]) -> None:
    """Messages over the rate are answered with an error and not delivered."""
    one = Client(make_world(rate=1))
    for _ in range(3):
        one.says({"message": "x"})
    first, second, third = one.heard()
    assert first == second == {"message": "x"}
    assert third["error"]["code"] == "rate_limited"


def test_far_too_fast(make_world: Callable[..., World]) -> None:
    """Messages over the rate are told so for a while; going on like that is a flood."""
    one = Client(make_world(rate=1))
    for _ in range(2 + int(NOISE_RATE.burst)):
        one.says({"message": "x"})
    assert one.flood is None
    one.says({"message": "x"})
    assert one.flood is not None


def test_no_rate_no_flood(world: World) -> None:
    """Without a rate, messages in masses are no flood."""
    one = Client(world)
    for _ in range(5_000):
        one.says({"message": "x"})
    assert len(one.heard()) == 5_000
    assert one.flood is None


@pytest.mark.parametrize(
    ("disturb", "burst"),
    [
        (lambda session: session.text_received(b"x"), NOISE_RATE.burst),
        (lambda session: session.binary_received(), NOISE_RATE.burst),
        (lambda session: session.control_received(), NOISE_RATE.burst),
        (lambda session: session.fragment_received(), FRAGMENT_RATE.burst),
    ],
)
def test_floods(world: World, disturb: Callable[[PlainSession], None], burst: int) -> None:
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


def test_after_closing(world: World) -> None:
    """A session that was closed is in no room any more."""
    one = Client(world)
    one.session.close()
    one.session.close()
    Client(world).says({"message": "x"})
    assert one.heard() == []


class FailingChatTest(SynchronousTestCase):
    """When sending fails on the server's side."""

    def session(self, answer: Deferred[Any]) -> Client:
        class Failing(Chat):
            def __init__(self) -> None:
                """Needs nothing."""

            def send(self, source: Source, room: str, text: str, **more: Any) -> Deferred[Any]:
                return answer

        client = Client.__new__(Client)
        RecordingClient.__init__(client)
        visit, none = Visit("r"), cast("Any", None)
        client.session = PlainSession(Failing(), none, visit, client, none)
        client.session._visitor = ANN
        return client

    def test_unavailable(self) -> None:
        """A message that cannot be stored is answered with an error."""
        client = self.session(fail(ChatError(Kind.UNAVAILABLE, "No.")))
        client.says({"message": "x"})
        assert client.heard() == [{"error": {"code": "unavailable", "detail": "No."}}]

    def test_a_bug(self) -> None:
        """A bug is logged, and the client learns nothing of it."""
        client = self.session(fail(ZeroDivisionError("secret")))
        client.says({"message": "x"})
        (answer,) = client.heard()
        assert answer["error"]["code"] == "internal"
        assert "secret" not in str(answer)
        assert len(self.flushLoggedErrors(ZeroDivisionError)) == 1
