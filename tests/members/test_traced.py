"""`livechat.members.traced`."""

from __future__ import annotations

from collections.abc import Collection

from livechat.members.traced import Traced, TracedMembers
from livechat.protocol.tracing import Aim
from tests.support import Port


def test_without_traces_nothing_is_looked_for() -> None:
    """Without traces nothing is looked for, and members that have no session are passed over."""
    members: Collection[Traced] = ()
    TracedMembers(None, members)


def test_while_it_lasts(port: Port) -> None:
    """Members that are there, and those that come, are traced until the trace ends."""
    port.socket()
    trace = port.world.tracing.begin(Aim("r"), 10, lambda: None)
    port.socket()
    found = [each.trace for each in port.sockets.sockets]
    assert len(found) == 2
    assert all(each is not None and each.traces == [trace] for each in found)
    port.world.tracing.end(trace)
    assert [each.trace for each in port.sockets.sockets] == [None, None]


def test_event_streams_are_traced(port: Port) -> None:
    """Event streams are traced like other members."""
    trace = port.world.tracing.begin(Aim("r"), 10, lambda: None)
    wire = port.connect()
    wire.send(b"GET /chat/events/r/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
    port.socket().says("hi")
    lines = trace.drain()[0]
    kinds = [(each.way, each.type) for each in lines if each.connection is not None]
    assert kinds[:3] == [("open", None), ("out", "hello"), ("out", "presence")]
    assert ("out", "message", 1) in [(each.way, each.type, each.members) for each in lines]
