"""Turns of a real reactor over TLS: `turn` beside `livechat.net.tls`."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from tests.net import contracts
from tests.net.peers import PATIENCE, End, PortTest, in_thread
from tests.net.turning import HI, LONGEST, PONG
from tests.net.wires import pairs, part, tls

__all__ = ["pairs", "part", "tls"]


class FrameEnd(End):
    """An end whose frames are read by `turn`."""

    def connectionMade(self) -> None:
        self.transport.longest = LONGEST
        self.frames: list[bytes | None] = []
        super().connectionMade()

    def frames_received(self, frames: list[bytes | None], rest: bytes) -> None:
        self.frames += frames
        self.changed()
        if rest:
            self.dataReceived(rest)


class TurnKeysTest(contracts.KeysContract):
    """Peers that change their keys, where `turn` reads."""

    protocol = FrameEnd

    def watch(self, end: End) -> list[str]:
        """The reactor's calls of the connection from now on, and its turns."""
        called = super().watch(end)
        iterate = self.reactor.doIteration

        def watched(timeout: float | None) -> None:
            if end.transport.open and end.transport.longest:
                called.append("turn")
            iterate(timeout)

        self.patch(self.reactor, "doIteration", watched)
        return called

    async def turns(self, count: int = 5) -> None:
        """Turn the reactor so many times."""
        await super().turns(count)


class TurnPeersEndTest(contracts.PeersEndContract):
    """Peers that end the connection, where `turn` reads."""

    protocol = FrameEnd


class TurnTest(PortTest):
    """Connections that `turn` reads, on a real reactor."""

    protocol = FrameEnd
    ends: Any

    async def two(self) -> tuple[Any, Any, Any, Any]:
        """Two connections, and their peers."""
        first, peer = await self.connect()
        second, other = await self.connect()
        return first, peer, second, other

    async def test_frames_are_told_with_what_is_behind(self) -> None:
        """Frames are told, and what is behind them."""
        end, peer, _, _ = await self.two()
        peer.sendall(HI * 20 + PONG)
        await end.until(lambda: end.received)
        assert end.frames == [b"hi"] * 16
        assert end.received == HI * 4 + PONG

    async def test_an_end_behind_frames(self) -> None:
        """Frames before the end are told before it."""
        end, peer, _, _ = await self.two()
        peer.sendall(HI)
        peer.setblocking(False)
        with pytest.raises(OSError):  # noqa: PT011
            peer.unwrap()
        assert await end.lost() is ConnectionDone
        assert end.frames == [b"hi"]

    async def test_frames_before_a_reset_are_told(self) -> None:
        """So it is before a reset, as far as that leaves it, and nobody else ends."""
        end, peer, other, another = await self.two()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        another.sendall(HI)
        assert await end.lost() is ConnectionLost
        await other.until(lambda: other.frames)

    async def test_a_bug_ends_its_connection(self) -> None:
        """A bug ends its connection only, and is in the log."""

        class Buggy(Exception):
            pass

        def bug(*_: Any) -> None:
            raise Buggy

        end, peer, other, another = await self.two()
        self.patch(end, "frames_received", bug)
        peer.sendall(HI)
        another.sendall(HI)
        assert await end.lost() is Buggy
        await other.until(lambda: other.frames)
        assert len(self.flushLoggedErrors(Buggy)) == 1

    async def told_first(self, ends_other: Callable[[Any], None]) -> Any:
        """
        Have both say something at once.  Return the one that is told second, and its peer; the
        other ends it when it is told.
        """
        first, peer, second, other = await self.two()
        told: list[Any] = []

        def tells(end: Any, another: Any) -> Callable[..., None]:
            def received(frames: list[bytes | None], _: bytes) -> None:
                told.append(end)
                if another not in told:
                    ends_other(another.transport)
                end.frames += frames
                first.changed()

            return received

        self.patch(first, "frames_received", tells(first, second))
        self.patch(second, "frames_received", tells(second, first))
        peer.sendall(HI)
        other.sendall(HI)
        descriptors = [first.transport.fileno(), second.transport.fileno()]
        while len(select.select(descriptors, (), (), PATIENCE)[0]) < 2:
            pass
        await first.until(lambda: first.frames or second.frames)
        await deferLater(self.reactor, 0, lambda: None)
        return (second, other) if told[0] is first else (first, peer)

    async def test_an_aborted_connection_is_told_nothing(self) -> None:
        """A connection that another's message has cut off is told nothing any more."""
        end, _ = await self.told_first(lambda transport: transport.abortConnection())
        assert await end.lost() is ConnectionAborted
        assert end.frames == []

    async def test_a_closed_connection_is_told_nothing(self) -> None:
        """Nor is one that another's message has closed."""
        end, peer = await self.told_first(lambda transport: transport.loseConnection())
        await in_thread(peer.close)
        await end.lost()
        assert end.frames == []

    async def test_a_lost_connection_is_told_nothing(self) -> None:
        """Nor one that is gone already, whose SSL is freed."""
        end, _ = await self.told_first(
            lambda transport: transport.connectionLost(Failure(ConnectionLost()))
        )
        assert end.reason is ConnectionLost
        assert end.frames == []

    async def test_a_paused_connection_is_not_read(self) -> None:
        """Nothing is read of a connection that is paused."""
        end, peer, other, another = await self.two()
        end.transport.pauseProducing()
        peer.sendall(HI)
        another.sendall(HI)
        await other.until(lambda: other.frames)
        assert end.frames == []
        end.transport.resumeProducing()
        await end.until(lambda: end.frames)
