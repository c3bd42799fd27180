"""`livechat.rooms.member`."""

from __future__ import annotations

from zope.interface.verify import verifyClass, verifyObject

from livechat.members.event_stream import Feed
from livechat.members.websocket import Socket
from livechat.rooms.member import IClient, IMember
from tests.support import RecordingClient


def test_double() -> None:
    """The client that tests of rooms use has all that a room asks of one."""
    assert verifyObject(IClient, RecordingClient())


def test_transports() -> None:
    """Both transports can be members of a room."""
    for transport in (Socket, Feed):
        assert verifyClass(IClient, transport)
        assert IMember.implementedBy(transport)
