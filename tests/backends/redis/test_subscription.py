"""`livechat.backends.redis.subscription`."""

from __future__ import annotations

from livechat.backends.records import RecordKind
from livechat.backends.redis.acts import Sending
from livechat.backends.redis.entries import Entry
from livechat.backends.redis.stream import MOST_AHEAD, Stream
from livechat.backends.redis.subscription import Subscription, passed
from livechat.errors import ChatError, Kind
from livechat.protocol.messages import Draft, Message
from livechat.rooms.answers import Answer


def test_a_number_is_passed_in_its_own_numbering_only() -> None:
    """A number is behind a stream only if both are of one numbering."""
    stream = Stream(5, b"tag", 1_005, b"word")
    for seq, word, expected in ((5, b"word", True), (6, b"word", False), (5, b"other", False)):
        assert passed(stream, Entry(seq, 1_000, b"t", "text", None, word)) is expected


def test_answered_messages_are_forgotten() -> None:
    """Only messages whose senders still wait are remembered."""
    room = Subscription("r")
    for tag in (b"waits", b"answered"):
        answer = Answer()
        sending = Sending(Draft("r", "x"), tag, answer)
        room.unseen[tag] = sending, Entry(1, 1, tag, "x"), Message("x", 1, 1)
    answer.fired.addErrback(lambda failure: failure.trap(ChatError))
    sending.refused(ChatError(Kind.UNKNOWN, "nobody knows"))
    room.forget_answered()
    assert room.unseen.keys() == {b"waits"}


def test_taken_back_before_it_is_opened() -> None:
    """An event changes what waits, also where there is no place for it."""
    room = Subscription("r")
    room.wait(Entry(seq, 1, b"tag%d" % seq, "text") for seq in range(1, MOST_AHEAD + 1))
    room.check = False
    extra = b'{"refs":[1,3]}'
    room.wait([Entry(5_000, 1, b"tag", "", None, b"", RecordKind.RETRACTED, extra)])
    early = room.take_early(b"")
    assert [each.text for each in early[:4]] == ["", "text", "", "text"]
    assert len(early) == MOST_AHEAD
    assert room.check
