"""`bench.unstored`: a livechat that stores nothing."""

from __future__ import annotations

from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from bench.unstored import EPOCH, UnstoredBackend
from livechat.errors import Kind
from livechat.interfaces import IBackend
from livechat.protocol.messages import Draft, Message, Newest, Retraction
from tests.map_contract import REPORT
from tests.support import RecordingSink, kind, result
from tests.support.outcomes import amend, publish


def test_nothing_is_stored() -> None:
    clock, sink = Clock(), RecordingSink()
    backend = UnstoredBackend(clock)
    assert verifyObject(IBackend, backend)
    backend.start(sink, lambda: REPORT)
    result(backend.messages.subscribe("a"))
    answers = [publish(backend.messages, Draft(room, text)) for room, text in ("ax", "by", "az")]
    assert not sink.delivered
    clock.advance(0)
    messages: list[Message] = [result(answer) for answer in answers]
    assert [(each.message, each.seq) for each in messages] == [("x", 1), ("y", 1), ("z", 2)]
    assert sink.delivered == [("a", EPOCH, messages[0]), ("a", EPOCH, messages[2])]
    page = result(backend.messages.read("a", 0, 100))
    assert (page.position.seq, page.position.oldest, page.messages) == (2, 3, ())
    assert result(backend.messages.newest(["a", "c"])) == {"a": Newest(2, messages[2].time)}
    assert kind(amend(backend.messages, Retraction("a", (1,)))) is Kind.NOT_FOUND
    assert backend.trouble() is None


def test_waiting_messages_are_delivered_at_the_stop() -> None:
    sink = RecordingSink()
    backend = UnstoredBackend(Clock())
    backend.start(sink, lambda: REPORT)
    result(backend.messages.subscribe("a"))
    answer = publish(backend.messages, Draft("a", "x"))
    result(backend.stop())
    assert result(answer).seq == 1
    assert kind(publish(backend.messages, Draft("a", "y"))) is Kind.UNAVAILABLE
    result(backend.stop())
