"""`livechat.rooms.oversight`: acts of one part reach the others."""

from __future__ import annotations

from tests.members.session_client import Client
from tests.rooms.moderating import acts, moderator, restricts, user
from tests.rooms.reporting import listed
from tests.support import World


def test_a_removal_closes_reports(world: World) -> None:
    """Messages that are removed with a ban close their reports, and the person is told."""
    ann, bob, judge = user(world, "42"), Client(world, token=world.token("43")), moderator(world)
    said = acts(ann, type="message", message="spam")
    assert acts(bob, type="report", ref=said["seq"])["type"] == "ack"
    assert len(listed(world)) == 1
    restricts(judge, "ban", retract=60)
    assert listed(world) == []
    assert ann.refused is not None
