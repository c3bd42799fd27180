"""Ends of connections of `livechat.net.tls`: by the protocol, by the peer, by a bug."""

from __future__ import annotations

import socket

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.task import deferLater

from livechat.net import uptake
from livechat.net.tls_port import LOOKS
from tests.net.peers import TLS12, TLS13, End, PortTest, exactly, in_thread, rest
from tests.net.stoppable import MIB, Stoppable


class LoseConnectionTest(PortTest):
    """The protocol closes."""

    async def test_data_written_before_a_close_arrives(self) -> None:
        """Data written before is sent, then close_notify and FIN; the peer closes, done."""
        for version in (TLS12, TLS13):
            end, peer = await self.connect(version)
            end.transport.write(b"x" * 8 * MIB)
            end.transport.loseConnection()
            assert end.reason is None
            assert len(await in_thread(rest, peer)) == 8 * MIB
            assert end.reason is None, "it was lost before the peer closed"
            await in_thread(peer.unwrap)
            peer.close()
            assert await end.lost() is ConnectionDone

    async def test_the_fin_follows_close_notify(self) -> None:
        """After close_notify the TCP connection ends too, without waiting for the peer."""
        end, peer = await self.connect()
        end.transport.loseConnection()
        assert await in_thread(rest, peer) == b""
        plain = socket.socket(fileno=peer.detach())
        self.addCleanup(plain.close)
        assert await in_thread(plain.recv, 1) == b""
        plain.close()
        assert await end.lost() is ConnectionDone

    async def test_a_peer_that_is_still_sending(self) -> None:
        """Data that still comes is dropped, and no reset overtakes the data sent before."""
        end, peer = await self.connect()
        end.transport.write(b"x" * MIB)
        end.transport.loseConnection()
        for _ in range(50):
            await in_thread(peer.sendall, b"y" * 10_000)
        assert len(await in_thread(rest, peer)) == MIB
        peer.close()
        assert await end.lost() is ConnectionDone
        assert end.received == b""

    async def test_nothing_after_it(self) -> None:
        """After closing nothing is written, and nothing more is delivered."""
        end, peer = await self.connect()
        end.transport.write(b"before")
        end.transport.loseConnection()
        end.transport.write(b"after")
        end.transport.writeSequence([b"af", b"ter"])
        end.transport.loseConnection()
        await in_thread(peer.sendall, b"late")
        assert await in_thread(rest, peer) == b"before"
        end.transport.write(b"after")
        peer.close()
        await end.lost()
        assert end.received == b""
        assert end.told == ["connectionMade", "connectionLost"]

    async def test_not_at_once(self) -> None:
        """The protocol is told in a later turn, even if nothing waits and the peer is gone."""
        end, peer = await self.connect()
        peer.close()
        end.transport.loseConnection()
        assert end.reason is None
        assert await end.lost() is ConnectionDone

    async def test_a_close_within_a_delivery_sends_the_answer(self) -> None:
        """Closing in the middle of a delivery still sends the whole answer."""

        class Answering(End):
            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                self.transport.write(b"x" * MIB)
                self.transport.loseConnection()

        self.ends._made_by = Answering
        end, plain = await self.accept()
        peer = await self.shake(plain)
        await in_thread(peer.sendall, b"?")
        assert len(await in_thread(rest, peer)) == MIB
        peer.close()
        assert await end.lost() is ConnectionDone

    async def test_a_close_before_the_handshake_waits_for_it(self) -> None:
        """Closing before the handshake sends data and close_notify after it."""
        end, plain = await self.accept()
        end.transport.write(b"so soon")
        end.transport.loseConnection()
        peer = await self.shake(plain)
        assert await in_thread(rest, peer) == b"so soon"
        peer.close()
        assert await end.lost() is ConnectionDone

    async def test_a_paused_transport_notices_the_close(self) -> None:
        """A transport that is paused still notices that the peer closes."""
        end, peer = await self.connect()
        end.transport.pauseProducing()
        end.transport.loseConnection()
        end.transport.pauseProducing()
        assert await in_thread(rest, peer) == b""
        peer.close()
        assert await end.lost() is ConnectionDone

    async def test_paused_before_the_handshake(self) -> None:
        """The same if it was paused and closed before the handshake."""
        end, plain = await self.accept()
        end.transport.pauseProducing()
        end.transport.loseConnection()
        peer = await self.shake(plain)
        assert await in_thread(rest, peer) == b""
        peer.close()
        assert await end.lost() is ConnectionDone

    async def test_a_producer_is_stopped(self) -> None:
        """A producer is stopped, and whoever registers later is stopped too."""
        end, peer = await self.connect()
        first, second = Stoppable(), Stoppable()
        end.transport.registerProducer(first, True)
        end.transport.loseConnection()
        assert first.stopped == 1
        end.transport.registerProducer(second, True)
        assert second.stopped == 1
        end.transport.unregisterProducer()
        assert await in_thread(rest, peer) == b""
        peer.close()
        await end.lost()
        assert (first.stopped, second.stopped) == (1, 1)


class ClosingTest(PortTest):
    """Peers that do not close when they are asked to."""

    closing = 0.3

    async def test_a_peer_that_stays_is_cut_off(self) -> None:
        """A peer that does not close is cut off in time, also if it takes the last words."""
        for last in (b"", b"x" * 100_000):
            end, peer = await self.connect()
            began = self.reactor.seconds()
            reading = in_thread(exactly, peer, len(last))
            end.transport.write(last)
            end.transport.loseConnection()
            assert len(await reading) == len(last)
            uptake = end.transport._uptake
            while_taken = 0 if uptake is None else uptake.checks
            assert await end.lost() is ConnectionAborted
            assert self.closing <= self.reactor.seconds() - began
            # All looks of that time, and of no second one.
            assert end.transport._uptake.checks <= while_taken + LOOKS + 1

    async def test_a_peer_that_goes_on_sending(self) -> None:
        """Sending is no closing."""
        end, peer = await self.connect()

        def send() -> None:
            while True:
                peer.sendall(b"x" * 1_000)

        end.transport.loseConnection()
        sending = in_thread(send)
        assert await end.lost() is ConnectionAborted
        await self.assertFailure(sending, OSError)

    async def test_a_peer_that_takes_nothing(self) -> None:
        """A peer that reads nothing is cut off."""
        end, _ = await self.connect(receive_buffer=10_000)
        end.transport.write(b"x" * 20 * MIB)
        end.transport.loseConnection()
        assert await end.lost() is ConnectionAborted

    async def test_a_peer_that_never_shakes_hands(self) -> None:
        """The same before the handshake."""
        end, _ = await self.accept()
        end.transport.loseConnection()
        assert await end.lost() is ConnectionAborted

    async def test_a_slow_peer_gets_everything(self) -> None:
        """A slow but steady peer gets everything, however long that takes."""
        end, peer = await self.connect(receive_buffer=10_000)
        size = 6 * MIB
        # This test is not about the limit on the whole time.
        self.patch(uptake, "_MOST_TIMES", 1_000)

        async def read() -> int:
            got = 0
            while got < size:
                # This is what it is to be slow.
                await deferLater(self.reactor, self.closing / 30, lambda: None)
                got += len(await in_thread(exactly, peer, min(40_000, size - got)))
            return got

        end.transport.write(b"x" * size)
        end.transport.loseConnection()
        assert await read() == size
        assert await in_thread(rest, peer) == b""
        peer.close()
        assert await end.lost() is ConnectionDone
