"""Frames of livechat.v1, and texts that are none."""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct

from livechat.errors import Kind
from livechat.protocol import v1 as frames
from livechat.protocol.actions import Rename, Retract, Revoke, Reword, Say


def named(case: Any) -> str:
    """Name a case: the workers of a parallel run must do it alike."""
    return type(case).__name__ if isinstance(case, Struct) else str(case)


UNDERSTOOD = [
    ({"type": "message", "message": "hi", "nonce": "n"}, Say("hi", "n")),
    ({"type": "message", "message": "hi"}, Say("hi")),
    ({"message": "hi", "nonce": "n"}, Say("hi", "n")),
    ({"type": "revoke", "user": "42", "nonce": "n"}, Revoke("42", nonce="n")),
    ({"type": "revoke", "token": "t"}, Revoke(token="t")),
    ({"message": "hi", "more": [1]}, Say("hi")),
    ({"message": "hi", "reply_to": 3}, Say("hi", reply_to=3)),
    ({"message": "hi", "data": {"a": 1}}, Say("hi", data=Raw(b'{"a": 1}'))),
    ({"type": "edit", "ref": 3, "message": "hi"}, Reword(3, "hi")),
    (
        {"type": "edit", "ref": 3, "message": "hi", "data": {}, "nonce": "n"},
        Reword(3, "hi", Raw(b"{}"), "n"),
    ),
    ({"type": "retract", "ref": 3, "nonce": "n"}, Retract(3, nonce="n")),
    ({"type": "retract", "refs": [3, 1]}, Retract(refs=(3, 1))),
    ({"type": "resume", "epoch": "k", "seq": 0}, frames.Resume("k", 0)),
    ({"type": "history"}, frames.AskHistory()),
    ({"type": "history", "before": 9, "limit": 2}, frames.AskHistory(9, None, 2)),
    ({"type": "presence"}, frames.AskPresence()),
    ({"type": "typing"}, frames.Type()),
    ({"type": "ping"}, frames.Ping()),
    ({"type": "rename", "name": "Ann", "nonce": "n"}, Rename("Ann", "n")),
]


HOSTILE: list[tuple[Any, Kind]] = [
    (b"", Kind.BAD_JSON),
    (b"hi", Kind.BAD_JSON),
    (b'{"type":"message"', Kind.BAD_JSON),
    (b'{"more":' + b"[" * 100_000, Kind.BAD_JSON),
    (b'{"message":"a"}x', Kind.BAD_JSON),
    (b'{"message":"a"}}', Kind.BAD_JSON),
    ({"type": "missing required field `type`"}, Kind.UNKNOWN_TYPE),
    (b'{"message":"\\ud800"}', Kind.BAD_JSON),
    (b'{"type":"resume","epoch":"k","seq":1e999}', Kind.BAD_MESSAGE),
    ([], Kind.BAD_MESSAGE),
    ("hi", Kind.BAD_MESSAGE),
    ({}, Kind.BAD_MESSAGE),
    ({"nonce": "n"}, Kind.BAD_MESSAGE),
    ({"message": 7}, Kind.BAD_MESSAGE),
    ({"type": "message"}, Kind.BAD_MESSAGE),
    ({"type": "message", "message": None}, Kind.BAD_MESSAGE),
    ({"type": "message", "message": "x", "nonce": ""}, Kind.BAD_MESSAGE),
    ({"type": "message", "message": "x", "nonce": "n" * 65}, Kind.BAD_MESSAGE),
    ({"type": "message", "message": "x", "nonce": 7}, Kind.BAD_MESSAGE),
    ({"type": 7}, Kind.BAD_MESSAGE),
    ({"type": "nonsense"}, Kind.UNKNOWN_TYPE),
    ({"type": "hello"}, Kind.UNKNOWN_TYPE),
    ({"type": "Message", "message": "x"}, Kind.UNKNOWN_TYPE),
    ({"type": "resume"}, Kind.BAD_MESSAGE),
    ({"type": "resume", "epoch": "k"}, Kind.BAD_MESSAGE),
    ({"type": "resume", "epoch": "k", "seq": -1}, Kind.BAD_MESSAGE),
    ({"type": "resume", "epoch": "k", "seq": 1.5}, Kind.BAD_MESSAGE),
    ({"type": "resume", "epoch": "k", "seq": "1"}, Kind.BAD_MESSAGE),
    ({"type": "resume", "epoch": "k", "seq": 2**53}, Kind.BAD_MESSAGE),
    ({"type": "resume", "epoch": "", "seq": 1}, Kind.BAD_MESSAGE),
    ({"type": "resume", "epoch": "k" * 65, "seq": 1}, Kind.BAD_MESSAGE),
    ({"type": "history", "before": -1}, Kind.BAD_MESSAGE),
    ({"type": "history", "limit": "all"}, Kind.BAD_MESSAGE),
    ({"type": "rename"}, Kind.BAD_MESSAGE),
    ({"type": "rename", "name": None}, Kind.BAD_MESSAGE),
    (b'{"type":"rename","name":"\\ud800"}', Kind.BAD_JSON),
]
