"""`livechat.web.admin.events`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from livechat.http.connection import LONGEST_STREAM
from livechat.interfaces import ISink
from livechat.protocol.messages import Edited, Entry, Gone, Message, Retracted
from livechat.web.admin.events import TAIL, EventStream, Tail, event, of_entry
from tests.support import run


@pytest.fixture
def clock() -> Clock:
    return Clock()


def going(coroutine: Any) -> Deferred[Any]:
    return Deferred.fromCoroutine(coroutine)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("", b"event: x\ndata: \n\n"),
        ("a\nb", b"event: x\ndata: a\ndata: b\n\n"),
        ("a\r\nb\rc\n", b"event: x\ndata: a\ndata: b\ndata: c\ndata: \n\n"),
        ("a\u2028b\x0bc", "event: x\ndata: a\u2028b\x0bc\n\n".encode()),
    ],
)
def test_data_cannot_become_another_field(data: str, expected: bytes) -> None:
    """Data arrives as it was, and cannot become another field."""
    assert event("x", data) == expected
    assert event("x", data, 7) == b"id: 7\n" + expected


def test_a_rest_ends_with_news_or_the_stream(clock: Clock) -> None:
    """A rest takes its time, unless there is news or the stream ends."""
    stream = EventStream(clock, 1_000)
    rest = going(stream.rest(2))
    clock.advance(1.9)
    assert not rest.called
    clock.advance(0.2)
    assert rest.called
    for wake in (stream.news, stream.end):
        rest = going(stream.rest(2))
        assert not rest.called
        wake()
        wake()
        clock.advance(0)
        assert rest.called
    assert stream.ended
    assert going(stream.rest(2)).called
    assert clock.getDelayedCalls() == []


def test_news_do_not_disturb_sleep(clock: Clock) -> None:
    """News does not disturb sleep, and is not forgotten over it; the end disturbs it."""
    stream = EventStream(clock, 1_000)
    sleep = going(stream.sleep(2))
    stream.news()
    assert not sleep.called
    clock.advance(2)
    assert sleep.called
    assert going(stream.rest(2)).called
    rest = going(stream.rest(2))
    assert not rest.called
    clock.advance(2)
    sleep = going(stream.sleep(2))
    stream.end()
    assert sleep.called
    assert clock.getDelayedCalls() == []


def test_a_stream_ends_by_itself(clock: Clock) -> None:
    """A stream ends by itself, when it was said to or before."""
    stream, short = EventStream(clock, 1_000), EventStream(clock, 10)
    clock.advance(LONGEST_STREAM - 1)
    assert not stream.ended
    assert short.ended
    clock.advance(1)
    assert stream.ended


def test_the_answer_begins_at_once(clock: Clock) -> None:
    """The answer begins at once, says when to come back, and closes what it is made from."""
    closed = []

    async def events() -> AsyncGenerator[bytes, None]:
        try:
            yield event("x", "1")
            yield event("x", "2")
        finally:
            closed.append(True)

    async def read() -> None:
        answer = EventStream(clock, 1_000).answer(events())
        body = answer.body
        assert isinstance(body, AsyncGenerator)
        assert dict(answer.headers)["Content-Type"] == "text/event-stream"
        assert await anext(body) == b"retry: 1000\n:\n\n"
        assert await anext(body) == event("x", "1")
        await body.aclose()

    run(read())
    assert closed == [True]


def test_a_tail_has_the_newest_entries(clock: Clock) -> None:
    """A tail has the entries since the last look, and only the newest of very many."""
    stream = EventStream(clock, 1_000)
    tail = Tail(stream)
    assert verifyObject(ISink, tail)
    rest = going(stream.rest(9))
    tail.deliver("r", "e", [Message("a", 1, 0), Message("b", 2, 0)])
    assert not rest.called
    clock.advance(0)
    assert rest.called
    assert [message.seq for message in tail.drain()] == [1, 2]
    assert tail.drain() == []
    for seq in range(10 * TAIL):
        tail.deliver("r", "e", [Message("x", seq, 0)])
    assert [message.seq for message in tail.drain()] == list(range(9 * TAIL, 10 * TAIL))


def test_a_tail_that_passes_over_events(clock: Clock) -> None:
    """Messages may be missing; a page that missed what changes others must be made anew."""
    tail = Tail(EventStream(clock, 1_000))
    tail.deliver("r", "e", [Message("x", seq, 0) for seq in range(1, TAIL + 2)])
    assert not tail.anew
    tail.deliver("r", "e", [Retracted(TAIL + 2, 0, (1,), "author")])
    assert not tail.anew
    tail.deliver("r", "e", [Message("x", seq, 0) for seq in range(TAIL + 3, 2 * TAIL + 3)])
    assert tail.anew


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (Message("a", 1, 2), b'message\ndata: {"message":"a","seq":1,"time":2}'),
        (Edited(1, 3, 1, "b"), b'edited\ndata: {"seq":1,"time":3,"ref":1,"text":"b","data":null}'),
        (Gone(1, 5), b'gone\ndata: {"seq":1,"time":5}'),
        (
            Retracted(1, 4, (1,), "author"),
            b'retracted\ndata: {"seq":1,"time":4,"refs":[1],"by":"author"}',
        ),
    ],
)
def test_each_kind_of_entry_has_its_event(entry: Entry, expected: bytes) -> None:
    """Each kind has an event of its own, under the number of the entry."""
    assert of_entry(entry) == b"id: 1\nevent: %b\n\n" % expected


def test_a_tail_whose_numbers_begin_anew(clock: Clock) -> None:
    """A tail finds a new numbering by its epoch, known before or after the first message."""
    for known in (True, False):
        tail = Tail(EventStream(clock, 1_000))
        tail.deliver("r", "old", [Message("a", 1, 0)])
        if known:
            tail.follow("old")
        assert not tail.anew
        if known:
            tail.deliver("r", "new", [Message("b", 1, 0)])
        else:
            tail.follow("new")
        assert tail.anew
