"""`livechat.backends.redis.acts` and `amend.lua`, with a real Redis."""

from __future__ import annotations

import shutil
from typing import Any

from msgspec import Raw
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from livechat.backends.records import Extra, extra_of_text
from livechat.backends.redis.acts import Change, Nodes
from livechat.backends.redis.entries import Entry
from livechat.backends.redis.publisher import WAIT
from livechat.errors import ChatError, Kind
from livechat.protocol import messages
from livechat.protocol.messages import (
    Amended,
    Draft,
    Edit,
    Edited,
    Gone,
    Message,
    Repeated,
    Retracted,
    Retraction,
    User,
)
from tests.backends.redis.processes import Process, ProcessesTest, until

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
        await gatherResults([log.publish(Draft("r", text, ANN)) for text in texts])

    def amend(
        self, amendment: Edit | Retraction, process: Process | None = None
    ) -> Deferred[Amended]:
        return (process or self.here).backend.messages.amend(amendment)

    async def entries(self, process: Process | None = None) -> list[messages.Entry]:
        page = await (process or self.here).backend.messages.read("r", 0, 1_000)
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


class WordsTest(AmendTest):
    """What was taken back is in no key any more, not even marked as deleted."""

    async def test_words_are_in_no_key(self) -> None:
        """Wherever in its node an entry is, and however large nodes are."""
        for entries, size in ((100, 4096), (10, 4096), (100, 200), (0, 500), (7, 0)):
            self.server.ask("FLUSHALL")
            self.server.ask("CONFIG", "SET", "stream-node-max-entries", str(entries))
            self.server.ask("CONFIG", "SET", "stream-node-max-bytes", str(size))
            process = self.process()
            await process.usable()
            # Numbers, short and long: they take the least, and the most, of a node.
            texts = [
                f"x{n}y" * (n % 90) if n % 2 else f"7{n:05}7{'0' * (n % 13)}" for n in range(1, 241)
            ]
            await self.said(*texts, process=process)
            refs = [1, 3, 2, 50, 51, 99, 100, 101, 102, 150, 199, 201, 238, 240]
            for ref in refs:
                await self.amend(retract(ref), process)
                assert not await self.left(texts[ref - 1])
            left = [each for each in await self.entries(process) if isinstance(each, Message)]
            assert [each.message for each in left] == [
                text for seq, text in enumerate(texts, start=1) if seq not in refs
            ]

    async def test_words_of_edits(self) -> None:
        """Each text that an edit has replaced, its event's too, and all of them in the end."""
        await self.said(*(f"before {number}" for number in range(30)))
        for number in range(5):
            await self.amend(edit(7, f"secret {number}", data=Raw(b'{"a":"private %d"}' % number)))
            await self.said(*(f"between {number} {other}" for other in range(20)))
            for old in range(number):
                assert not await self.left(f"secret {old}")
                assert not await self.left(f"private {old}")
        assert await self.left("secret 4") == {"lc:{r}:s", "lc:{r}:x"}
        await self.amend(retract(7))
        for number in range(5):
            assert not await self.left(f"secret {number}")
            assert not await self.left(f"private {number}")
        assert not await self.left("before 6")
        (gone, *_, event) = (await self.entries())[6:]
        assert isinstance(gone, Gone)
        assert event == Retracted(event.seq, event.time, (7,), "author")

    async def test_nonces_say_nothing(self) -> None:
        """Digests of acts are keyed: the same text has others at another installation."""
        await self.here.backend.messages.publish(Draft("r", "0800 12345", ANN, "n"))
        await self.amend(retract(1, nonce="m"))
        one = [self.server.ask("GET", f"lc:{{r}}:n:{nonce}").split()[3] for nonce in "nm"]
        await gatherResults([each.backend.stop() for each in (self.here, self.there)])
        self.server.ask("FLUSHALL")
        self.here = self.process()
        await self.here.usable()
        await self.here.backend.messages.publish(Draft("r", "0800 12345", ANN, "n"))
        await self.amend(retract(1, nonce="m"))
        two = [self.server.ask("GET", f"lc:{{r}}:n:{nonce}").split()[3] for nonce in "nm"]
        assert set(one).isdisjoint(two)


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
            first = await self.sent(sending.publish(draft))
            retraction = Retraction("s", (first.seq,), ANN.subject)
            await self.here.backend.messages.amend(retraction)
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
        answer: Deferred[Any] = Deferred()
        act.answer = answer
        act.deadline = self.reactor.seconds() + WAIT
        self.here.backend._publisher._unsure.append(act)
        self.here.backend._publisher.send_again()
        return await answer

    async def test_a_retry_of_amendments(self) -> None:
        """They are done once, under their number; also where they were changed again since."""
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
        answer = self.here.backend.messages.publish(Draft("r", "a", ANN))
        (self.act,) = self.here.backend._publisher._queue
        answer.addErrback(lambda _: None)
        await until(lambda: self.server.ask("XLEN", "lc:{r}:s") == "1")
        await self.there.backend.messages.publish(Draft("other", "x"))
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

    async def test_what_never_reaches_redis(self) -> None:
        """An amendment too late is not made; one of which nobody knows is said to be so."""
        await self.said("a")
        publisher = self.here.backend._publisher
        for again, expected in ((False, Kind.UNAVAILABLE), (True, Kind.UNKNOWN)):
            change = Change(retract(1), b"tag", self.reactor.seconds() - WAIT)
            publisher._send([change], again=again)
            assert change.answer is not None
            assert await self.refusal(change.answer) is expected
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


