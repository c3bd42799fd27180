"""`livechat.errors`."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from livechat.errors import RETRY_AFTER, ChatError, Close, Kind


@pytest.mark.parametrize("kind", Kind)
def test_a_kind_has_its_code_and_status(kind: Kind) -> None:
    """A kind is its code, which is a word for programs, and has a known error status."""
    assert kind.value == kind.code
    assert kind.code.isascii()
    assert kind.code == kind.code.lower()
    assert HTTPStatus(kind.status) >= 400 or kind is Kind.HELD


def test_only_passing_trouble_says_when_to_retry() -> None:
    """An error has a time to wait exactly if waiting can help."""
    for kind in Kind:
        expected = RETRY_AFTER if kind.retry else None
        assert ChatError(kind, "x").retry_after == expected
    assert ChatError(Kind.RATE_LIMITED, "x", retry_after=7).retry_after == 7


def test_every_close_code_may_be_sent() -> None:
    """Every close code may be sent (RFC 6455, section 7.4)."""
    for code in Close:
        assert code in (1000, 1001, 1008, 1009, 1012, 1013) or 4000 <= code <= 4999


def test_detail_can_be_told() -> None:
    """A detail that is no Unicode is repaired: it comes from other people's policies, too."""
    error = ChatError(Kind.BAD_MESSAGE, "not this: \ud800")
    assert error.detail == "not this: ?"
