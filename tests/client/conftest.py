"""Parts that the tests of the Python client share."""

from __future__ import annotations

import pytest


@pytest.fixture
def hurries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other at once."""
    monkeypatch.setattr("livechat_client.endings.FIRST_RETRY", 0.02)
    monkeypatch.setattr("livechat_client.sending.SLACK", 0.01)
