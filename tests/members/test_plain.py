"""`livechat.members.plain`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from livechat.errors import Kind
from livechat.members.base import NOISE_RATE
from tests.members.plain_client import Client
from tests.protocol.plain_hostile import HOSTILE
from tests.support import World


def test_everyone_in_the_room_hears(world: World) -> None:
    """A message reaches everybody in the room, its sender too, and nobody in another room."""
    one, two, other = Client(world), Client(world), Client(world, "other")
    one.says({"message": "hi"})
    assert one.heard() == two.heard() == [{"message": "hi"}]
    assert other.heard() == []


@pytest.mark.parametrize(("data", "kind"), HOSTILE)
def test_a_bad_frame_is_answered_to_its_sender(world: World, data: bytes, kind: Kind) -> None:
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


def test_a_binary_frame_is_an_error(world: World) -> None:
    """A binary frame is answered with an error."""
    one = Client(world)
    one.session.binary_received()
    assert one.heard()[0]["error"]["code"] == "not_text"


def test_a_text_over_the_limit_is_an_error(make_world: Callable[..., World]) -> None:
    """A text over the limit is answered with an error."""
    one = Client(make_world(max_message=10))
    one.says({"message": "x" * 11})
    assert one.heard()[0]["error"]["code"] == "message_too_long"


def test_a_message_over_the_rate_is_an_error(make_world: Callable[..., World]) -> None:
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
    masses = 3 * int(NOISE_RATE.burst)
    for _ in range(masses):
        one.says({"message": "x"})
    assert len(one.heard()) == masses
    assert one.flood is None
