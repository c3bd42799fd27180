"""`livechat.protocol.credentials`."""

from __future__ import annotations

import pytest

from livechat.errors import ChatError, Kind
from livechat.protocol.credentials import Credentials


def test_a_header_has_one_value_in_any_case() -> None:
    """A header's name matches in any case; two values would be two identities and are refused."""
    asked = Credentials({"x-user": ("42",), "cookie": ("a", "b")}, "192.0.2.1", proxied=True)
    assert asked.header("X-User") == "42"
    assert asked.header("Authorization") is None
    with pytest.raises(ChatError) as caught:
        asked.header("Cookie")
    assert caught.value.kind is Kind.BAD_REQUEST
