"""`livechat.rooms.checks`."""

from __future__ import annotations

import pytest

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.rooms.checks import check_seen, check_text, scoped
from tests.support import ADMIN, ANN, SOMEBODY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x" * 101, Kind.MESSAGE_TOO_LONG),
        ("é" * 51, Kind.MESSAGE_TOO_LONG),
        ("\ud800", Kind.BAD_MESSAGE),
    ],
)
def test_texts_over_the_limit_are_refused(text: str, expected: Kind) -> None:
    """A text over the limit in UTF-8, or that is no Unicode, is refused."""
    with pytest.raises(ChatError) as caught:
        check_text(text, 100)
    assert caught.value.kind is expected


@pytest.mark.parametrize("text", ["", "x" * 100, "é" * 50])
def test_texts_up_to_the_limit_are_accepted(text: str) -> None:
    """A text may be empty, and exactly as long as the limit."""
    check_text(text, 100)


@pytest.mark.parametrize("text", ["", " \n", "\u200d", "\u3164"])
def test_texts_without_visible_characters_are_refused(text: str) -> None:
    """A text without visible characters would be an empty line, and is refused."""
    with pytest.raises(ChatError) as caught:
        check_seen(text)
    assert caught.value.kind is Kind.EMPTY_MESSAGE


def test_a_single_visible_character_is_enough() -> None:
    """A single visible character is enough."""
    check_seen("\u200dx")


@pytest.mark.parametrize("actor", [ANN, SOMEBODY, ADMIN])
def test_nonces_are_scoped_by_actor(actor: Actor) -> None:
    """The same nonce of the same actor is the same, and another one is not."""
    assert scoped(actor, "n") == scoped(actor, "n") != scoped(actor, "m")


def test_nonces_of_two_users_are_two() -> None:
    """Another user's nonce is another one."""
    assert len({scoped(actor, "n") for actor in (ANN, SOMEBODY, ADMIN)}) == 3
