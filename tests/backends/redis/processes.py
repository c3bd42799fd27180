"""Two processes in the same rooms, as far as their backends go, and what they get."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from livechat.backends.redis import connect, publisher, resp
from livechat.backends.redis.backend import RedisBackend
from livechat.backends.retention import Retention
from livechat.errors import ChatError, Kind
from livechat.interfaces import IBackend
from livechat.protocol.messages import Draft, Page
from tests.amend_contract import AmendContract
from tests.archive_contract import ArchiveContract
from tests.backends.redis.server import RedisServer
from tests.contract import BackendContract
from tests.map_contract import REPORT
from tests.outbox_contract import OutboxContract
from tests.support import RecordingSink
from tests.support.outcomes import publish


async def until(holds: Callable[[], Any]) -> None:
    """Wait for something that happens in another process."""
    from twisted.internet import reactor  # noqa: PLC0415

    while not holds():
        await deferLater(reactor, 0.005)


@contextmanager
def ahead_of(seconds: float) -> Iterator[None]:
    """
    Assert that the block ends before a timer of so many seconds fires. The reactor fires timers
    in their order, however late, so a busy machine does not matter.
    """
    from twisted.internet import reactor  # noqa: PLC0415

    timer = cast(IReactorTime, reactor).callLater(seconds, lambda: None)
    try:
        yield
        assert timer.active(), f"it took more than {seconds} seconds"
    finally:
        if timer.active():
            timer.cancel()


class Process:
    """A backend, as one of several processes has it, and what its members got."""

    def __init__(self, backend: RedisBackend) -> None:
        self.backend = backend
        self.sink = RecordingSink()
        self.report = REPORT
        backend.start(self.sink, lambda: self.report, record=self.sink.record)

    async def usable(self) -> None:
        """Until it can use Redis."""
        await until(lambda: self.backend.trouble() is None)

    async def troubled(self, said: str) -> None:
        """Until it cannot, and says so much of why."""
        await until(lambda: said in str(self.backend.trouble()))

    async def page(self, after: int = 0) -> Page:
        """
        Entries behind a number.

        On a busy machine Redis may answer too late; then the connection is given up, and the read
        refused, which is repeated here.
        """
        while True:
            await self.usable()
            try:
                return await self.backend.messages.read("r", after, 100_000)
            except ChatError as reason:
                if reason.kind is not Kind.UNAVAILABLE:
                    raise

    def heard(self, room: str = "r") -> list[str]:
        return self.sink.texts(room)

    def epochs(self, room: str = "r") -> list[str]:
        return list(
            dict.fromkeys(epoch for where, epoch, _ in self.sink.delivered if where == room)
        )

    def seqs(self, room: str = "r") -> list[int]:
        return [message.seq for where, _, message in self.sink.delivered if where == room]


class RedisContract(AmendContract, ArchiveContract, OutboxContract, BackendContract):
    """The contract of backends in Redis, at a time that the test sets."""

    def begin_at(self, *servers: RedisServer) -> None:
        """Before each test."""
        # All acts of a turn share these times, and thousands take long on a busy machine.
        test: Any = self
        test.patch(publisher, "WAIT", 20.0)
        test.patch(resp, "REPLY", 20.0)
        for server in servers:
            server.ask("FLUSHALL")
        self._servers = servers
        self._later = self._ahead = 0.0

    def set_time(self, seconds: float) -> None:
        self._later = seconds

    def set_clock(self, seconds: float) -> None:
        self._ahead = seconds

    async def settle(self, backend: Any) -> None:
        backends = getattr(backend, "_backends", [backend])
        for each in backends:
            for _ in range(3):
                async for streams in each._sweep.streams():
                    await each._sweep._trim(streams)
        boxes = [each.outbox for each in backends]
        await boxes[0].give_up_excess(boxes, now=True)

    async def renumber(self, backend: Any) -> Any:
        for each in getattr(backend, "_backends", [backend]):
            await each.begin_anew()
        await self.ready(backend)
        return backend

    async def ready(self, backend: IBackend) -> None:
        await until(lambda: backend.trouble() is None)

    def connected(self, retention: Retention) -> list[RedisBackend]:
        """A backend for each server."""
        from twisted.internet import reactor  # noqa: PLC0415

        real: Any = reactor
        made = [connect(server.url, real, retention) for server in self._servers]
        for backend in made:
            backend.wall._wall = lambda: 1_790_000_000 + self._later + self._ahead
            backend.wall._elapsed = lambda: self._later
        return made


class ProcessesTest(TestCase):
    """
    Two processes with members in the room `r`.

    @cvar options: what the Redis is started with.
    @ivar url: where it is.
    @ivar server: the Redis that a test kills.
    """

    timeout = 60
    options: tuple[str, ...] = ()

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> Iterator[None]:
        with RedisServer(tmp_path / "redis", *self.options) as self.server:
            self.url = self.server.url
            yield

    async def setUp(self) -> None:  # type: ignore[override]
        from twisted.internet import reactor  # noqa: PLC0415

        self.reactor: Any = reactor
        self.here, self.there = self.process(), self.process()
        await self.usable()
        for each in (self.here, self.there):
            await each.backend.messages.subscribe("r")
        self.numbers = count()
        self.answered: list[str] = []
        self.refused: list[Kind] = []

    def process(self, **options: int) -> Process:
        made = Process(connect(self.url, self.reactor, Retention(**options)))
        self.addCleanup(made.backend.stop)
        return made

    async def usable(self) -> None:
        """Until both processes can use Redis."""
        both = (self.here, self.there)
        await until(lambda: all(each.backend.trouble() is None for each in both))

    async def hears(self, process: Process, much: int) -> None:
        """Until it has got so many messages."""
        await until(lambda: len(process.heard()) >= much)

    async def kill(self) -> None:
        """Until both have noticed."""
        self.server.kill()
        both = (self.here, self.there)
        await until(lambda: all(each.backend.trouble() is not None for each in both))

    def send(self, process: Process, text: str) -> Deferred[None]:
        """Say *text*, and remember what became of it."""

        def refused(failure: Failure) -> None:
            error: Any = failure.value
            self.refused.append(error.kind)

        sent = publish(process.backend.messages, Draft("r", text))
        return sent.addCallbacks(lambda _: self.answered.append(text), refused)

    async def traffic(self, much: int, each: Callable[[int], None] = lambda _: None) -> None:
        """Both talk, a message in a turn; *each* happens before its message."""
        sent = []
        for number in range(much):
            each(number)
            process = (self.here, self.there)[number % 2]
            sent.append(self.send(process, f"{next(self.numbers)}"))
            await deferLater(self.reactor, 0)
        await gatherResults(sent)

    async def stored(self) -> list[str]:
        page = await self.here.page()
        found = list(page.messages)
        while found and found[-1].seq < page.position.seq:
            found += (await self.here.page(found[-1].seq)).messages
        return [message.message for message in found]

    async def all_is_well(self) -> list[str]:
        """Everybody got all that is stored, once, in order; what was answered is stored."""
        stored = await self.stored()
        assert len(set(stored)) == len(stored)
        assert set(self.answered) <= set(stored)
        for process in (self.here, self.there):
            await self.hears(process, len(stored))
            assert process.heard() == stored
        return stored