class LostEndTest(AmendTest):
    """Redis went back to before a retraction."""

    async def test_a_retraction_is_lost(self) -> None:
        """Then the message is there again, in another epoch: what was lost is said so."""
        await self.said("a", "b")
        await self.in_step(2)
        saved = self.server.directory.parent / "saved"
        shutil.copytree(self.server.directory / "appendonlydir", saved)
        await self.amend(retract(2))
        await self.in_step(3)
        await self.kill()
        shutil.rmtree(self.server.directory / "appendonlydir")
        saved.rename(self.server.directory / "appendonlydir")
        self.server.start()
        await self.usable()
        await self.said("c")
        for process in (self.here, self.there):
            await self.hears(process, 3)
            assert process.seqs() == [1, 2, 3, 3]
            assert len(process.epochs()) == 2
        assert [getattr(each, "message", "") for each in await self.entries()] == ["a", "b", "c"]

    async def test_parts_of_a_room_are_lost(self) -> None:
        """Whatever is missing, pages have no holes, and numbers go on."""
        for keys in (["x"], ["s"], ["m"], ["m", "x"], ["m", "s"], ["s", "x"]):
            room = "".join(keys)
            log = self.here.backend.messages
            for number in range(6):
                await log.publish(Draft(room, f"{number}", ANN))
            await log.amend(Retraction(room, (2, 3), ANN.subject))
            await log.amend(Edit(room, 4, "x", ANN.subject))
            self.server.ask("DEL", *(f"lc:{{{room}}}:{key}" for key in keys))
            page = await log.read(room, 0, 99)
            numbers = [each.seq for each in page.entries]
            assert numbers == list(range(page.position.oldest, page.position.seq + 1))
            seq = (await log.publish(Draft(room, "y", ANN))).seq
            assert seq == (1 if keys == ["m", "s"] else 9)
            assert (await log.amend(Edit(room, seq, "z", ANN.subject))).event.seq == seq + 1


class RacingTest(AmendTest):
    """Both processes change the same messages."""

    async def test_edits_and_retractions(self) -> None:
        """One of them is first; after a retraction nothing is edited, and all hear the same."""
        await self.said(*map(str, range(40)))
        results: list[list[Any]] = []
        for ref in range(1, 41):
            calls = [
                self.amend(edit(ref, f"new {ref}"), self.here),
                self.amend(retract(ref), self.there),
                self.amend(retract(ref, moderates=True), self.here),
                self.amend(edit(ref, f"other {ref}"), self.there),
            ]
            results.append([await call.addErrback(kind) for call in calls])
            if ref % 4 == 0:
                await deferLater(self.reactor, 0)
        for found in results:
            events = [each.event for each in found if isinstance(each, Amended)]
            retractions = [each for each in events if isinstance(each, Retracted)]
            assert len(retractions) == 1
            assert retractions[0].seq == max(each.seq for each in events)
            assert {each for each in found if not isinstance(each, Amended)} <= {Kind.NOT_FOUND}
        entries = await self.entries()
        await self.in_step(entries[-1].seq)
        assert not any(isinstance(each, Message | Edited) for each in entries)
        assert self.here.sink.entries("r") == self.there.sink.entries("r")

    async def test_repeated_at_the_other(self) -> None:
        """Nonces hold for all processes."""
        await self.said("a")
        await self.amend(edit(1, "b", nonce="n"))
        again = await self.amend(edit(1, "b", nonce="n"), self.there)
        assert (again.repeated, again.event.seq) == (True, 2)
        draft = Draft("r", "c", ANN, "m", reply_to=1, data=Raw(b"{}"))
        await self.here.backend.messages.publish(draft)
        found = await self.there.backend.messages.publish(draft)
        assert isinstance(found, Repeated)
        assert found.data == Raw(b"{}")
        await self.in_step(3)


