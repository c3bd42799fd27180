"""`livechat.net.tls`: a connection is a wire, written to past it and by it in turns."""

from __future__ import annotations

import socket
import struct
from typing import Any

from twisted.internet.error import ConnectionLost

from livechat.net.fast import write_all
from tests.net.peers import End, PortTest, exactly, in_thread, rest

#: More than a socket's buffers hold, by much.
MUCH = bytes(range(256)) * 32_768


def went(end: End, data: bytes) -> int | None:
    """Write *data* as a room does to a member that is ready; return what was sent of it."""
    wire: Any = end.transport
    wire.ready = True
    left = write_all([wire], data, 0, 1)
    if not left:
        return None
    ((_, sent),) = left
    wire.write(data[max(sent, 0) :])
    return sent


class WiresTest(PortTest):
    """Writes of rooms to a connection."""

    async def test_a_wire_is_open_between_handshake_and_close(self) -> None:
        """A wire is open from the handshake on, until somebody closes."""
        end, plain = await self.accept()
        wire = end.transport
        assert (wire.open, wire.direct, wire.ready) == (False, False, False)
        peer = await self.shake(plain)
        await in_thread(peer.sendall, b".")
        await end.hears(b".")
        assert (wire.open, wire.direct) == (True, True)
        wire.loseConnection()
        assert (wire.open, wire.direct) == (False, False)
        assert went(end, b"late") == -1
        assert await in_thread(rest, peer) == b""
        peer.close()
        await end.lost()
        assert wire.ssl is None
        assert went(end, b"later") == -1

    async def test_bytes_of_both_writers_keep_their_order(self) -> None:
        """Bytes that both have written arrive in their order."""
        end, peer = await self.connect()
        assert went(end, b"a") is None
        end.transport.write(b"b")
        assert went(end, b"c") is None
        assert await in_thread(exactly, peer, 3) == b"abc"

    async def test_more_than_the_kernel_takes(self) -> None:
        """A record that was begun is ended by the transport, and all that follows waits."""
        end, peer = await self.connect(receive_buffer=4_096)
        sent = went(end, MUCH)
        assert sent is not None
        assert sent >= 0
        assert not end.transport.direct
        assert went(end, b"behind") == -1
        end.transport.write(b"it")
        heard = await in_thread(exactly, peer, len(MUCH) + 8)
        assert heard == MUCH + b"behindit"
        assert await self.direct(end)
        assert went(end, b".") is None

    async def direct(self, end: End) -> bool:
        """Wait until nothing waits in the transport."""
        while end.transport.dataBuffer or end.transport._tempDataBuffer:
            await in_thread(lambda: None)
        return bool(end.transport.direct)

    async def test_a_record_that_waits_in_openssl(self) -> None:
        """A write of which not one byte was taken is the transport's to try again."""
        end, peer = await self.connect(receive_buffer=4_096)
        wire = end.transport
        wire.ready = True
        total = 0
        while not (left := write_all([wire], MUCH[:10_000], 0, 1)):
            total += 1
        assert left == [(0, 0)]
        wire.write(MUCH[:10_000])
        assert not wire.direct
        wire.write(b"end")
        heard = await in_thread(exactly, peer, (total + 1) * 10_000 + 3)
        assert heard == MUCH[:10_000] * (total + 1) + b"end"

    async def test_a_peer_that_has_reset(self) -> None:
        """The connection is lost in a later turn, with the reason that it always had."""
        end, peer = await self.connect()
        end.transport.pauseProducing()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        assert went(end, b"x") == 0
        assert end.reason is None
        assert await end.lost() is ConnectionLost
        assert went(end, b"x") == -1

    async def test_closed_with_something_on_the_wire(self) -> None:
        """Bytes written to the wire before the end arrive before it."""
        end, peer = await self.connect()
        assert went(end, b"last") is None
        end.transport.loseConnection()
        assert await in_thread(rest, peer) == b"last"
        peer.close()
        await end.lost()

    async def test_a_producer_that_is_asked(self) -> None:
        """A transport that asks a producer for more when all is sent is not written past."""
        end, _ = await self.connect()

        class Producer:
            def resumeProducing(self) -> None:
                """Asked once, and then done."""
                end.transport.unregisterProducer()

            def stopProducing(self) -> None:
                """No-op: this producer is not stopped."""

        end.transport.registerProducer(Producer(), False)
        assert not end.transport.direct
        assert went(end, b"x") == -1
