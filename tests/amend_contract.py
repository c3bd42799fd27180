"""
The contract of `IMessageLog.amend`: entries that are no plain texts.

A backend's tests mix `AmendContract` into a trial `TestCase`, beside `tests.contract`.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw, structs
from twisted.internet.defer import Deferred, gatherResults

from livechat.errors import Kind
from livechat.protocol.messages import (
    MOST_EDITS,
    MOST_REFS,
    Amended,
    Draft,
    Edit,
    Edited,
    Gone,
    Message,
    Newest,
    Page,
    Retracted,
    Retraction,
)
from tests.act_contract import ANN, BOB, DATA, VERIFIED, ActContract, edit, refused, retract
from tests.support.outcomes import amend, publish


class AmendContract(ActContract):
    """Tests of one backend, which the class that mixes it in makes."""

    async def test_replies_and_data_are_stored_byte_by_byte(self) -> None:
        """Replies and data are answered, delivered and stored byte by byte."""
        backend = await self.said("a")
        drafts = [Draft("r", "b", ANN, reply_to=1), Draft("r", "", None, reply_to=10**15)]
        drafts += [Draft("r", "c", ANN, data=Raw(data)) for data in DATA]
        drafts += [Draft("r", "d", BOB, reply_to=2, data=Raw(DATA[0]))]
        sent = await gatherResults([publish(backend.messages, draft) for draft in drafts])
        for draft, message in zip(drafts, sent, strict=True):
            assert (message.message, message.user) == (draft.message, draft.user)
            assert (message.reply_to, message.data) == (draft.reply_to, draft.data)
        assert self.sink.entries("r")[1:] == sent
        assert (await self.entries(backend))[1:] == sent
        assert (await backend.messages.read("r", 0, 0)).position.event == 0

    async def test_an_edit_changes_text_by_an_event(self) -> None:
        """A message has another text under its number; the room hears of it by an event."""
        backend = await self.begin()
        await backend.messages.subscribe("r")
        draft = Draft("r", "a", ANN, reply_to=7, data=Raw(DATA[0]))
        before = await publish(backend.messages, draft)
        await publish(backend.messages, Draft("r", "b", BOB))
        epoch = (await backend.messages.read("r", 0, 0)).position.epoch
        self.set_time(5)
        amended = await amend(backend.messages, edit(1, "c", data=Raw(DATA[1])))
        event = amended.event
        assert event == Edited(3, event.time, 1, "c", Raw(DATA[1]))
        assert event.time >= before.time
        assert amended == Amended(event, (before,))
        first, second, third = await self.entries(backend)
        assert first == structs.replace(before, message="c", data=Raw(DATA[1]), edited=event.time)
        assert (second.seq, third) == (2, event)
        assert self.sink.entries("r") == [before, second, event]
        position = (await backend.messages.read("r", 0, 0)).position
        assert (position.epoch, position.seq, position.oldest) == (epoch, 3, 1)
        assert position.event == 3
        assert (await backend.messages.newest(["r"])) == {"r": Newest(3, event.time)}

    async def test_a_second_edit_leaves_no_former_words(self) -> None:
        """Words of before are nowhere; the event of them is gone, and its number stays."""
        backend = await self.said("a", "b")
        one = await amend(backend.messages, edit(1, "c", data=Raw(DATA[0])))
        await amend(backend.messages, edit(2, "d"))
        two = await amend(backend.messages, edit(1, "e"))
        assert two.before[0].message == "c"
        found = await self.entries(backend)
        assert [type(entry) for entry in found] == [Message, Message, Gone, Edited, Edited]
        first, _, gone, _, event = found
        assert isinstance(first, Message)
        assert (first.message, first.data, first.edited) == ("e", None, event.time)
        assert gone == Gone(3, one.event.time)
        assert event == two.event

    async def test_a_retraction_leaves_numbers_and_times(self) -> None:
        """Nothing is left of a message and its edits but their numbers and times."""
        backend = await self.said("a", "b")
        await amend(backend.messages, edit(1, "c"))
        edited = await amend(backend.messages, edit(1, "d", data=Raw(DATA[0])))
        first, second, *_ = await self.entries(backend)
        assert isinstance(first, Message)
        amended = await amend(backend.messages, retract(1))
        event = Retracted(5, amended.event.time, (1,), "author")
        assert amended == Amended(event, (first,))
        assert await self.entries(backend) == [
            Gone(1, first.time), second, Gone(3, edited.event.time), Gone(4, edited.event.time),
            event,
        ]  # fmt: skip
        assert self.sink.entries("r")[-1] == event
        assert len(self.sink.entries("r")) == 5
        assert (await backend.messages.read("r", 0, 0)).position.event == 5

    async def test_a_hundred_are_retracted_in_one_event(self) -> None:
        """A hundred at once, in one event; numbers of no message are passed over."""
        backend = await self.said(*map(str, range(MOST_REFS + 3)))
        await amend(backend.messages, edit(2, "x"))
        await amend(backend.messages, retract(5))
        event = MOST_REFS + 4
        refs = (2, *range(4, MOST_REFS), MOST_REFS, MOST_REFS, event, event + 1, 10**12)
        amended = await amend(backend.messages, retract(*refs))
        gone = (2, 4, *range(6, MOST_REFS + 1))
        assert amended.event.refs == gone
        assert tuple(each.seq for each in amended.before) == gone
        left = [each.seq for each in await self.entries(backend) if isinstance(each, Message)]
        assert left == [1, 3, *range(MOST_REFS + 1, event)]
        assert (await self.entries(backend))[event - 1] == Gone(event, amended.event.time)

    async def test_only_its_author_changes_a_message(self) -> None:
        """Only its author changes a message; a moderator may retract it, and never edits."""
        backend = await self.said("a", "b", "c")
        await publish(backend.messages, Draft("r", "d", BOB))
        await publish(backend.messages, Draft("r", "e"))
        for amendment in (
            edit(1, "x", BOB), edit(5, "x", ANN), retract(1, user=BOB), retract(1, user=None),
            retract(1, 4), retract(1, 5), retract(5, user=None),
            edit(1, "x", VERIFIED), retract(1, user=VERIFIED),
        ):  # fmt: skip
            assert await refused(amend(backend.messages, amendment)) is Kind.FORBIDDEN
        assert len(await self.entries(backend)) == 5
        for refs, user, by in (
            ((1,), ANN, "author"), ((2, 4), ANN, "moderator"), ((3, 5), None, "moderator"),
        ):  # fmt: skip
            retraction = retract(*refs, user=user, moderates=True)
            assert (await amend(backend.messages, retraction)).event.by == by
        assert not any(isinstance(each, Message) for each in await self.entries(backend))

    async def test_users_of_the_site_and_guests(self) -> None:
        """The same id is another author's where the site vouches for it."""
        backend = await self.said("a", user=VERIFIED)
        assert await refused(amend(backend.messages, edit(1, "x"))) is Kind.FORBIDDEN
        assert await refused(amend(backend.messages, retract(1))) is Kind.FORBIDDEN
        await amend(backend.messages, edit(1, "b", VERIFIED))
        first, _ = await self.entries(backend)
        assert isinstance(first, Message)
        assert (first.message, first.user) == ("b", VERIFIED)
        assert (await amend(backend.messages, retract(1, user=VERIFIED))).event.by == "author"

    async def test_missing_messages_are_not_found(self) -> None:
        """No message, an event, what is gone: not found, whoever asks; it takes no number."""
        backend = await self.said("a", "b")
        await amend(backend.messages, edit(1, "c"))
        await amend(backend.messages, retract(1))
        await publish(backend.messages, Draft("other", "a", ANN))
        for ref in (0, 1, 3, 4, 5, 2**53):
            for amendment in (
                edit(ref, "x"),
                retract(ref),
                retract(ref, user=None, moderates=True),
            ):
                assert await refused(amend(backend.messages, amendment)) is Kind.NOT_FOUND
        assert len(await self.entries(backend)) == 4
        for amendment in (
            Edit("nowhere", 1, "x", ANN.subject), Retraction("nowhere", (1,), None, moderates=True),
        ):  # fmt: skip
            assert await refused(amend(backend.messages, amendment)) is Kind.NOT_FOUND
        assert (await backend.messages.read("nowhere", 0, 9)).position.seq == 0
        assert await backend.messages.newest(["nowhere"]) == {}

    async def test_a_late_edit_is_refused(self) -> None:
        """A message that is older than its author may edit is not edited, but retracted."""
        backend = await self.said("a")
        (message,) = await self.entries(backend)
        self.set_time(10)
        late = edit(1, "b", since=message.time + 1)
        assert await refused(amend(backend.messages, late)) is Kind.TOO_LATE
        await amend(backend.messages, edit(1, "b", since=message.time))
        assert await refused(amend(backend.messages, late)) is Kind.TOO_LATE
        await amend(backend.messages, retract(1))

    async def test_too_many_edits(self) -> None:
        """A message is edited so often and no more; another one still is."""
        backend = await self.said("a", "b")
        for number in range(MOST_EDITS):
            await amend(backend.messages, edit(1, str(number)))
        assert await refused(amend(backend.messages, edit(1, "x"))) is Kind.TOO_MANY_EDITS
        await amend(backend.messages, edit(2, "c"))
        found = await self.entries(backend)
        assert [type(each) for each in found[2:]] == [Gone] * (MOST_EDITS - 1) + [Edited] * 2
        assert [getattr(each, "message", None) for each in found[:2]] == ["19", "c"]

    async def test_amendments_are_numbered_in_order_of_calls(self) -> None:
        """Messages and amendments that are sent together are numbered as they are called."""
        backend = await self.said()
        log = backend.messages
        calls = [
            publish(log, Draft("r", "a", ANN)), amend(log, edit(1, "b")), amend(log, edit(3, "no")),
            publish(log, Draft("r", "c", BOB)), amend(log, retract(3)), amend(log, edit(1, "d")),
            amend(log, retract(3, user=BOB)), publish(log, Draft("r", "e", ANN)),
            amend(log, retract(1)), amend(log, edit(1, "no")), publish(log, Draft("r", "f", ANN)),
        ]  # fmt: skip
        results = [
            await call.addCallbacks(lambda result: result, lambda failure: failure.value.kind)
            for call in calls
        ]
        missing, foreign = Kind.NOT_FOUND, Kind.FORBIDDEN
        assert [getattr(getattr(each, "event", each), "seq", each) for each in results] == [
            1, 2, missing, 3, foreign, 4, 5, 6, 7, missing, 8,
        ]  # fmt: skip
        assert [getattr(each, "message", type(each)) for each in await self.entries(backend)] == [
            Gone, Gone, Gone, Gone, Retracted, "e", Retracted, "f",
        ]  # fmt: skip
        assert [each.seq for each in self.sink.entries("r")] == list(range(1, 9))
        heard = self.sink.entries("r")
        assert [getattr(heard[at], "text", None) for at in (1, 3)] == ["b", "d"]
        assert [each.message for each in results[6].before] == ["c"]
        assert [each.message for each in results[8].before] == ["d"]

    async def test_amended_before_delivered(self) -> None:
        """Once an event is delivered or acknowledged, no reader finds the old words."""
        backend = await self.said("a", "b")
        reads: list[Deferred[Page]] = []
        deliver = self.sink.deliver

        def read_then_deliver(room: str, epoch: str, entries: Any) -> None:
            reads.append(backend.messages.read(room, 0, 9))
            deliver(room, epoch, entries)

        self.sink.deliver = read_then_deliver  # type: ignore[method-assign]
        await amend(backend.messages, edit(1, "c"))
        # A read that is late would see the next step.
        one = await reads.pop()
        await amend(backend.messages, retract(2))
        assert self.sink.texts("r") == ["a", "b"]
        two = await reads.pop()
        assert [each.message for each in one.messages] == ["c", "b"]
        assert [each.message for each in two.messages] == ["c"]

    async def test_amendments_outlive_a_restart(self) -> None:
        """Entries, and the nonces of amendments, are the same after it."""
        backend = await self.said("a", "b", "c")
        await amend(backend.messages, edit(2, "d", nonce="m", data=Raw(DATA[0])))
        await amend(backend.messages, retract(1, nonce="n"))
        before = await backend.messages.read("r", 0, 9)
        await backend.stop()
        backend = await self.begin()
        assert await backend.messages.read("r", 0, 9) == before
        assert (await amend(backend.messages, edit(2, "d", nonce="m", data=Raw(DATA[0])))).repeated
        assert (await amend(backend.messages, retract(1, nonce="n"))).repeated
        assert (await amend(backend.messages, edit(2, "e"))).event.seq == 6
        assert (await self.entries(backend))[3] == Gone(4, before.entries[3].time)

    async def test_pages_have_entries_in_their_present_state(self) -> None:
        """Any page from anywhere has each entry under its number, in its present state."""
        backend = await self.said("a", "b", "c")
        await publish(backend.messages, Draft("r", "d", BOB, reply_to=1, data=Raw(DATA[0])))
        for amendment in (edit(1, "e"), retract(2), edit(3, "f"), edit(1, "g"), retract(3)):
            await amend(backend.messages, amendment)
        every = await self.entries(backend)
        assert [type(each) for each in every] == [
            Message, Gone, Gone, Message, Gone, Retracted, Gone, Edited, Retracted,
        ]  # fmt: skip
        for after in range(10):
            for limit in range(11):
                page = await backend.messages.read("r", after, limit)
                assert list(page.entries) == every[after:][:limit]
                assert page.position.event == 9
            assert await self.entries(backend, 2, after) == every[after:]

    async def test_limit_counts_entries(self) -> None:
        """Events count for the limit; what is over it cannot be amended any more."""
        backend = await self.said("a", "b", "c", history_limit=3)
        await amend(backend.messages, edit(1, "d"))
        page = await backend.messages.read("r", 0, 9)
        assert [each.seq for each in page.entries] == [2, 3, 4]
        assert page.position.oldest == 2
        for amendment in (edit(1, "e"), retract(1)):
            assert await refused(amend(backend.messages, amendment)) is Kind.NOT_FOUND
        assert (await amend(backend.messages, retract(1, 3))).event.refs == (3,)
        for text in "efgh":
            await publish(backend.messages, Draft("r", text, ANN))
        page = await backend.messages.read("r", 0, 9)
        assert [each.seq for each in page.entries] == [7, 8, 9]
        assert page.position.event == 5
        # The event of the edit before is over the limit.
        await amend(backend.messages, edit(9, "i"))
        await publish(backend.messages, Draft("r", "j", ANN))
        await publish(backend.messages, Draft("r", "k", ANN))
        assert [each.seq for each in await self.entries(backend)] == [10, 11, 12]

    async def test_limit_moves_with_each_act(self) -> None:
        """An entry that an act pushes over the limit cannot be amended by its batch's next act."""
        backend = await self.said("a", "b", "c", history_limit=3)
        log = backend.messages
        calls = [amend(log, edit(1, "d")), amend(log, retract(1)), amend(log, retract(1, 2))]
        assert await refused(calls.pop(1)) is Kind.NOT_FOUND
        first, second = await gatherResults(calls)
        assert (first.event.seq, second.event.seq, second.event.refs) == (4, 5, (2,))

    async def test_event_over_the_limit(self) -> None:
        """An edit is told of for as long as the history goes; its message may be older."""
        backend = await self.said("a", "b", history_limit=2)
        await amend(backend.messages, edit(2, "c"))
        await amend(backend.messages, edit(2, "d"))
        assert [type(each) for each in await self.entries(backend)] == [Gone, Edited]
        assert await refused(amend(backend.messages, edit(2, "e"))) is Kind.NOT_FOUND

    async def test_age_of_amended_messages(self) -> None:
        """Messages past their age cannot be amended, edited or not; events expire as others."""
        backend = await self.said("a", history_age=60)
        self.set_time(50)
        await publish(backend.messages, Draft("r", "b", ANN))
        await amend(backend.messages, edit(1, "c"))
        self.set_time(70)
        assert [each.seq for each in await self.entries(backend)] == [2, 3]
        for amendment in (edit(1, "e"), retract(1)):
            assert await refused(amend(backend.messages, amendment)) is Kind.NOT_FOUND
        self.set_time(1_000)
        assert await refused(amend(backend.messages, retract(2))) is Kind.NOT_FOUND
        page = await backend.messages.read("r", 0, 9)
        assert (page.entries, page.position.seq, page.position.oldest) == ((), 3, 4)
        assert (await publish(backend.messages, Draft("r", "f", ANN))).seq == 4

    async def test_texts_of_edits_are_kept(self) -> None:
        """Any text, short or long, takes the place of any other."""
        backend = await self.said("a", "b" * 16_384)
        texts = ["", "\0", "a\0b", "null", "007", "'; --", "\u2028\r\n", "😀" * 4_000, "x" * 16_384]
        for text in texts:
            for ref in (1, 2):
                amended = await amend(backend.messages, edit(ref, text))
                assert amended.event.text == text
                page = await backend.messages.read("r", ref - 1, 1)
                assert page.messages[0].message == text
                last = await backend.messages.read("r", amended.event.seq - 1, 1)
                assert last.entries == (amended.event,)

    async def test_a_bad_edit_fails_alone(self) -> None:
        """A text that cannot be stored fails its own sender, not its neighbours'."""
        backend = await self.said("a")
        calls = [amend(backend.messages, edit(1, text)) for text in ("b", "\ud800", "c")]
        await refused(calls.pop(1))
        assert [each.event.seq for each in await gatherResults(calls)] == [2, 3]

    async def test_amend_after_stop(self) -> None:
        """A backend that stops takes no amendment any more; those before are made."""
        backend = await self.said("a")
        amending = amend(backend.messages, retract(1))
        await backend.stop()
        assert (await amending).event.seq == 2
        assert await refused(amend(backend.messages, retract(1))) is Kind.UNAVAILABLE
