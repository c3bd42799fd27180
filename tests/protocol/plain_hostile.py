"""Texts that are no messages of the plain protocol."""

from __future__ import annotations

from livechat.errors import Kind

HOSTILE = [
    (b"", Kind.BAD_JSON),
    (b"x", Kind.BAD_JSON),
    (b'{"message": "a"', Kind.BAD_JSON),
    (b'{"message": "a"} x', Kind.BAD_JSON),
    (b'\xef\xbb\xbf{"message": "a"}', Kind.BAD_JSON),
    (b'{"message": "a\x01"}', Kind.BAD_JSON),
    (rb'{"message": "\ud800"}', Kind.BAD_JSON),
    (rb'{"message": "\udc00\ud800"}', Kind.BAD_JSON),
    (b'{"message": "a", "x": NaN}', Kind.BAD_JSON),
    (b'{"message": "a", "x": Infinity}', Kind.BAD_JSON),
    (b'{"message": "a", "x": ' + b"[" * 100_000 + b"}", Kind.BAD_JSON),
    (b"[" * 100_000, Kind.BAD_JSON),
    (b"[]", Kind.BAD_MESSAGE),
    (b"null", Kind.BAD_MESSAGE),
    (b'"a"', Kind.BAD_MESSAGE),
    (b"1e999", Kind.BAD_MESSAGE),
    (b"9" * 5_000, Kind.BAD_MESSAGE),
    (b"{}", Kind.BAD_MESSAGE),
    (b'{"Message": "a"}', Kind.BAD_MESSAGE),
    (b'{"message": 7}', Kind.BAD_MESSAGE),
    (b'{"message": null}', Kind.BAD_MESSAGE),
    (b'{"message": ["a"]}', Kind.BAD_MESSAGE),
    (b'{"message": 1e999}', Kind.BAD_MESSAGE),
    (b'{"message": ' + b"9" * 5_000 + b"}", Kind.BAD_MESSAGE),
]
