"""`livechat.backends.redis.publisher`, with a real Redis."""

from __future__ import annotations

import signal
from typing import Any

from twisted.internet.defer import Deferred, fail, gatherResults

from livechat.backends import waiting
from livechat.backends.redis.acts import Sending
from livechat.backends.redis.connection import RefusedError
from livechat.backends.redis.publisher import WAIT
from livechat.errors import Kind
from livechat.protocol.messages import Draft
from livechat.rooms.answers import Answer
from tests.backends.redis.notes import note
from tests.backends.redis.processes import ProcessesTest, ahead_of, until
from tests.support.outcomes import publish


def sending(text: str, tag: bytes, deadline: float = 0.0) -> tuple[Sending, Deferred[Any]]:
    """A message of the room `s` on its way, and what its sender is told."""
    answer = Answer()
    act = Sending(Draft("s", text), tag, answer)
    act.deadline = deadline
    return act, answer.fired


class PublisherTest(ProcessesTest):
    """A message is stored once or not at all, and its sender knows which."""

    async def test_all_connections_are_cut(self) -> None:
        """A message under way is stored once, or its sender is told that it may not be."""

        def cut(number: int) -> None:
            if number in (50, 120):
                self.server.ask("CLIENT", "KILL", "TYPE", "normal")
                self.server.ask("CLIENT", "KILL", "TYPE", "pubsub")

        await self.traffic(200, cut)
        assert set(self.refused) <= {Kind.UNAVAILABLE, Kind.UNKNOWN}
        await until(lambda: self.here.backend.trouble() is None)
        assert len(self.answered) + len(self.refused) == 200
        await self.all_is_well()
        await self.traffic(50)
        await self.all_is_well()

    async def test_redis_stands_still(self) -> None:
        """Senders get an answer in time, and a refused message is not stored later."""
        await self.traffic(20)
        self.server.signal(signal.SIGSTOP)
        with ahead_of(WAIT + 0.5):
            await gatherResults([self.send(self.here, f"still {number}") for number in range(20)])
        assert set(self.refused) == {Kind.UNKNOWN}
        assert len(self.refused) == 20
        await self.send(self.here, "no")
        assert self.refused[20:] == [Kind.UNAVAILABLE]
        self.server.signal(signal.SIGCONT)
        await self.usable()
        await self.traffic(20)
        stored = await self.all_is_well()
        assert len(stored) == 40, "something was stored behind its sender's back"

    async def test_a_redis_out_of_memory_is_in_trouble(self) -> None:
        """A Redis that takes nothing is said to be in trouble, until it takes something."""
        self.server.ask("CONFIG", "SET", "maxmemory", "1")
        await self.send(self.here, "no")
        assert self.refused == [Kind.UNAVAILABLE]
        assert "OOM" in (self.here.backend.trouble() or "")
        self.server.ask("CONFIG", "SET", "maxmemory", "0")
        await self.send(self.here, "yes")
        assert self.here.backend.trouble() is None
        assert await self.all_is_well() == ["yes"]

    async def test_scripts_are_gone(self) -> None:
        """An emptied script cache goes unnoticed."""
        await self.traffic(10)
        self.server.ask("SCRIPT", "FLUSH")
        await self.traffic(10)
        assert len(self.answered) == 20
        await self.all_is_well()

    async def test_more_than_may_be_under_way_is_refused(self) -> None:
        """More than may be under way is refused, and only that."""
        self.patch(waiting, "MESSAGES", 10)
        sent = [self.send(self.here, f"{number}") for number in range(15)]
        await gatherResults(sent)
        assert self.refused == [Kind.OVERLOADED] * 5
        assert await self.all_is_well() == [f"{number}" for number in range(10)]
        self.patch(waiting, "CHARACTERS", 10)
        await self.send(self.here, "x" * 11)
        assert self.refused[5:] == [Kind.OVERLOADED]
        await self.send(self.here, "x" * 10)
        assert len(self.answered) == 11

    async def test_large_groups_are_stored_in_pieces(self) -> None:
        """Messages of a turn are stored in pieces of bounded size, in order."""
        long = "x" * 20_000
        texts = [f"{number} {long if number % 3 else ''}" for number in range(60)]
        await gatherResults([self.send(self.here, text) for text in texts])
        assert await self.all_is_well() == texts

    async def test_sent_again_where_little_is_kept(self) -> None:
        """A message that may have been stored and trimmed is not stored a second time."""
        small = self.process(messages=2)
        await small.usable()
        for later, expected in ((0, [Kind.UNKNOWN]), (60, [])):
            tag = b"tag%d" % later
            deadline = self.reactor.seconds() + WAIT
            (first, told), (again, told_again) = (sending("x", tag, deadline) for _ in range(2))
            found: list[Any] = []
            small.backend._publisher._send([first])
            await told
            for number in range(3):
                await publish(small.backend.messages, Draft("s", f"{number}"))
            # Long after, everything that is kept is younger, or it is older than the first time.
            again.deadline = deadline + later
            told_again.addErrback(note, found)
            small.backend._publisher._send([again], again=True)
            await told_again
            assert found == expected
        page = await small.backend.messages.read("s", 0, 10)
        assert page.position.seq == 4 + 4 + 1

    async def test_sent_again_and_found(self) -> None:
        """A repeated message is found by its tag; one that is not there is stored now."""
        deadline = self.reactor.seconds() + WAIT
        answers = []
        for tag, again in ((b"tag", False), (b"tag", True), (b"other", True)):
            act, told = sending("x", tag, deadline)
            self.here.backend._publisher._send([act], again=again)
            answers.append(await told)
        assert [message.seq for message in answers] == [1, 1, 2]

    async def test_one_refused_message_of_a_group_stands_alone(self) -> None:
        """A message that cannot be stored is refused alone; those beside it are stored."""
        self.server.ask("LPUSH", "lc:{r}:n:two", "no message's")
        drafts = [Draft("r", "one"), Draft("r", "two", nonce="two"), Draft("r", "three")]
        found: list[Any] = []
        sent = [publish(self.here.backend.messages, draft) for draft in drafts]
        await gatherResults([each.addErrback(note, found) for each in sent])
        assert found == [Kind.UNAVAILABLE]
        assert await self.all_is_well() == ["one", "three"]

    async def test_sent_again_and_refused(self) -> None:
        """A message sent again may be stored: only the script can deny that."""
        found: list[Any] = []

        def again(patience: float) -> Deferred[Any]:
            act, told = sending("x", b"tag")
            self.here.backend._publisher._waitlist.add(act)
            act.deadline = self.reactor.seconds() + patience
            self.here.backend._publisher._send([act], again=True)
            return told.addErrback(note, found)

        await publish(self.here.backend.messages, Draft("s", "before"))
        await again(-1)
        self.server.ask("CONFIG", "SET", "maxmemory", "1")
        await again(WAIT)
        assert found == [Kind.UNKNOWN, Kind.UNAVAILABLE]
        self.server.ask("ACL", "SETUSER", "default", "-evalsha")
        await again(WAIT)
        await self.kill()
        told = again(WAIT)
        assert not told.called
        await told
        assert found[2:] == [Kind.UNKNOWN] * 2

    async def test_a_foreign_error_leaves_the_outcome_unknown(self) -> None:
        """An error that is not Redis's own leaves the outcome unknown."""
        for code, kind in (("upstream failure", Kind.UNKNOWN), ("LOADING", Kind.UNAVAILABLE)):
            self.patch(
                self.here.backend._connection,
                "call",
                lambda *_, code=code: fail(RefusedError(code)),
            )
            self.patch(self.here.backend, "write_refused", lambda *_: None)
            await self.send(self.here, "x")
            assert self.refused[-1:] == [kind]
