"""`livechat.protocol.actions`; `tests.protocol.test_v1` has the rest."""

from __future__ import annotations

from typing import get_args

from livechat.protocol.actions import Action


def test_each_has_a_nonce() -> None:
    """So each can be told from its repetition, and its answer from others."""
    for action in get_args(Action):
        assert "nonce" in action.__struct_fields__
