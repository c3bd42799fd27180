"""All that somebody said is taken back, by two processes in the same rooms of a real Redis."""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.interfaces import IReceiver
from livechat.net.fast import write_all
from livechat.protocol.audit import record_of_text
from livechat.protocol.messages import Draft, Entry, Message, Retracted, User
from livechat.protocol.names import AUDIT_ROOM
from livechat.protocol.settings import RoomSettings
from livechat.rooms import removal
from livechat.rooms.audit import Audit
from livechat.rooms.hub import Hub
from livechat.rooms.removal import Removal
from livechat.rooms.rules import make_rules
from livechat.rooms.sweeping import jobs_map
from livechat.system.time import Time
from tests.backends.redis.processes import Process, ProcessesTest, until
from tests.support import ADMIN
from tests.support.outcomes import publish

EVE, BOB = User("e|v*e", "Eve", verified=True), User("bob", "Bob")


class RemovalTest(ProcessesTest):
    """Neither process shows what the ack says is gone; no job is left behind."""

    options = ("--rdbcompression", "no")

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        # Leases and looks as short as tests are, on a machine that may be busy.
        for name, seconds in (
            ("LEASE", 1.0), ("RENEW_AFTER", 0.1), ("LOOK_EVERY", 0.2), ("PATIENCE", 60.0),
        ):  # fmt: skip
            self.patch(removal, name, seconds)
        self.mine, self.others = self.removal(self.here), self.removal(self.there)

    def removal(self, process: Process) -> Removal:
        time = Time(self.reactor)
        policy = make_rules(process.backend, time, RoomSettings()).policy
        audit = Audit(process.backend.messages, Hub(time, write_all), policy, time)
        made = Removal(process.backend, policy, audit, time, lambda *_: succeed(None))
        self.addCleanup(made.stop)
        return made

    async def said(self, much: int) -> None:
        """Every second message is Eve's."""
        log = self.there.backend.messages
        for first in range(0, much, 100):
            numbers = range(first, min(much, first + 100))
            drafts = [Draft("r", f"spam {n}", EVE) if n % 2 else Draft("r", f"talk {n}", BOB)
                      for n in numbers]  # fmt: skip
            await gatherResults([publish(log, draft) for draft in drafts])

    async def entries(self, process: Process, room: str = "r") -> list[Entry]:
        found: list[Entry] = []
        while page := (
            await process.backend.messages.read(room, found[-1].seq if found else 0, 1_000)
        ).entries:
            found += page
        return found

    @staticmethod
    def reached(process: Process, seq: int | None) -> bool:
        return process.seqs()[-1:] == [seq]

    async def spam(self) -> list[int]:
        """The number of spam messages that either process shows."""
        return [
            sum(isinstance(each, Message) and each.message[:4] == "spam" for each in entries)
            for entries in [await self.entries(process) for process in (self.here, self.there)]
        ]

    async def recorded(self) -> list[str]:
        entries = await self.entries(self.here, AUDIT_ROOM)
        return [
            record_of_text(each.message).text or "" for each in entries if isinstance(each, Message)
        ]

    async def done(self) -> None:
        """Until no process knows of a job."""
        maps = [jobs_map(each.backend) for each in (self.here, self.there)]
        await until(lambda: not any(each.items() for each in maps))

    async def some(self) -> None:
        """Until some is done."""
        await until(
            lambda: any(isinstance(entry, Retracted) for _, _, entry in self.here.sink.delivered)
        )

    async def refusal(self, ordered: Deferred[Any]) -> Kind:
        outcome: list[Any] = []
        ordered.addBoth(outcome.append)
        await until(lambda: outcome)
        assert isinstance(outcome[0], Failure)
        error: Any = outcome[0].value
        return error.kind  # type: ignore[no-any-return]

    async def test_ten_thousand_messages_are_removed_at_both_processes(self) -> None:
        """Every second of them is gone at both processes when it is answered."""
        await self.said(10_000)
        eve = Actor("user", ADMIN.source, EVE)
        removed = await self.mine.by_subject(eve, "r", EVE.subject)
        assert removed.count == 5_000
        here, there = await self.entries(self.here), await self.entries(self.there)
        assert here == there
        kept = [each.message for each in here if isinstance(each, Message)]
        assert kept == [f"talk {n}" for n in range(0, 10_000, 2)]
        refs = [ref for each in here if isinstance(each, Retracted) for ref in each.refs]
        assert sorted(refs) == list(range(2, 10_001, 2))
        assert removed.seq == here[-1].seq
        for process in (self.here, self.there):
            await until(partial(self.reached, process, removed.seq))
            assert process.seqs() == list(range(1, (removed.seq or 0) + 1))
        dumped = [
            await self.here.backend._connection.command(b"DUMP", key.encode())
            for key in self.server.ask("KEYS", "lc:{r}:*").split()
        ]
        assert any(b"talk" in (each or b"") for each in dumped)
        assert not any(b"spam" in (each or b"") for each in dumped)
        await self.done()

    async def test_ordered_at_both(self) -> None:
        """The second order waits for the first, and counts nothing twice."""
        await self.said(600)
        orders = [each.by_subject(ADMIN, "r", EVE.subject) for each in (self.mine, self.others)]
        assert sorted(each.count for each in await gatherResults(orders)) == [0, 300]
        assert sorted(await self.recorded()) == sorted(f"spam {n}" for n in range(1, 600, 2))
        await self.done()

    async def test_a_killed_process_leaves_its_removal_to_another(self) -> None:
        """The other process goes on, once the lease of the killed one has run out."""
        await self.said(1_500)
        self.others.start()
        dead: list[Deferred[Any]] = []

        def unanswered(*_: object, **__: object) -> Deferred[Any]:
            dead.append(Deferred())
            return dead[-1]

        def refused(failure: Failure, receiver: Any) -> None:
            receiver.not_stored(failure.value)

        def unstored(_: object, receiver: IReceiver) -> None:
            unanswered().addErrback(refused, receiver)

        ordered = self.mine.by_subject(ADMIN, "r", EVE.subject)
        await self.some()
        self.patch(self.here.backend.messages, "amend", unstored)
        self.patch(self.mine._jobs, "put", unanswered)
        await self.done()
        assert await self.spam() == [0, 0]
        assert not ordered.called
        for each in dead:
            each.errback(ChatError(Kind.UNKNOWN, "It was killed."))
        assert await self.refusal(ordered) is Kind.UNKNOWN

    async def test_a_removal_goes_on_when_redis_is_back(self) -> None:
        """A removal interrupted by Redis is answered `unknown`, and goes on when it is back."""
        await self.said(1_500)
        for each in (self.mine, self.others):
            each.start()
        ordered = self.mine.clear(ADMIN, "r")
        await self.some()
        await self.kill()
        assert await self.refusal(ordered) is Kind.UNKNOWN
        assert await self.refusal(self.others.clear(ADMIN, "other")) is Kind.UNAVAILABLE
        await deferLater(self.reactor, 0.3)
        self.server.start()
        await self.usable()
        await self.done()
        shown = await self.entries(self.there)
        assert not any(isinstance(each, Message) for each in shown)
        assert await self.recorded() == [""]
