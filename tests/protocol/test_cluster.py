"""`livechat.protocol.cluster`."""

from __future__ import annotations

from livechat.protocol.cluster import Report, Room


def test_members() -> None:
    """A process has the members of all its rooms."""
    assert Report("p", 0, 0, 0.0, (), (Room("a", 1), Room("b", 2))).members == 3
