"""`livechat.daemon.parts`."""

from __future__ import annotations

import pytest

from livechat.daemon.parts import Core, Transports


@pytest.mark.parametrize("parts", [Core, Transports])
def test_parts_are_frozen(parts: type[Core | Transports]) -> None:
    """Parts are frozen: no builder changes them for the next one."""
    assert parts.__struct_config__.frozen
