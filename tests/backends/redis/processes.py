"""Two processes in the same rooms, as far as their backends go, and what they get."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from livechat.backends.redis import connect
from livechat.backends.redis.backend import RedisBackend
from livechat.backends.redis.history import Limits
from livechat.errors import Kind
from livechat.wire import Draft
from tests.backends.redis.server import RedisServer
from tests.contract import REPORT
from tests.support import RecordingSink


async def until(holds: Callable[[], Any]) -> None:
    """Wait for something that happens in another process."""
    from twisted.internet import reactor  # noqa: PLC0415

    while not holds():
        await deferLater(reactor, 0.005)


class Process:
    """A backend, as one of several processes has it, and what its members got."""

    def __init__(self, backend: RedisBackend) -> None:
        self.backend = backend
        self.sink = RecordingSink()
        self.report = REPORT
        backend.start(self.sink, lambda: self.report)

    async def usable(self) -> None:
        """Until it can use Redis."""
        await until(lambda: self.backend.trouble() is None)

    async def troubled(self, said: str) -> None:
        """Until it cannot, and says so much of why."""
        await until(lambda: said in str(self.backend.trouble()))

    def heard(self, room: str = "r") -> list[str]:
        return self.sink.texts(room)

    def epochs(self, room: str = "r") -> list[str]:
        return list(
            dict.fromkeys(epoch for where, epoch, _ in self.sink.delivered if where == room)
        )

    def seqs(self, room: str = "r") -> list[int]:
        return [message.seq for where, _, message in self.sink.delivered if where == room]


class ProcessesTest(TestCase):
    """
    Two processes with members in the room `r`.

    @ivar url: where their Redis is.
    @ivar server: the Redis that a test kills.
    """

    timeout = 60
    url: str
    authorities: Path | None = None
    server: RedisServer

    async def setUp(self) -> None:  # type: ignore[override]
        from twisted.internet import reactor  # noqa: PLC0415

        self.reactor: Any = reactor
        self.here, self.there = self.process(), self.process()
        await self.usable()
        for each in (self.here, self.there):
            await each.backend.subscribe("r")
        self.numbers = count()
        self.answered: list[str] = []
        self.refused: list[Kind] = []

    def process(self, **options: int) -> Process:
        made = Process(connect(self.url, self.reactor, Limits(**options), self.authorities))
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

        sent = process.backend.publish(Draft("r", text))
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
        page = await self.here.backend.read("r", 0, 100_000)
        found = list(page.messages)
        while found and found[-1].seq < page.position.seq:
            found += (await self.here.backend.read("r", found[-1].seq, 100_000)).messages
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
