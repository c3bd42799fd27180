"""`livechat.protocol.tracing`."""

from __future__ import annotations

import pytest

from livechat.errors import ChatError, Kind
from livechat.protocol.encoding import Encoding, encode_entries, encode_frame
from livechat.protocol.messages import Message
from livechat.protocol.plain import error_frame
from livechat.protocol.tracing import (
    LONGEST_TEXT,
    Aim,
    Begin,
    End,
    Line,
    Lines,
    News,
    Seen,
    frames_of,
    news_of_bytes,
    news_to_bytes,
    seen,
)
from livechat.protocol.v1 import GoAway, Pong


@pytest.mark.parametrize(
    ("payload", "kind", "seq"),
    [
        (b'{"message": "hi"}', "message", None),
        (b'{"type": "message", "message": "hi", "seq": 7}', "message", 7),
        (b'{"type": "event", "event": "edited", "seq": 8}', "event:edited", 8),
        (b'{"type": "error", "error": {"code": "bad_json"}}', "error:bad_json", None),
        (b'{"error": {"code": "bad_json"}}', "error:bad_json", None),
        (b'{"type": 7, "seq": "x"}', "?", None),
        (b"[]", "?", None),
        (b"hi", "?", None),
        (b"\xff", "?", None),
        (b"[" * 100_000, "?", None),
        (b'{"type": "' + b"x" * 500 + b'"}', "x" * 32, None),
    ],
)
def test_a_seen_frame_has_type_and_number(payload: bytes, kind: str, seq: int | None) -> None:
    """A frame is told by its type and number, whatever it is, and without its text."""
    assert seen(payload, 9, texts=False) == Seen(kind, 9, seq)


def test_a_text_is_traced_on_request() -> None:
    """A text is there if it was asked for, and is bounded."""
    assert seen(b'{"message": "hi"}', 9, texts=True).text == '{"message": "hi"}'
    assert seen(b"hi \xff", 9, texts=True).text == "hi \ufffd"
    long = "ä" * (2 * LONGEST_TEXT)
    assert seen(long.encode(), 9, texts=True).text == long[:LONGEST_TEXT]


@pytest.mark.parametrize(
    "payload", [b'{"type": "auth", "token": "secret"}', b'{"type": "auth", "token": "secret']
)
def test_a_token_is_never_traced(payload: bytes) -> None:
    """The text of a frame with a token is never shown, even if it is broken."""
    assert seen(payload, 9, texts=True).text is None


MESSAGES = [Message("x" * size, seq, 1) for seq, size in enumerate((1, 125, 70_000), 1)]


@pytest.mark.parametrize("encoding", list(Encoding))
def test_joined_frames_are_told_apart(encoding: Encoding) -> None:
    """Frames that were joined are told apart, in every encoding and size."""
    data = encode_entries(encoding, "e", MESSAGES)
    frames = list(frames_of(encoding, data))
    assert sum(size for _, size in frames) == len(data)
    assert [seen(*each, texts=False).type for each in frames] == ["message"] * 3
    if encoding != Encoding.PLAIN:
        assert [seen(*each, texts=False).seq for each in frames] == [1, 2, 3]


def test_frames_without_a_number_are_told() -> None:
    """Frames without a number, errors of plain mode, and comments of event streams."""
    both = (
        encode_frame(Encoding.EVENTS, GoAway(7)) + b":\n\n" + encode_frame(Encoding.EVENTS, Pong())
    )
    found = [seen(*each, texts=False).type for each in frames_of(Encoding.EVENTS, both)]
    assert found == ["goaway", "pong"]
    plain = error_frame(ChatError(Kind.BAD_JSON, "No."))
    ((payload, size),) = frames_of(Encoding.PLAIN, plain)
    assert seen(payload, size, texts=False) == Seen("error:bad_json", len(plain))


@pytest.mark.parametrize(
    "news",
    [
        Begin("t", Aim("r", None, True)),
        End("t"),
        Lines("t", [Line("in", 1, "here/1", room="r", bytes=3)], 2),
    ],
)
def test_news_of_traces_are_read_back(news: News) -> None:
    assert news_of_bytes(news_to_bytes(news)) == news


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x81\xa4type\xa3new"])
def test_news_of_another_version(data: bytes) -> None:
    """News that cannot be understood is ignored."""
    assert news_of_bytes(data) is None
