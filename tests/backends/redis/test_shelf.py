"""`livechat.backends.redis.shelf`."""

from __future__ import annotations

import pytest
from twisted.logger import capturedLogs

from livechat.backends.redis.shelf import LARGEST, document_entries


def test_entries_of_the_old_document_are_read() -> None:
    """The entries of the former version's document."""
    document = b'{"sessions":{"h1":1790000000,"h2":5},"addresses":["192.0.2.1","2001:db8::/64"]}'
    assert document_entries(document) == {
        "sessions:h1": b"1790000000",
        "sessions:h2": b"5",
        "addresses:192.0.2.1": b"0",
        "addresses:2001:db8::/64": b"1",
    }


@pytest.mark.parametrize(
    "document", [b"{", b"\xff", b"[]", b'{"sessions":1}', b" " * LARGEST + b"{}"]
)
def test_a_damaged_document_is_logged(document: bytes) -> None:
    """A damaged document is logged and empty."""
    with capturedLogs() as events:
        assert document_entries(document) == {}
    assert "damaged" in events[0]["log_format"]
