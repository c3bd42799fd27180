"""`livechat.backends.waiting`."""

from __future__ import annotations

import pytest
from msgspec import Raw
from twisted.internet.task import Clock

from livechat.backends import waiting
from livechat.backends.waiting import Waiting, Waitlist, size, unknown
from livechat.errors import ChatError, Kind
from livechat.protocol.messages import Draft, Edit, Message, Retraction
from tests.support import kind, result

MESSAGE = Message("x", 1, 0)


class List:
    """A waitlist whose senders wait for ten seconds."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.all: Waitlist[Waiting] = Waitlist(
            self.clock, 10, lambda waiting: waiting.refused(unknown())
        )

    def send(self, text: str = "x") -> Waiting:
        one = Waiting(Draft("r", text))
        self.all.add(one)
        return one


def test_answered_once() -> None:
    """Whatever comes first is the answer, and nothing after it."""
    one = List().send()
    answer = one.answer
    assert answer is not None
    one.stored(MESSAGE)
    one.refused(unknown())
    one.stored(MESSAGE)
    assert result(answer) is MESSAGE


def test_late() -> None:
    """Each sender is answered when its own time is up, and a timer runs only for one."""
    senders = List()
    first = senders.send()
    senders.clock.advance(4)
    second, third = senders.send(), senders.send()
    answers = [each.answer for each in (first, third) if each.answer is not None]
    second.stored(MESSAGE)
    senders.clock.advance(6)
    assert kind(answers[0]) is Kind.UNKNOWN
    assert third.answer is not None
    senders.clock.advance(4)
    assert kind(answers[1]) is Kind.UNKNOWN
    assert senders.clock.getDelayedCalls() == []


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many messages, and too many characters, are refused until some were answered."""
    monkeypatch.setattr(waiting, "MESSAGES", 2)
    monkeypatch.setattr(waiting, "CHARACTERS", 5)
    senders = List()
    first, _ = senders.send("xxx"), senders.send("x")
    for text in ("", "xxxxxx"):
        with pytest.raises(ChatError) as caught:
            senders.send(text)
        assert caught.value.kind is Kind.OVERLOADED
    first.stored(MESSAGE)
    senders.all.settle()
    senders.send("xxxx")


def test_size() -> None:
    """All that is stored counts: texts, data, and messages that are retracted."""
    assert size(Draft("r", "abc")) == 3
    assert size(Draft("r", "abc", data=Raw(b"{}"))) == 5
    assert size(Edit("r", 1, "abcd", "g:1", data=Raw(b"{}"))) == 6
    assert size(Retraction("r", (1, 2))) == 2 * size(Retraction("r", (1,))) > 0


def test_emptied() -> None:
    """The end is waited for until everybody was answered."""
    senders = List()
    assert senders.all.emptied().called
    one = senders.send()
    emptied = senders.all.emptied()
    assert not emptied.called
    one.stored(MESSAGE)
    senders.all.settle()
    assert emptied.called
    senders.all.stop()
    assert senders.clock.getDelayedCalls() == []
