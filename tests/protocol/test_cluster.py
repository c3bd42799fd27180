"""`livechat.protocol.cluster`."""

from __future__ import annotations

from livechat.protocol.cluster import Report, Room


def test_a_process_counts_members_of_all_rooms() -> None:
    """A process has the members of all its rooms."""
    assert Report("p", 0, 0, 0.0, (), (Room("a", 1), Room("b", 2))).members == 3
