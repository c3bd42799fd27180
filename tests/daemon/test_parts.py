"""`livechat.daemon.parts`."""

from __future__ import annotations

import pytest

from livechat.daemon.parts import Core, Transports


@pytest.mark.parametrize("parts", [Core, Transports])
def test_frozen(parts: type[Core | Transports]) -> None:
    """What is handed from builder to builder does not change on the way."""
    assert parts.__struct_config__.frozen
