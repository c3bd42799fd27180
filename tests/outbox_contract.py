"""
The contract of entries that wait for receivers: `livechat.interfaces.IOutbox`.

A backend's tests mix `OutboxContract` into a trial `TestCase` and say how to make one.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from livechat.errors import Kind
from livechat.interfaces import IOutbox
from livechat.protocol.messages import Edited, Gone, Message, Retracted
from livechat.protocol.names import AUDIT_ROOM, EVENTS_ROOM
from tests.act_contract import ANN, BOB, edit, refused, retract
from tests.held_contract import HeldContract
from tests.map_contract import NOW
from tests.support.outcomes import amend
from tests.told_outside import (
    A,
    B,
    advance,
    epoch_of,
    first,
    numbers,
    rooms,
    say,
    take,
    texts,
    waiting,
)


class OutboxContract(HeldContract):
    """Tests of one backend, which the class that mixes it in makes."""

    async def test_an_outbox_has_all_methods(self) -> None:
        """All methods are there, with the arguments that they take."""
        assert verifyObject(IOutbox, (await self.begin()).outbox)

    async def test_starts_at_now(self) -> None:
        """A new receiver is told of what is stored from then on, in old rooms and new ones."""
        backend = await self.begin()
        await say(backend, "before")
        await backend.outbox.keep([A])
        assert await waiting(backend) == []
        assert await first(backend) == []
        (after,) = await say(backend, "after")
        (new,) = await say(backend, "new", room="s")
        assert await first(backend) == [after]
        assert await first(backend, room="s") == [new]
        found = await waiting(backend)
        assert [(each.room, each.told, each.top) for each in found] == [("r", 1, 2), ("s", 0, 1)]
        assert [each.epoch for each in found] == [await epoch_of(backend, room) for room in "rs"]
        assert {each.since for each in found} <= {None, after.time, new.time}

    async def test_entries_wait_in_order_until_told(self) -> None:
        """Each entry waits until it was told, in order, however small the pages are."""
        backend = await self.told()
        said = await say(backend, *map(str, range(25)))
        assert await first(backend, limit=3) == said[:3]
        assert await first(backend, limit=3) == said[:3]
        await advance(backend, 3)
        assert await first(backend, limit=3) == said[3:6]
        assert await take(backend, limit=4) == said[3:]
        assert await waiting(backend) == []
        assert await first(backend) == []
        later = await say(backend, "later")
        assert await take(backend) == later

    async def test_a_receiver_named_again_keeps_its_cursors(self) -> None:
        """A receiver that is named again keeps its cursors; a room with all told waits no more."""
        backend = await self.told()
        await say(backend, "a", "b")
        await advance(backend, 1)
        await backend.outbox.keep([A])
        assert texts(await first(backend)) == ["b"]

    async def test_a_dropped_receiver_holds_nothing(self) -> None:
        """A receiver that is named no more holds nothing; named again, it is a new one."""
        backend = await self.told(A, B, history_limit=2)
        await say(backend, *"abcdef")
        await advance(backend, 5, B)
        await self.settle(backend)
        assert len(await first(backend)) == 6
        await backend.outbox.keep([B])
        await self.settle(backend)
        assert await refused(backend.outbox.waiting(A)) is Kind.NOT_FOUND
        assert texts(await first(backend, B)) == ["f"]
        await backend.outbox.keep([A, B])
        assert await first(backend) == []
        assert await backend.outbox.rewind(A, 0) == 1
        assert texts(await first(backend)) == ["e", "f"]

    async def test_one_call_reads_several_rooms(self) -> None:
        """One call reads several rooms, each as far as it is told of and up to its limit."""
        backend = await self.told(A, B)
        said = {room: await say(backend, *"abc", room=room) for room in "rst"}
        await advance(backend, 2, room="s")
        found = await backend.outbox.pages(A, {"t": 1, "s": 9, "none": 9, "r": 10**9})
        assert {room: list(page.entries) for room, page in found.items()} == {
            "t": said["t"][:1], "s": said["s"][2:], "none": [], "r": said["r"],
        }  # fmt: skip
        assert await backend.outbox.pages(A, {}) == {}
        other = await backend.outbox.pages(B, {"s": 9})
        assert list(other["s"].entries) == said["s"]

    async def test_receivers_have_cursors_of_their_own(self) -> None:
        """Each has its own cursors; entries are held for the slower one."""
        backend = await self.told(A, B, history_limit=1)
        said = await say(backend, *"abcd")
        other = await say(backend, "x", room="s")
        assert await take(backend, B) == said
        await self.settle(backend)
        assert await rooms(backend, B) == ["s"]
        assert await rooms(backend) == ["r", "s"]
        await advance(backend, 1)
        assert await first(backend) == said[1:]
        assert await first(backend, B) == []
        assert await take(backend, B, "s") == other
        assert await take(backend) == said[1:]

    async def test_cursors_do_not_go_back(self) -> None:
        """A cursor goes forward, and no further than the newest entry."""
        backend = await self.told()
        await say(backend, *"abc")
        await advance(backend, 2)
        for number in (1, 0, -5, 2):
            await advance(backend, number)
            assert texts(await first(backend)) == ["c"]
        await advance(backend, 10**15)
        assert await first(backend) == []
        await say(backend, "d")
        assert texts(await first(backend)) == ["d"]

    async def test_a_cursor_of_another_numbering_stays(self) -> None:
        """A cursor of another numbering stays; those beside it go on."""
        backend = await self.told()
        for room in ("r", "s"):
            await say(backend, "a", room=room)
        right = await epoch_of(backend, "s")
        await backend.outbox.advance(A, {"r": ("other", 1), "s": (right, 1)})
        assert await rooms(backend) == ["r"]

    async def renumber(self, backend: Any) -> Any:
        """Have all numberings begin anew; return the backend that goes on."""
        raise AssertionError

    async def test_the_told_epoch_stays_known(self) -> None:
        """The epoch already told stays known under a new numbering, until more is told."""
        backend = await self.told(A, B)
        await say(backend, "a", "b")
        first_epoch = await epoch_of(backend)
        await take(backend)
        (room,) = await waiting(backend, B)
        assert room.before == ""
        for _ in range(2):
            backend = await self.renumber(backend)
            await say(backend, "c")
            await say(backend, "other", room="new")
            (new,) = [each for each in await waiting(backend) if each.room == "new"]
        for receiver in (A, B):
            (room,) = [each for each in await waiting(backend, receiver) if each.room == "r"]
            assert room.before == first_epoch != room.epoch
        assert texts(await take(backend))[-1] == "c"
        await take(backend, room="new")
        await say(backend, "d")
        (room,) = await waiting(backend)
        assert (room.room, room.before) == ("r", "")
        assert room.epoch == await epoch_of(backend)
        assert new.before != new.epoch

    async def test_many_rooms_are_found_and_told(self) -> None:
        """All are found, by name; one call tells of many."""
        backend = await self.told()
        names = sorted(f"r{number}" for number in range(40))
        for name in names:
            await say(backend, "a", "b", room=name)
        assert await rooms(backend) == names
        epochs = {name: await epoch_of(backend, name) for name in names[:30]}
        await backend.outbox.advance(A, {name: (epoch, 2) for name, epoch in epochs.items()})
        assert await rooms(backend) == names[30:]

    async def test_as_they_are_now(self) -> None:
        """An edit and a retraction hold for messages that wait: no old words leave."""
        backend = await self.told()
        await say(backend, "secret", "wrong")
        await amend(backend.messages, retract(1))
        await amend(backend.messages, edit(2, "right"))
        await amend(backend.messages, edit(2, "best"))
        one, two, three, four, five = await first(backend)
        assert isinstance(one, Gone)
        assert isinstance(two, Message)
        assert two.message == "best"
        assert isinstance(three, Retracted)
        assert three.refs == (1,)
        assert isinstance(four, Gone)
        assert isinstance(five, Edited)
        assert five.text == "best"
        assert len(await take(backend, limit=2)) == 5

    async def test_held_words_are_erased_by_author_or_all(self) -> None:
        """Held words that no retraction finds are emptied, of one author or of all."""
        backend = await self.told(history_limit=2)
        await say(backend, "a", "wrong")
        await amend(backend.messages, edit(2, "right"))
        await say(backend, "b", user=BOB)
        await say(backend, "c", "d")
        await self.settle(backend)
        assert await refused(amend(backend.messages, retract(1))) is Kind.NOT_FOUND
        assert await backend.outbox.erase("r", "g:nobody") == 0
        assert await backend.outbox.erase("r", ANN.subject, 10**15) == 0
        assert await backend.outbox.erase("r", ANN.subject) == 2
        found = await first(backend)
        assert [type(each) for each in found] == [Gone, Gone, Gone, Message, Message, Message]
        assert texts(found) == ["b", "c", "d"]
        assert await backend.outbox.erase("r") == 1
        assert texts(await take(backend)) == ["c", "d"]
        assert await backend.outbox.erase("nowhere") == 0

    async def test_rewound_entries_wait_again(self) -> None:
        """Kept entries since a time wait again; no cursor moves forward."""
        backend = await self.told(A, B)
        await say(backend, "a")
        await say(backend, "old", room="s")
        self.set_time(10)
        await say(backend, "b")
        self.set_time(20)
        await say(backend, "c")
        for room in "rs":
            await take(backend, room=room)
        assert await backend.outbox.rewind(A, 1_000 * (NOW + 10)) == 1
        assert texts(await first(backend)) == ["b", "c"]
        assert await rooms(backend) == ["r"]
        assert await backend.outbox.rewind(A, 1_000 * (NOW + 20)) in (0, 1)
        assert texts(await first(backend)) == ["b", "c"]
        assert await backend.outbox.rewind(A, 0) == 2
        assert texts(await first(backend)) == ["a", "b", "c"]
        assert len(await first(backend, B)) == 3

    async def test_events_wait_in_a_room_of_their_own(self) -> None:
        """Unnumbered events wait in an internal room, and go once they were told."""
        backend = await self.told()
        said = await say(backend, *map(str, range(30)), room=EVENTS_ROOM)
        await say(backend, "record", room=AUDIT_ROOM)
        assert await rooms(backend) == [EVENTS_ROOM]
        await self.settle(backend)
        assert await first(backend, room=EVENTS_ROOM, limit=10) == said[:10]
        assert await backend.outbox.erase(EVENTS_ROOM, ANN.subject) == 30
        assert len(await take(backend, room=EVENTS_ROOM)) == 30
        await self.settle(backend)
        assert len(await self.shown(backend, EVENTS_ROOM)) <= 1

    async def test_untold_entries_wait_after_a_restart(self) -> None:
        """Entries not yet told wait after a restart; those told without an end are told again."""
        backend = await self.told(history_limit=1)
        said = await say(backend, *"abcdef")
        await advance(backend, 2)
        assert numbers(await first(backend, limit=2)) == [3, 4]
        await backend.stop()
        backend = await self.told(history_limit=1)
        assert await rooms(backend) == ["r"]
        assert await first(backend) == said[2:]
        said += await say(backend, "g")
        await self.settle(backend)
        assert await take(backend) == said[2:]

    async def test_the_only_process_leads(self) -> None:
        """The only process leads, and goes on leading."""
        backend = await self.told()
        assert await backend.outbox.lead() > 0
        assert await backend.outbox.lead() > 0

    async def test_the_leader_hears_of_new_entries(self) -> None:
        """The process that leads hears of rooms with new entries."""
        backend = await self.told()
        await backend.outbox.lead()
        heard: set[str] = set()
        both: Deferred[None] = Deferred()

        def changed(names: Collection[str]) -> None:
            heard.update(names)
            if {"r", "s"} <= heard and not both.called:
                both.callback(None)

        backend.outbox.watch(changed)
        await say(backend, "a")
        await say(backend, "b", room="s")
        await both
        assert heard == {"r", "s"}

    async def test_bad_receivers_are_refused(self) -> None:
        """Names and counts that are none are refused; a receiver of no name is not known."""
        backend = await self.told()
        for bad in ([""], ["x" * 65], ["a b"], ["a/b"], ["\u00e9"], [f"x{n}" for n in range(11)]):
            try:
                await backend.outbox.keep(bad)
            except ValueError:
                continue
            raise AssertionError(bad)
        box = backend.outbox
        for call in (
            lambda: box.waiting("never"),
            lambda: box.read("x" * 16_384, "r", 1),
            lambda: box.pages("never", {"r": 1}),
            lambda: box.advance("", {}),
            lambda: box.rewind("a\0", 0),
        ):
            assert await refused(call()) is Kind.NOT_FOUND
        assert await waiting(backend) == []

    async def test_bad_rooms_are_refused(self) -> None:
        """Names that no room has are refused; a room in which nothing was said is empty."""
        backend = await self.told()
        for bad in ("x" * 16_384, "", "..", "a b", AUDIT_ROOM, "!other", "\0", "\ud800"):
            assert await refused(backend.outbox.read(A, bad, 1)) is Kind.BAD_ROOM
            assert await refused(backend.outbox.pages(A, {"r": 1, bad: 1})) is Kind.BAD_ROOM
            assert await refused(backend.outbox.advance(A, {bad: ("e", 1)})) is Kind.BAD_ROOM
            assert await refused(backend.outbox.erase(bad)) is Kind.BAD_ROOM
        assert await first(backend, room="nowhere") == []
        await advance(backend, 5, room="nowhere")
        assert await waiting(backend) == []
        await say(backend, "a", room="nowhere")
        assert len(await first(backend, room="nowhere")) == 1

    async def test_bad_limits_are_taken_as_what_there_is(self) -> None:
        """Limits of nothing and of everything are taken as what there is."""
        backend = await self.told()
        await say(backend, "a", "b")
        for limit, count in ((0, 0), (-1, 0), (-(10**30), 0), (10**30, 2)):
            page = await backend.outbox.read(A, "r", limit)
            assert len(page.entries) == count
            assert len(await backend.outbox.waiting(A, "", limit)) == min(count, 1)
        for since in (-(10**30), 10**30):
            assert await backend.outbox.rewind(A, since) in (0, 1)
        assert await backend.outbox.waiting(A, "~" * 16_384) == []
        assert len(await first(backend)) == 2

    async def test_outbox_after_stop(self) -> None:
        """A backend that has stopped refuses everything."""
        backend = await self.told()
        await backend.stop()
        box = backend.outbox
        for call in (
            lambda: box.keep([A]), lambda: box.waiting(A), lambda: box.read(A, "r", 1),
            lambda: box.advance(A, {"r": ("e", 1)}), lambda: box.rewind(A, 0),
            lambda: box.erase("r"), lambda: box.pages(A, {"r": 1}),
        ):  # fmt: skip
            assert await refused(call()) is Kind.UNAVAILABLE
