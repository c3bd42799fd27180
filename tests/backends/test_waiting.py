"""`livechat.backends.waiting`."""

from __future__ import annotations

import pytest
from msgspec import Raw
from twisted.internet.task import Clock

from livechat.backends import waiting
from livechat.backends.waiting import Act, Waitlist, size, unknown
from livechat.errors import ChatError, Kind
from livechat.interfaces import IReceiver
from livechat.protocol.messages import Draft, Edit, Message, Retraction
from livechat.rooms.answers import Answer
from tests.support import kind, result

MESSAGE = Message("x", 1, 0)


class List:
    """A waitlist whose senders wait for ten seconds."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.all: Waitlist[Act[Draft]] = Waitlist(
            self.clock, 10, lambda act: act.refused(unknown())
        )

    def send(self, text: str = "x", receiver: IReceiver | None = None) -> Act[Draft]:
        one = Act(Draft("r", text), receiver or Answer())
        self.all.add(one)
        return one


def test_the_first_result_is_the_answer() -> None:
    """The first result is the answer, and later ones are ignored."""
    answer = Answer()
    one = List().send(receiver=answer)
    one.stored(MESSAGE)
    one.refused(unknown())
    one.stored(MESSAGE)
    assert result(answer.fired) is MESSAGE


def test_each_sender_is_answered_when_its_time_is_up() -> None:
    """Each sender is answered when its own time is up, and a timer runs only for one."""
    senders = List()
    first, last = Answer(), Answer()
    senders.send(receiver=first)
    senders.clock.advance(4)
    second, _ = senders.send(), senders.send(receiver=last)
    second.stored(MESSAGE)
    senders.clock.advance(6)
    assert kind(first.fired) is Kind.UNKNOWN
    assert not last.fired.called
    senders.clock.advance(4)
    assert kind(last.fired) is Kind.UNKNOWN
    assert senders.clock.getDelayedCalls() == []


def test_messages_and_characters_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_texts_data_and_retractions_count_towards_the_size() -> None:
    """All that is stored counts: texts, data, and messages that are retracted."""
    assert size(Draft("r", "abc")) == 3
    assert size(Draft("r", "abc", data=Raw(b"{}"))) == 5
    assert size(Edit("r", 1, "abcd", "g:1", data=Raw(b"{}"))) == 6
    assert size(Retraction("r", (1, 2))) == 2 * size(Retraction("r", (1,))) > 0


def test_the_end_waits_for_all_answers() -> None:
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
