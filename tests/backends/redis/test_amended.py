"""Rooms in which messages were edited and retracted: `amend.lua`, with a real Redis."""

from __future__ import annotations

import contextlib
import shutil
from typing import Any

from msgspec import Raw
from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from livechat.backends.redis import sweep
from livechat.errors import Kind
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
)
from tests.backends.redis.amending import ANN, AmendTest, edit, retract
from tests.backends.redis.processes import Process, until
from tests.support.outcomes import amend, publish


class WordsTest(AmendTest):
    """Retracted words are in no key, not even marked as deleted."""

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

    async def test_replaced_words_of_edits_are_in_no_key(self) -> None:
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

    async def test_retracted_words_stay_in_files_until_a_rewrite(self) -> None:
        """Retracted words stay in Redis's files until a rewrite, as `docs/operations.md` says."""
        await self.said(*(f"secret {number}" for number in range(9)))
        await self.amend(retract(5))
        files = self.server.directory / "appendonlydir"

        def found(word: bytes) -> bool:
            # A file may be removed while it is looked at.
            with contextlib.suppress(FileNotFoundError):
                return any(word in path.read_bytes() for path in files.iterdir())
            return True

        assert found(b"secret 4")
        self.server.ask("BGREWRITEAOF")
        await until(lambda: not found(b"secret 4"))
        assert found(b"secret 3")

    async def test_nonces_say_nothing(self) -> None:
        """Digests of acts are keyed: the same text has others at another installation."""
        await publish(self.here.backend.messages, Draft("r", "0800 12345", ANN, "n"))
        await self.amend(retract(1, nonce="m"))
        one = [self.server.ask("GET", f"lc:{{r}}:n:{nonce}").split()[3] for nonce in "nm"]
        await gatherResults([each.backend.stop() for each in (self.here, self.there)])
        self.server.ask("FLUSHALL")
        self.here = self.process()
        await self.here.usable()
        await publish(self.here.backend.messages, Draft("r", "0800 12345", ANN, "n"))
        await self.amend(retract(1, nonce="m"))
        two = [self.server.ask("GET", f"lc:{{r}}:n:{nonce}").split()[3] for nonce in "nm"]
        assert set(one).isdisjoint(two)


class LostEndTest(AmendTest):
    """Redis went back to before a retraction."""

    async def test_a_retraction_is_lost(self) -> None:
        """A lost retraction brings its message back under another epoch, which reports the loss."""
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
        """Pages have no holes and numbers go on, whichever keys of a room are lost."""
        for keys in (["x"], ["s"], ["m"], ["m", "x"], ["m", "s"], ["s", "x"]):
            room = "".join(keys)
            log = self.here.backend.messages
            for number in range(6):
                await publish(log, Draft(room, f"{number}", ANN))
            await amend(log, Retraction(room, (2, 3), ANN.subject))
            await amend(log, Edit(room, 4, "x", ANN.subject))
            self.server.ask("DEL", *(f"lc:{{{room}}}:{key}" for key in keys))
            page = await log.read(room, 0, 99)
            numbers = [each.seq for each in page.entries]
            assert numbers == list(range(page.position.oldest, page.position.seq + 1))
            seq = (await publish(log, Draft(room, "y", ANN))).seq
            assert seq == (1 if keys == ["m", "s"] else 9)
            assert (await amend(log, Edit(room, seq, "z", ANN.subject))).event.seq == seq + 1


class RacingTest(AmendTest):
    """Both processes change the same messages."""

    async def test_edits_race_with_retractions(self) -> None:
        """Edit and retraction race: after a retraction nothing is edited, and all hear the same."""
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
        await publish(self.here.backend.messages, draft)
        found = await publish(self.there.backend.messages, draft)
        assert isinstance(found, Repeated)
        assert found.data == Raw(b"{}")
        await self.in_step(3)


class TrimmedTest(AmendTest):
    """A room keeps a window of numbers, changed entries included."""

    async def setUp(self) -> None:  # type: ignore[override]
        # A sweep would trim what a process that keeps more has stored.
        self.patch(sweep, "STEP_EVERY", 1_000.0)
        await super().setUp()

    def process(self, **options: int) -> Process:
        return super().process(**(options or {"messages": 10}))

    def kept(self) -> tuple[int, int]:
        """The number of entries in the stream, and that of changed ones."""
        return int(self.server.ask("XLEN", "lc:{r}:s")), int(self.server.ask("HLEN", "lc:{r}:x"))

    async def test_changed_entries_count_towards_the_limit(self) -> None:
        """Each new entry, changed or not, pushes the oldest one out; no holes appear."""
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
        """A lower limit removes changed entries along with the older ones."""
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
