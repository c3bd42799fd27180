"""`livechat.backends.redis.acts` and `amend.lua`, with a real Redis."""

from __future__ import annotations

from typing import Any

from msgspec import Raw
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from livechat.backends.records import Extra, extra_of_text
from livechat.backends.redis.acts import Change, Nodes
from livechat.backends.redis.entries import Entry
from livechat.backends.redis.publisher import WAIT
from livechat.errors import ChatError, Kind
from livechat.protocol.messages import (
    Amended,
    Draft,
    Edit,
    Edited,
    Gone,
    Message,
    Retracted,
    Retraction,
)
from livechat.rooms.answers import Answer, answer_of
from tests.backends.redis.amending import ANN, AmendTest, edit, retract
from tests.backends.redis.processes import until
from tests.support.outcomes import amend, publish


class SameNumberingTest(AmendTest):
    """Changed entries keep their tags: nothing looks lost, and nothing is stored again."""

    async def looked_at(self) -> None:
        """All ways to find that Redis has lost something."""
        for process in (self.here, self.there):
            await process.backend._subscriptions.sweep()
            process.backend._subscriptions.doubt()
            process.backend._subscriptions.check_all()
            await process.backend._find_last_stored()
            process.backend._subscriptions._rooms["r"].check = True
        rooms = [each.backend._subscriptions._rooms["r"] for each in (self.here, self.there)]
        await until(lambda: not any(room.doubted or room.tended for room in rooms))

    async def test_the_newest_is_retracted(self) -> None:
        """After a connection was lost, and in a quiet room, it is the same numbering."""
        generation = self.here.backend.generation.name
        await self.said("a", "b", "c")
        await self.in_step(3)
        told = self.there.backend.published
        self.there.backend.published = lambda *_: None  # type: ignore[method-assign]
        await self.amend(retract(3))
        await self.looked_at()
        self.there.backend.published = told  # type: ignore[method-assign]
        await self.in_step(4)
        for kind in ("normal", "pubsub"):
            await self.amend(edit(1, f"d {kind}"))
            self.server.ask("CLIENT", "KILL", "TYPE", kind)
            await until(lambda: self.here.backend.trouble() and self.there.backend.trouble())
            await self.usable()
        await self.looked_at()
        await self.said("e")
        await self.in_step(7)
        assert self.here.backend.generation.name == generation

    async def test_retracted_where_it_stood(self) -> None:
        """A process that stood at a message finds it again by its tag, once it is gone."""
        await self.said("a")
        await self.in_step(1)
        with_deaf = self.there.backend.published
        self.there.backend.published = lambda *_: None  # type: ignore[method-assign]
        await self.amend(retract(1))
        await self.said("b")
        self.there.backend.published = with_deaf  # type: ignore[method-assign]
        await self.looked_at()
        await self.in_step(3)

    async def test_a_retry_of_what_was_retracted(self) -> None:
        """A message that is sent again, for its connection was lost, is not stored again."""
        sending = self.here.backend._publisher
        for nonce in (None, "n"):
            draft = Draft("s", "a", ANN, nonce)
            first = await self.sent(answer_of(sending.publish, draft))
            retraction = Retraction("s", (first.seq,), ANN.subject)
            await amend(self.here.backend.messages, retraction)
            again = await self.sent_again()
            assert again.seq == first.seq
            page = await self.here.backend.messages.read("s", first.seq - 1, 9)
            assert [type(each) for each in page.entries] == [Gone, Retracted]

    async def sent(self, answer: Deferred[Any]) -> Any:
        """Keep the act that was just sent, and wait for its answer."""
        (self.act,) = self.here.backend._publisher._queue
        return await answer

    async def sent_again(self) -> Any:
        """Send it again, as if its connection had been lost."""
        act = self.act
        act.receiver = answer = Answer()
        act.deadline = self.reactor.seconds() + WAIT
        self.here.backend._publisher._unsure.append(act)
        self.here.backend._publisher.send_again()
        return await answer.fired

    async def test_a_retry_of_amendments(self) -> None:
        """A repeated amendment is done once, under its number, even when changed again since."""
        await self.said("a", "b")
        for amendment in (edit(1, "c"), edit(1, "d", nonce="n"), retract(1), retract(2, nonce="m")):
            first = await self.sent(self.amend(amendment))
            again = await self.sent_again()
            assert again == Amended(first.event)
            kept, act = await self.entries(), self.act
            if isinstance(amendment, Edit):
                await self.amend(edit(1, "other"))
                self.act = act
                assert (await self.sent_again()).event == first.event
                assert len(await self.entries()) == len(kept) + 1
            else:
                assert first.before != ()
        await self.in_step(8)
        texts = [getattr(each, "text", None) for each in self.there.sink.entries("r")]
        assert texts == [None, None, "c", "other", "d", "other", None, None]

    async def test_a_retry_that_does_not_bring_words_back(self) -> None:
        """A message that was retracted before its room heard of it is delivered as gone."""
        for process in (self.here, self.there):
            process.backend.published = lambda *_: None  # type: ignore[method-assign]
        rooms = self.here.backend._subscriptions
        stored = rooms.stored
        rooms.stored = lambda *_, **__: None  # type: ignore[method-assign]
        answer = publish(self.here.backend.messages, Draft("r", "a", ANN))
        (self.act,) = self.here.backend._publisher._queue
        answer.addErrback(lambda _: None)
        await until(lambda: self.server.ask("XLEN", "lc:{r}:s") == "1")
        await publish(self.there.backend.messages, Draft("other", "x"))
        amended = self.amend(retract(1), self.there)
        await until(lambda: self.server.ask("HLEN", "lc:{r}:x") == "1")
        rooms.stored = stored  # type: ignore[method-assign]
        assert (await self.sent_again()).seq == 1
        await self.there.backend._subscriptions.sweep()
        await self.there.backend._subscriptions.sweep()
        await amended
        for process in (self.here, self.there):
            await self.reached(process, 2)
            assert [type(each) for each in process.sink.entries("r")] == [Gone, Retracted]

    async def test_connections_lost_on_the_way(self) -> None:
        """Whenever a connection breaks, an act is done once or not at all, and as it is said."""
        await self.said("a", "b")
        for number in range(12):
            results: list[Any] = []
            calls = [self.amend(edit(1, f"{number} {other}")) for other in range(3)]
            calls.append(self.amend(retract(2)))
            for call in calls:
                call.addBoth(results.append)
            for _ in range(number % 4):
                await deferLater(self.reactor, 0)
            await self.lose_connection()
            await until(lambda results=results: len(results) == 4)  # type: ignore[misc]
            await self.usable()
        entries = await self.entries()
        await self.in_step(entries[-1].seq)
        first, second, *events = entries
        assert isinstance(first, Message)
        assert isinstance(second, Gone)
        newest = [each for each in events if isinstance(each, Edited)]
        assert [each.text for each in newest] == [first.message]
        assert len([each for each in events if isinstance(each, Retracted)]) == 1

    async def lose_connection(self) -> None:
        connection = self.here.backend._connection
        lost = connection._commands
        connection.drop("it is lost")
        # Given up, it is there until the reactor's next turn.
        await until(lambda: connection._commands is not lost)

    async def test_what_never_reaches_redis(self) -> None:
        """An amendment too late is not made; one of which nobody knows is said to be so."""
        await self.said("a")
        publisher = self.here.backend._publisher
        for again, expected in ((False, Kind.UNAVAILABLE), (True, Kind.UNKNOWN)):
            answer = Answer()
            change = Change(retract(1), b"tag", answer)
            change.deadline = self.reactor.seconds() - WAIT
            publisher._send([change], again=again)
            assert await self.refusal(answer.fired) is expected
        self.server.ask("CONFIG", "SET", "maxmemory", "1")
        assert await self.refusal(self.amend(retract(1))) is Kind.UNAVAILABLE
        assert "OOM" in (self.here.backend.trouble() or "")
        self.server.ask("CONFIG", "SET", "maxmemory", "0")
        self.server.ask("LPUSH", "lc:{r}:n:n", "no act's")
        assert await self.refusal(self.amend(retract(1, nonce="n"))) is Kind.UNAVAILABLE
        assert len(await self.entries()) == 1
        await self.amend(retract(1))
        await self.in_step(2)

    @staticmethod
    async def refusal(answer: Deferred[Any]) -> Kind:
        try:
            await answer
        except ChatError as reason:
            return reason.kind
        raise AssertionError("it is done")


def test_data_cannot_pretend_to_be_arguments() -> None:
    """The script finds again what it reads in the rest of a message; data cannot pretend it."""
    assert extra_of_text(b'{"reply_to":1,"data":{},"edited":5,"edits":2,"event":9}') == Extra(
        1, Raw(b"{}"), 5, 2, 9
    )
    change = Change(edit(1, "b", data=Raw(b'{"a":1}')), b"tag", Answer())
    assert change.args(Nodes())[-4:] == [
        b"20", b"b", b'{"a":1}', b'{"data":{"a":1},"ref":1}',
    ]  # fmt: skip
    assert Change(retract(1, 2), b"tag", Answer()).args(Nodes(7, 8)) == [
        b"7", b"8", b"g:1", b"retract", b"", b"1", b"2",
    ]  # fmt: skip
    entry = Entry(1, 2, b"tag", "x", ANN, b"w")
    assert entry.entry() == Message("x", 1, 2, ANN)
