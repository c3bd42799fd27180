"""Nonces of all acts, with every backend; and what `tests.amend_contract` needs, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Raw, structs
from twisted.internet.defer import Deferred, gatherResults
from zope.interface import implementer

from livechat.errors import ChatError, Kind
from livechat.interfaces import IReceiver
from livechat.protocol.messages import (
    Amendment,
    Draft,
    Edit,
    Entry,
    Message,
    Page,
    Repeated,
    Retraction,
    User,
)
from tests.map_contract import MapContract
from tests.support.outcomes import amend, publish

ANN = User("1", "Ann")
BOB = User("2", "Bob")
#: A user of the site, with the id of a guest.
VERIFIED = User("1", "Ann", None, verified=True)
#: As clients may send them; every byte of it is kept.
DATA = (
    b'{"a":[1,1.0,1e400,-0,9007199254740993],"b":"\\u0000\\n\\u2028"}',
    '{"\u2028":"\u00e9\U0001f600","":{"":[{}]},"a":null,"a":"twice"}'.encode(),
    b"{}",
)


def edit(ref: int, text: str, user: User = ANN, **more: Any) -> Edit:
    return Edit("r", ref, text, user.subject, **more)


def retract(*refs: int, user: User | None = ANN, **more: Any) -> Retraction:
    return Retraction("r", refs, None if user is None else user.subject, **more)


async def refused(call: Deferred[Any]) -> Kind:
    """Why *call* is refused."""
    error = await call.addCallbacks(lambda result: result, lambda failure: failure.value)
    assert isinstance(error, ChatError), error
    return error.kind


class ActContract(MapContract):
    """Tests of one backend, which the class that mixes it in makes."""

    async def entries(self, backend: Any, limit: int = 1_000, after: int = 0) -> list[Entry]:
        """The entries of the room `r`, page by page: without holes, and as many as there are."""
        found: list[Entry] = []
        while True:
            page: Page = await backend.messages.read("r", after, limit)
            position = page.position
            after = max(after, position.oldest - 1)
            numbers = [entry.seq for entry in page.entries]
            assert numbers == list(range(after + 1, after + 1 + len(numbers)))
            if not page.entries:
                assert after >= position.seq
                return found
            found += page.entries
            after = found[-1].seq

    async def said(self, *texts: str, user: User | None = ANN, **options: int) -> Any:
        """A backend that delivers the room `r`, in which this was said."""
        backend = await self.begin(**options)
        await backend.messages.subscribe("r")
        for text in texts:
            await publish(backend.messages, Draft("r", text, user))
        return backend

    async def test_a_repeated_amendment_is_made_once(self) -> None:
        """An amendment with a nonce that was used for it is not made again, and not delivered."""
        backend = await self.said("a", "b")
        amendments: list[Amendment] = [
            edit(1, "c", nonce="m", data=Raw(b"{}")),
            retract(1, 2, nonce="n"),
        ]
        for number, amendment in enumerate(amendments, start=3):
            first = await amend(backend.messages, amendment)
            assert (first.event.seq, first.repeated) == (number, False)
            together = [amend(backend.messages, amendment) for _ in range(2)]
            for again in await gatherResults(together):
                assert again.repeated
                assert again.before == ()
                assert type(again.event) is type(first.event)
                assert (again.event.seq, again.event.time) == (number, first.event.time)
        assert (await amend(backend.messages, amendments[0])).event.seq == 3
        assert len(await self.entries(backend)) == len(self.sink.entries("r")) == 4

    async def test_nonces_sent_together_with_amendments(self) -> None:
        """The same in one moment."""
        backend = await self.said("a")
        calls = [amend(backend.messages, edit(1, text, nonce="n")) for text in "bbc"]
        assert await refused(calls.pop()) is Kind.NONCE_REUSED
        assert [each.repeated for each in await gatherResults(calls)] == [False, True]
        assert len(await self.entries(backend)) == 2

    async def test_nonces_of_other_acts(self) -> None:
        """A nonce is one act's: whatever differs makes another one of it."""
        backend = await self.said("a", "b")
        log = backend.messages
        message = Draft("r", "c", ANN, "1", reply_to=1, data=Raw(b'{"a":1}'))
        change = edit(1, "c", nonce="2", data=Raw(b'{"a":1}'))
        await publish(log, message)
        await amend(log, change)
        await amend(log, retract(1, nonce="3"))
        for draft in (
            structs.replace(message, message="x"),
            structs.replace(message, reply_to=None),
            structs.replace(message, reply_to=2),
            structs.replace(message, data=None),
            structs.replace(message, data=Raw(b'{"a":2}')),
            structs.replace(message, nonce="2"),
            structs.replace(message, nonce="3"),
        ):
            assert await refused(publish(log, draft)) is Kind.NONCE_REUSED
        for amendment in (
            structs.replace(change, nonce="1"),
            structs.replace(change, ref=2),
            structs.replace(change, message="x"),
            structs.replace(change, data=None),
            structs.replace(change, nonce="3"),
            retract(1, nonce="1"), retract(1, nonce="2"), retract(1, 2, nonce="3"),
        ):  # fmt: skip
            assert await refused(amend(log, amendment)) is Kind.NONCE_REUSED
        again = await publish(log, message)
        assert isinstance(again, Repeated)
        assert (again.seq, again.reply_to, again.data) == (3, 1, message.data)
        assert len(await self.entries(backend)) == 5

    async def test_refusals_use_no_nonce(self) -> None:
        """A refused act leaves its nonce free for any further act."""
        backend = await self.said("a")
        assert await refused(amend(backend.messages, retract(2, nonce="n"))) is Kind.NOT_FOUND
        await publish(backend.messages, Draft("r", "b", ANN))
        assert not (await amend(backend.messages, retract(2, nonce="n"))).repeated
        assert await refused(amend(backend.messages, retract(9, nonce="m"))) is Kind.NOT_FOUND
        assert (await publish(backend.messages, Draft("r", "c", ANN, "m"))).seq == 4

    async def test_stored_entries_are_recorded_once(self) -> None:
        """Entries stored from here, and no others, are recorded once, delivered or not."""
        backend = await self.said()
        log = backend.messages
        drafts = [Draft("r", "a", ANN, "n"), Draft("r", "a", ANN, "n"), Draft("elsewhere", "b"),
                  Draft("r", "c", ANN), Draft("elsewhere", "d")]  # fmt: skip
        calls = [*(publish(log, each) for each in drafts), amend(log, edit(1, "e", nonce="m"))]
        said = await gatherResults(calls)
        assert (await amend(log, edit(1, "e", nonce="m"))).repeated
        gone = await amend(log, retract(1, 2))
        assert await refused(amend(log, retract(1))) is Kind.NOT_FOUND
        await publish(log, Draft("elsewhere", "f"))
        recorded = [entry for room, entry in self.sink.recorded if room == "r"]
        assert recorded == [said[0], said[3], said[5].event, gone.event]
        others = [entry for room, entry in self.sink.recorded if room != "r"]
        assert [each.seq for each in others if isinstance(each, Message)] == [1, 2, 3]

    async def test_the_sink_is_told_before_records_and_receivers(self) -> None:
        """The sink is told first, then it is recorded, and then the receiver is told."""
        backend = await self.said()
        found: list[tuple[int, int]] = []
        sink, deliver = self.sink, self.sink.deliver

        def delivered(room: str, epoch: str, entries: Sequence[Entry]) -> None:
            deliver(room, epoch, entries)
            found.append((len(sink.delivered), len(sink.recorded)))

        sink.deliver = delivered  # type: ignore[method-assign]
        await publish(backend.messages, Draft("r", "a")).addCallback(
            lambda _: found.append((len(sink.delivered), len(sink.recorded)))
        )
        assert found == [(1, 0), (1, 1)]

    async def test_a_receiver_that_raises_spares_the_others(self) -> None:
        """A receiver's exception is logged; the other receivers of the batch are told."""

        @implementer(IReceiver)
        class Broken:
            def stored(self, result: object) -> None:
                raise ZeroDivisionError

            def not_stored(self, reason: Exception) -> None:
                raise ZeroDivisionError

        backend = await self.said("a")
        log = backend.messages
        first = publish(log, Draft("r", "b"))
        log.publish(Draft("r", "c"), Broken())
        log.amend(retract(9), Broken())
        log.publish(Draft("r", "\ud800"), Broken())
        last = publish(log, Draft("r", "d"))
        assert [each.seq for each in await gatherResults([first, last])] == [2, 4]
        assert self.sink.texts("r") == ["a", "b", "c", "d"]
        assert len(self.flushLoggedErrors(ZeroDivisionError)) == 3  # type: ignore[attr-defined]
