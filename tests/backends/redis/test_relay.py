"""`livechat.backends.redis.relay`, with a real Redis."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from tests.backends.redis.processes import Process, ProcessesTest


class RedisRelayTest(ProcessesTest):
    """News of a process for all others."""

    def listening(self, process: Process) -> tuple[list[bytes], Deferred[None]]:
        """Record what *process* hears; the Deferred fires with the first of it."""
        heard: list[bytes] = []
        first: Deferred[None] = Deferred()

        def listen(data: bytes) -> None:
            heard.append(data)
            if not first.called:
                first.callback(None)

        process.backend.relay.listen(listen)
        return heard, first

    async def test_news_reach_other_processes_only(self) -> None:
        """The others hear it, whatever bytes it has; the process itself does not."""
        here, _ = self.listening(self.here)
        there, first = self.listening(self.there)
        self.here.backend.relay.tell(b"\x00 \xff\n")
        await first
        assert (here, there) == ([], [b"\x00 \xff\n"])

    async def test_a_listener_with_a_bug(self) -> None:
        """A listener's exception is logged, and the connection stays."""

        def bug(_: bytes) -> None:
            raise ZeroDivisionError

        self.there.backend.relay.listen(bug)
        self.here.backend.relay.tell(b"x")
        third, first = self.listening(self.here)
        self.there.backend.relay.tell(b"y")
        await first
        assert third == [b"y"]
        met: list[Failure] = []
        while not met:
            await deferLater(self.reactor, 0.005)
            met += self.flushLoggedErrors(ZeroDivisionError)
        assert len(met) == 1

    async def test_while_redis_is_away(self) -> None:
        """News that cannot be told are lost, and nobody waits for them."""
        await self.here.backend.stop()
        self.here.backend.relay.tell(b"x")
