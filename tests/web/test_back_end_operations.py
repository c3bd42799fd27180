"""`livechat.web.back_end_operations`."""

from __future__ import annotations

import pytest

from livechat.http.endpoint import Endpoint
from livechat.web.operations import by_method
from tests.support import Port


@pytest.mark.parametrize("path", ["/chat/keys/", "/chat/keys/{id}/", "/chat/token/"])
def test_operations_are_described_as_secured(port: Port, path: str) -> None:
    """The description says that the operations are not for guests, and how they are refused."""
    (place,) = (each for each in port.tree.places() if each.path == path)
    assert isinstance(place, Endpoint)
    for method, described in by_method(place).items():
        assert described["security"] == [{"bearer": []}]
        assert "401" in described["responses"]
        answer = port.ask(method.upper(), path.replace("{id}", "x"), b"{}")
        assert str(answer.status) in described["responses"]
