"""Memory of rooms and people: small while they are there, and none afterwards."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator

import pytest

from livechat.limits.rates import address_key
from tests.support import HANDSHAKE, Port, client_frame, request

ROOMS = 100
#: Bytes that a room with one member may take, the member's connection not counted ...
ROOM = 4_096
#: ... and that each may leave.
LEFT = 64
#: Files whose allocations count.
OURS = ("*/livechat/*", "*/autobahn/*", "*/twisted/*", __file__)


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def in_use(port: Port) -> int:
    """Bytes, when all that is forgotten after a while is."""
    port.world.turn()
    # Caches of bounded size remember the keys of the last few thousand addresses, and epochs.
    address_key.cache_clear()
    port.world.store._numberings._hashed.cache_clear()
    gc.collect()
    # Threads that other tests have left to this process may allocate meanwhile.
    found = tracemalloc.take_snapshot().filter_traces(
        [tracemalloc.Filter(True, path) for path in OURS]
    )
    return sum(each.size for each in found.traces)


@pytest.mark.usefixtures("traced")
def test_a_room_takes_little(port: Port) -> None:
    """A room takes a few kilobytes at most, and gives them back."""

    class Member:
        encoding = None

        def write(self, frames: bytes) -> None:
            """Nothing is kept."""

    members = [Member() for _ in range(ROOMS)]
    before = in_use(port)
    for number, member in enumerate(members):
        port.world.hub.join(f"room-{number}", member)  # type: ignore[arg-type]
    assert in_use(port) - before < ROOMS * ROOM
    for number, member in enumerate(members):
        port.world.hub.leave(f"room-{number}", member)  # type: ignore[arg-type]
    assert in_use(port) - before < ROOMS * LEFT


@pytest.mark.usefixtures("traced")
def test_rooms_leave_nothing(port: Port) -> None:
    """However many rooms and people there were, in an hour they are forgotten."""

    def come_and_go(first: int) -> int:
        for number in range(first, first + ROOMS):
            wire = port.connect(f"198.51.{number // 250}.{number % 250}")
            port.wires.clear()
            asked = f"/ws/chat/room-{number}/?name=user-{number}&client={number:x>20}"
            wire.send(request("GET", asked, **HANDSHAKE, Sec_WebSocket_Protocol="livechat.v1"))
            assert wire.answer().status == 101
            wire.send(client_frame(b'{"type":"message","message":"hi","nonce":"1"}'))
            wire.send(client_frame(b'{"type":"typing"}') + client_frame(b"{"))
            wire.hang_up()
        for _ in range(7):
            port.world.clock.advance(600)
        return in_use(port)

    come_and_go(0)
    before = come_and_go(ROOMS)
    after = [come_and_go(ROOMS * times) for times in range(2, 5)]
    assert after[-1] - before < 3 * ROOMS * LEFT, (before, after)
