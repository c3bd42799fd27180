"""Two processes at which messages are edited and retracted."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from livechat.protocol import messages
from livechat.protocol.messages import (
    Amended,
    Draft,
    Edit,
    Retraction,
    User,
)
from tests.backends.redis.processes import Process, ProcessesTest, until
from tests.support.outcomes import amend, publish

ANN = User("1", "Ann")


def edit(ref: int, text: str, **more: Any) -> Edit:
    return Edit("r", ref, text, ANN.subject, **more)


def retract(*refs: int, **more: Any) -> Retraction:
    return Retraction("r", refs, ANN.subject, **more)


class AmendTest(ProcessesTest):
    """Two processes, at which messages are edited and retracted."""

    options = ("--rdbcompression", "no")

    async def said(self, *texts: str, process: Process | None = None) -> None:
        log = (process or self.here).backend.messages
        await gatherResults([publish(log, Draft("r", text, ANN)) for text in texts])

    def amend(
        self, amendment: Edit | Retraction, process: Process | None = None
    ) -> Deferred[Amended]:
        return amend((process or self.here).backend.messages, amendment)

    async def entries(self, process: Process | None = None) -> list[messages.Entry]:
        page = await (process or self.here).page()
        numbers = [entry.seq for entry in page.entries]
        assert numbers == list(range(page.position.oldest, page.position.seq + 1))
        return list(page.entries)

    async def left(self, text: str) -> set[str]:
        """The keys in whose dumps there is *text*."""
        command = self.here.backend._connection.command
        found = set()
        for key in self.server.ask("KEYS", "*").split():
            if text.encode() in (await command(b"DUMP", key.encode()) or b""):
                found.add(key)
        return found

    @staticmethod
    async def reached(process: Process, seq: int) -> None:
        await until(lambda: process.seqs()[-1:] == [seq])

    async def in_step(self, seq: int, epochs: int = 1) -> None:
        """Both processes have got all up to *seq*, once and in order, in so many epochs."""
        for process in (self.here, self.there):
            await self.reached(process, seq)
            assert process.seqs() == list(range(1, seq + 1))
            assert len(process.epochs()) == epochs