class TrimmedTest(AmendTest):
    """What is kept is a window of numbers, of changed entries too."""

    def process(self, **options: int) -> Process:
        return super().process(**(options or {"messages": 10}))

    def kept(self) -> tuple[int, int]:
        """How many entries are in the stream, and how many were changed."""
        return int(self.server.ask("XLEN", "lc:{r}:s")), int(self.server.ask("HLEN", "lc:{r}:x"))

    async def test_by_count(self) -> None:
        """With each entry more, changed or not, the oldest one goes; there are no holes."""
        for number in range(1, 25):
            await self.said(f"{number}")
            (*_, newest) = said = [e for e in await self.entries() if isinstance(e, Message)]
            if number % 3 == 0:
                await self.amend(edit(newest.seq, "x"))
            if number % 5 == 0:
                await self.amend(retract(said[0].seq, newest.seq))
            if number % 7 == 0:
                await self.amend(edit(said[1].seq, "y"))
            assert sum(self.kept()) == len(await self.entries()) <= 10
        top = (await self.entries())[-1].seq
        await self.said(*map(str, range(9)))
        assert sum(self.kept()) == 10
        await self.said("a", "b")
        assert self.kept() == (10, 0)
        await self.in_step(top + 11)
        assert self.server.ask("EXISTS", "lc:{r}:x") == "0"
        assert (await self.here.backend.messages.read("r", 0, 0)).position.event == top

    async def test_all_at_once(self) -> None:
        """Where less is kept from now on, what was changed goes with what is older."""
        large = self.process(messages=5_000)
        await large.usable()
        await large.backend.messages.subscribe("r")
        for _ in range(30):
            await self.said(*map(str, range(50)), process=large)
        await self.amend(retract(3, 700, 1_400), large)
        assert self.kept()[1] > 100
        await self.said("x")
        assert self.kept()[0] + self.kept()[1] == 10
        assert [each.seq for each in await self.entries()] == list(range(1_493, 1_503))

    async def test_a_window_of_gone_entries(self) -> None:
        """A room of which nothing but events is left."""
        await self.said(*map(str, range(5)))
        await self.amend(retract(1, 2, 3, 4, 5))
        assert self.kept() == (1, 5)
        found = await self.entries()
        assert [type(each) for each in found] == [Gone] * 5 + [Retracted]
        await self.said("a")
        await self.amend(retract(7))
        assert len(await self.entries()) == 8
        await self.in_step(8)


def kind(failure: Failure) -> Kind:
    error: Any = failure.value
    found: Kind = error.kind
    return found


def test_arguments() -> None:
    """The script finds again what it reads in the rest of a message; data cannot pretend it."""
    assert extra_of_text(b'{"reply_to":1,"data":{},"edited":5,"edits":2,"event":9}') == Extra(
        1, Raw(b"{}"), 5, 2, 9
    )
    change = Change(edit(1, "b", data=Raw(b'{"a":1}')), b"tag")
    assert change.args(Nodes())[-4:] == [
        b"20", b"b", b'{"a":1}', b'{"data":{"a":1},"ref":1}',
    ]  # fmt: skip
    assert Change(retract(1, 2), b"tag").args(Nodes(7, 8)) == [
        b"7", b"8", b"g:1", b"retract", b"", b"1", b"2",
    ]  # fmt: skip
    entry = Entry(1, 2, b"tag", "x", ANN, b"w")
    assert entry.entry() == Message("x", 1, 2, ANN)
