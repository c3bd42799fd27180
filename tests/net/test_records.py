"""`livechat.net.records`."""

from __future__ import annotations

import socket

from livechat.net.records import MOST_RECEIVED, MOST_RECORDS
from tests.net.peers import PortTest, in_thread


class RecordsTest(PortTest):
    """Records that arrive together."""

    async def test_records_that_came_together(self) -> None:
        """Records that arrive together are delivered together, up to a bound in number."""
        end, peer = await self.connect()
        # Or all but the first would wait for it to be acknowledged.
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end.transport.pauseProducing()
        count = MOST_RECORDS + 10

        def send() -> None:
            for _ in range(count):
                peer.sendall(b"x")

        await in_thread(send)
        end.transport.resumeProducing()
        await end.hears(b"x" * count)
        assert end.deliveries == [MOST_RECORDS, 10]

    async def test_large_records_that_came_together(self) -> None:
        """A flood is delivered in bounded pieces, so that others get a turn, and is not held."""
        end, peer = await self.connect()
        end.transport.pauseProducing()
        count = 3 * MOST_RECEIVED
        sending = in_thread(peer.sendall, b"x" * count)
        end.transport.resumeProducing()
        await end.hears(b"x" * count)
        await sending
        assert max(end.deliveries) <= MOST_RECEIVED
