"""`livechat.command.webhook_options`; tests/command/test_webhooks.py tests the actions."""

from __future__ import annotations

import pytest

from tests.command.conftest import Command


@pytest.mark.parametrize(
    "words",
    [
        ("webhook",),
        ("webhook", "send"),
        ("webhook", "test"),
        ("webhook", "listen", "--port", "99999"),
        ("webhook", "rewind"),
        ("webhook", "rewind", "yesterday"),
    ],
)
def test_no_command_lines(command: Command, words: tuple[str, ...]) -> None:
    ran = command(*words)
    assert ran.code == 2
    assert "usage:" in ran.err
