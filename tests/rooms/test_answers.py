"""`livechat.rooms.answers`."""

from __future__ import annotations

from typing import Any

import pytest

from livechat.errors import ChatError, Kind
from livechat.interfaces import IReceiver
from livechat.rooms.answers import answer_of
from tests.support import kind, result
from tests.support.outcomes import refusing


def test_an_answer_fires_with_what_is_stored() -> None:
    """An answer fires with what is stored, later or within the call; the arguments come before."""
    waiting: list[tuple[Any, ...]] = []
    answer = answer_of(lambda *given: waiting.append(given), "a", 1)
    assert not answer.called
    ((*given, receiver),) = waiting
    receiver.stored("b")
    assert given == ["a", 1]
    assert result(answer) == "b"
    assert result(answer_of(lambda text, receiver: receiver.stored(text), "c")) == "c"


def test_an_answer_fails_with_the_refusal() -> None:
    """An answer fails with the reason of a refusal."""
    assert kind(answer_of(refusing(ChatError(Kind.HELD, "x")), "a")) is Kind.HELD


def test_nobody_awaits_any_more() -> None:
    """A caller that has given up is told nothing, and breaks nothing."""
    waiting: list[IReceiver] = []
    answer = answer_of(waiting.append)
    answer.addErrback(lambda _: None)
    answer.cancel()
    waiting[0].stored("a")


def test_refused_at_once() -> None:
    """An exception of the call reaches its caller, and not the Deferred."""

    def refusal(_: IReceiver) -> None:
        raise ChatError(Kind.FORBIDDEN, "x")

    with pytest.raises(ChatError):
        answer_of(refusal)
