"""`livechat.protocol.credentials`."""

from __future__ import annotations

import pytest

from livechat.errors import ChatError, Kind
from livechat.protocol.credentials import Credentials


def test_headers() -> None:
    """One value, in whatever case the name is written; two would be two identities."""
    asked = Credentials({"x-user": ("42",), "cookie": ("a", "b")}, "192.0.2.1", proxied=True)
    assert asked.header("X-User") == "42"
    assert asked.header("Authorization") is None
    with pytest.raises(ChatError) as caught:
        asked.header("Cookie")
    assert caught.value.kind is Kind.BAD_REQUEST
