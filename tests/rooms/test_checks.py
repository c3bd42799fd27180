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
def test_refused_texts(text: str, expected: Kind) -> None:
    """A text over the limit in UTF-8, or that is no Unicode, is refused."""
    with pytest.raises(ChatError) as caught:
        check_text(text, 100)
    assert caught.value.kind is expected


@pytest.mark.parametrize("text", ["", "x" * 100, "é" * 50])
def test_accepted_texts(text: str) -> None:
    """A text may be empty, and exactly as long as the limit."""
    check_text(text, 100)


@pytest.mark.parametrize("text", ["", " \n", "\u200d", "\u3164"])
def test_unseen_texts(text: str) -> None:
    """A text without visible characters would be an empty line, and is refused."""
    with pytest.raises(ChatError) as caught:
        check_seen(text)
    assert caught.value.kind is Kind.EMPTY_MESSAGE


def test_seen_texts() -> None:
    """A single visible character is enough."""
    check_seen("\u200dx")


@pytest.mark.parametrize("actor", [ANN, SOMEBODY, ADMIN])
def test_scoped_nonces(actor: Actor) -> None:
    """The same nonce of the same actor is the same, and another one is not."""
    assert scoped(actor, "n") == scoped(actor, "n") != scoped(actor, "m")


def test_nonces_of_others() -> None:
    """Another user's nonce is another one."""
    assert len({scoped(actor, "n") for actor in (ANN, SOMEBODY, ADMIN)}) == 3
