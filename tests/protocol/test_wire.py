"""`livechat.protocol.wire`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from livechat.errors import ChatError, Kind
from livechat.protocol.wire import (
    DEEPEST,
    LARGEST_DATA,
    check_depth,
    checked_data,
    text_frame,
    wire_limit,
)
from tests.support import server_frame


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 200_000])
def test_a_length_has_its_shortest_form(size: int) -> None:
    """Each of the three forms of a length is used where RFC 6455 wants it."""
    payload = b"x" * size
    assert server_frame(text_frame(payload)) == (1, payload, b"")


def test_the_longest_text_fits_its_frame() -> None:
    """The longest text fits its frame, however it is escaped."""
    text = "\x07" * 1_000
    assert len(json.dumps({"message": text})) <= wire_limit(1_000)
    assert wire_limit(16_384) == 6 * 16_384 + 4_096


def test_nesting_of_json_is_bounded() -> None:
    """JSON may be nested so deep; brackets in strings do not count."""
    check_depth(b"[" * DEEPEST + b"]" * DEEPEST)
    check_depth(b"[" + b"{}," * 100 + b"0]")
    check_depth(b'{"a": "\\"' + b"[" * 100 + b'"}')
    with pytest.raises(ChatError) as caught:
        check_depth(b"[" * (DEEPEST + 1))
    assert caught.value.kind is Kind.BAD_JSON


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (b"", None),
        (b"null", None),
        (b" null ", None),
        (b"{}", b"{}"),
        (b'{ "a" :\r\n\t[ 1.0 , -0, 1e300 ] }', b'{"a":[1.0,-0,1e300]}'),
        (b'{"a b":"c  d\\" : e"}', b'{"a b":"c  d\\" : e"}'),
        ('{"a":"\u2028 \u00e9"}'.encode(), '{"a":"\u2028 \u00e9"}'.encode()),
        (b'{"a":1,"a":2}', b'{"a":1,"a":2}'),
        (b'{"a":"' + b"x" * (LARGEST_DATA - 8) + b'"}', ...),
        (b'{"a":' * 8 + b"1" + b"}" * 8, ...),
        (b'{"a":"{{{{{{{{{{"}', ...),
    ],
)
def test_insignificant_white_space_goes(given: bytes, kept: Any) -> None:
    """Insignificant white space goes; all else stays as it came."""
    found = checked_data(Raw(given))
    expected = given if kept is ... else kept
    assert (None if found is None else bytes(found)) == expected


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (b"1", Kind.BAD_MESSAGE),
        (b'"{}"', Kind.BAD_MESSAGE),
        (b"[]", Kind.BAD_MESSAGE),
        (b"true", Kind.BAD_MESSAGE),
        (b'{"a":"' + b"x" * (LARGEST_DATA - 7) + b'"}', Kind.BAD_MESSAGE),
        (b'{"a":' * 9 + b"1" + b"}" * 9, Kind.BAD_MESSAGE),
        (b'{"a":' * 100_000, Kind.BAD_MESSAGE),
        (b'{"a":"\\ud800"}', Kind.BAD_JSON),
        (b'{"a":"\\q"}', Kind.BAD_JSON),
        (b'{"a":"\n"}', Kind.BAD_JSON),
        (b'{"a":"\xff"}', Kind.BAD_JSON),
        (b'{"a":1e400}', Kind.BAD_JSON),
        (b'{"a" 1}', Kind.BAD_JSON),
        (b'{"a":1} {"b":2}', Kind.BAD_JSON),
    ],
)
def test_bad_data_is_refused(given: bytes, kind: Kind) -> None:
    """Data that is no object or is too large gets a clear error."""
    with pytest.raises(ChatError) as refused:
        checked_data(Raw(given))
    assert refused.value.kind is kind
