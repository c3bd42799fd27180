"""`livechat.rooms.member`."""

from __future__ import annotations

from zope.interface.verify import verifyClass, verifyObject

from livechat.members.event_stream import Feed
from livechat.members.websocket import Socket
from livechat.rooms.member import IClient, IMember
from tests.support import RecordingClient


def test_the_double_is_a_member() -> None:
    """The client that tests of rooms use has all that a room asks of one."""
    assert verifyObject(IClient, RecordingClient())


def test_both_transports_are_members() -> None:
    """Both transports can be members of a room."""
    for transport in (Socket, Feed):
        assert verifyClass(IClient, transport)
        assert IMember.implementedBy(transport)
