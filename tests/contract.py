"""
The contract of every backend: `livechat.interfaces.IBackend`.

A backend's tests mix `BackendContract` into a trial `TestCase` and say how to make one.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from zope.interface.verify import verifyObject

from livechat.errors import ChatError, Kind
from livechat.identity.actor import OPERATOR
from livechat.interfaces import IBackend, IMessageLog, IPresenceRelay, IProcessRegistry, ISharedMap
from livechat.protocol.messages import Draft, Message, Newest, Page, Repeated, User
from livechat.protocol.names import AUDIT_ROOM
from tests.map_contract import REPORT, shared_map
from tests.pace_contract import PaceContract
from tests.support.outcomes import publish


class BackendContract(PaceContract):
    """
    Tests of one backend, which the subclass makes (`MapContract`).

    @ivar set_clock: lets the wall clock be so many seconds ahead of that.
    """

    set_clock: Callable[[float], None]

    async def all(self, backend: Any, room: str, after: int = 0) -> list[Message]:
        """Every message of a room after *after*, page by page."""
        found: list[Message] = []
        while True:
            page: Page = await backend.messages.read(room, after, 1_000)
            if not page.messages:
                return found
            found += page.messages
            after = found[-1].seq

    async def test_a_backend_has_all_methods(self) -> None:
        """A backend has all methods with their arguments, and no trouble."""
        backend = await self.begin()
        assert verifyObject(IBackend, backend)
        assert verifyObject(IMessageLog, backend.messages)
        assert verifyObject(IPresenceRelay, backend.presence)
        assert verifyObject(IProcessRegistry, backend.processes)
        assert verifyObject(ISharedMap, shared_map(backend))
        assert backend.trouble() is None

    async def test_the_own_report_comes_first(self) -> None:
        """A process's own report comes first; alone, it is the only one."""
        backend = await self.begin()
        assert await backend.processes.reports() == [REPORT]

    async def test_messages_of_each_room_are_numbered(self) -> None:
        """Each room's messages are numbered 1, 2, 3, ..., whatever happens in others."""
        backend = await self.begin()
        for text, room, seq in (("a", "x", 1), ("b", "y", 1), ("c", "x", 2), ("d", "x", 3)):
            message = await publish(backend.messages, Draft(room, text))
            assert (message.message, message.seq) == (text, seq)
        assert [(m.seq, m.message) for m in await self.all(backend, "x")] == [
            (1, "a"), (2, "c"), (3, "d"),
        ]  # fmt: skip

    async def test_the_newest_message_of_each_room_is_known(self) -> None:
        """The newest message of each room is known, those nobody asked for are left out."""
        backend = await self.begin(history_limit=1)
        assert await backend.messages.newest(["x", "y", "%"]) == {}
        said = [await publish(backend.messages, Draft(room, "a")) for room in ("x", "z", "x", "y")]
        assert await backend.messages.newest(["x", "y", "never", "%", "'", "x"]) == {
            "x": Newest(2, said[2].time),
            "y": Newest(1, said[3].time),
        }
        many = await backend.messages.newest([*map(str, range(10_000)), "z"])
        assert many == {"z": Newest(1, said[1].time)}

    async def test_messages_are_numbered_in_order_of_calls(self) -> None:
        """Messages that are sent together are numbered in the order of the calls."""
        backend = await self.begin()
        await backend.messages.subscribe("r")
        texts = [str(number) for number in range(2_500)]
        sent = await gatherResults([publish(backend.messages, Draft("r", text)) for text in texts])
        assert [message.seq for message in sent] == list(range(1, 2_501))
        assert self.sink.texts("r") == texts
        assert [message.message for message in await self.all(backend, "r")] == texts

    async def test_stored_before_delivered(self) -> None:
        """A message can be read when it is delivered, and when its sender is told."""
        backend = await self.begin()
        await backend.messages.subscribe("r")
        reads: list[Deferred[Page]] = []
        deliver = self.sink.deliver

        def read_then_deliver(room: str, epoch: str, entries: Any) -> None:
            reads.append(backend.messages.read(room, entries[0].seq - 1, 1))
            deliver(room, epoch, entries)

        self.sink.deliver = read_then_deliver  # type: ignore[method-assign]
        sent = await publish(backend.messages, Draft("r", "x"))
        assert self.sink.texts("r") == ["x"], "the sender was told before the room"
        (page,) = await gatherResults(reads)
        assert page.messages == (sent,)

    async def test_delivers_what_is_subscribed(self) -> None:
        """After `subscribe` has fired, every message of the room is delivered, once."""
        backend = await self.begin()
        await gatherResults([backend.messages.subscribe("r"), backend.messages.subscribe("r")])
        await publish(backend.messages, Draft("r", "a"))
        backend.messages.unsubscribe("r")
        await backend.messages.subscribe("r")
        await publish(backend.messages, Draft("r", "b"))
        assert self.sink.texts("r") == ["a", "b"]
        ((_, epoch, first), (_, same, second)) = self.sink.delivered
        assert epoch == same == (await backend.messages.read("r", 0, 0)).position.epoch
        assert (first.seq, second.seq) == (1, 2)

    async def test_an_unknown_room_is_empty_with_an_epoch(self) -> None:
        """A room in which nothing was said is empty, and has an epoch that stays."""
        backend = await self.begin()
        page = await backend.messages.read("nowhere", 0, 10)
        assert page.messages == ()
        assert (page.position.seq, page.position.oldest) == (0, 1)
        await publish(backend.messages, Draft("nowhere", "x"))
        assert (await backend.messages.read("nowhere", 0, 10)).position.epoch == page.position.epoch

    async def test_two_rooms_have_two_epochs(self) -> None:
        """Two rooms have two epochs."""
        backend = await self.begin()
        epochs = {(await backend.messages.read(room, 0, 0)).position.epoch for room in ("a", "b")}
        assert len(epochs) == 2

    async def test_a_page_has_what_follows(self) -> None:
        """A page has what follows, oldest first, at most as many as asked for."""
        backend = await self.begin()
        for number in range(1, 8):
            await publish(backend.messages, Draft("r", str(number)))
        for after, limit, expected in (
            (0, 3, [1, 2, 3]), (3, 3, [4, 5, 6]), (6, 3, [7]), (7, 3, []), (99, 3, []), (0, 0, []),
        ):  # fmt: skip
            page = await backend.messages.read("r", after, limit)
            assert [message.seq for message in page.messages] == expected
            assert (page.position.seq, page.position.oldest) == (7, 1)

    async def test_pages_of_long_texts(self) -> None:
        """A page of long texts is cut short, but never to nothing."""
        backend = await self.begin()
        for _ in range(20):
            await publish(backend.messages, Draft("r", "x" * 100_000))
        page = await backend.messages.read("r", 0, 20)
        assert 1 <= len(page.messages) < 20
        assert len(await self.all(backend, "r")) == 20

    async def test_texts_are_kept(self) -> None:
        """A text is stored and delivered as it is, whatever it looks like."""
        backend = await self.begin()
        await backend.messages.subscribe("r")
        texts = [
            "007",
            "42",
            "",
            "\0",
            "a\0b",
            "1e5",
            "null",
            "😀",
            "'; --",
            "\ufeff",
            "\r\n",
            "%s",
        ]
        for text in texts:
            await publish(backend.messages, Draft("r", text))
        assert self.sink.texts("r") == texts
        assert [message.message for message in await self.all(backend, "r")] == texts

    async def test_users_are_kept(self) -> None:
        """A message's user is delivered and stored with it."""
        backend = await self.begin()
        await backend.messages.subscribe("r")
        users = [None, User("1", "Ann"), User("a-b_c", "Ann  Lee: 3 {}"), User("2", "田中 👩‍👩‍👧")]
        for user in users:
            assert (await publish(backend.messages, Draft("r", "x y", user))).user == user
        assert [message.user for message in self.sink.messages("r")] == users
        assert [message.user for message in await self.all(backend, "r")] == users

    async def test_roles_are_kept(self) -> None:
        """An operator is one still after a delivery and a read; nobody becomes one by a name."""
        backend = await self.begin()
        await backend.messages.subscribe("r")
        users = [
            OPERATOR,
            User("1", "a\toperator A"),
            User("2", "operator"),
            User("3", " \toperator"),
        ]
        for user in users:
            assert (await publish(backend.messages, Draft("r", "x", user))).user == user
        assert [message.user for message in self.sink.messages("r")] == users
        assert [message.user for message in await self.all(backend, "r")] == users

    async def test_a_repeated_nonce_is_stored_once(self) -> None:
        """Messages with the same nonce in a room are stored and delivered once."""
        backend = await self.begin()
        await backend.messages.subscribe("r")
        first = await publish(backend.messages, Draft("r", "a", None, "n"))
        again = await publish(backend.messages, Draft("r", "a", None, "n"))
        assert isinstance(again, Repeated)
        assert not isinstance(first, Repeated)
        assert (again.message, again.seq, again.time) == ("a", first.seq, first.time)
        assert (await publish(backend.messages, Draft("r", "a", None, "m"))).seq == 2
        assert (await publish(backend.messages, Draft("other", "a", None, "n"))).seq == 1
        assert (await publish(backend.messages, Draft("r", "a"))).seq == 3
        assert self.sink.texts("r") == ["a", "a", "a"]

    async def test_nonces_sent_together(self) -> None:
        """Nonces hold within a batch; another text under the same nonce is refused alone."""
        backend = await self.begin()
        await backend.messages.subscribe("r")
        drafts = [Draft("r", text, None, nonce) for text, nonce in ("an", "bm", "an", "cn", "do")]
        sent = [publish(backend.messages, draft) for draft in drafts]
        refused = await sent.pop(3).addCallbacks(lambda _: None, lambda failure: failure.value)
        assert isinstance(refused, ChatError)
        assert refused.kind is Kind.NONCE_REUSED
        found = await gatherResults(sent)
        assert [message.seq for message in found] == [1, 2, 1, 3]
        assert [isinstance(message, Repeated) for message in found] == [False, False, True, False]
        assert self.sink.texts("r") == ["a", "b", "d"]

    async def test_nonces_outlive_messages(self) -> None:
        """A nonce outlives its message."""
        backend = await self.begin(history_limit=1)
        await publish(backend.messages, Draft("r", "a", None, "n"))
        await publish(backend.messages, Draft("r", "b"))
        assert isinstance(await publish(backend.messages, Draft("r", "a", None, "n")), Repeated)

    async def test_nonces_outlive_a_restart(self) -> None:
        """A nonce used before a restart is known after it."""
        backend = await self.begin()
        await publish(backend.messages, Draft("r", "a", None, "n"))
        await backend.stop()
        backend = await self.begin()
        assert isinstance(await publish(backend.messages, Draft("r", "a", None, "n")), Repeated)

    async def test_the_secret_stays_over_a_restart(self) -> None:
        """The secret is long, and the same after a restart."""
        backend = await self.begin()
        secret = await backend.processes.secret()
        assert len(secret) >= 32
        await backend.stop()
        assert await (await self.begin()).processes.secret() == secret

    async def test_room_names_are_literal(self) -> None:
        """No name is a pattern, and names differ by case."""
        backend = await self.begin()
        rooms = ["a", "A", "a.b", "a-b", "a_b", "a~b", "-", "...", "x" * 128]
        for room in rooms:
            await publish(backend.messages, Draft(room, room))
        for room in rooms:
            assert [message.message for message in await self.all(backend, room)] == [room]

    async def test_a_bad_text_fails_alone(self) -> None:
        """A text that cannot be stored fails its own sender, not its neighbours'."""
        backend = await self.begin()
        before = publish(backend.messages, Draft("r", "a"))
        bad = publish(backend.messages, Draft("r", "\ud800"))
        after = publish(backend.messages, Draft("r", "b"))
        with contextlib.suppress(ChatError):
            await bad
            raise AssertionError("half a surrogate pair was stored")
        assert ((await before).seq, (await after).seq) == (1, 2)

    async def test_a_count_keeps_the_newest(self) -> None:
        """Only the newest messages are kept, and numbering goes on."""
        backend = await self.begin(history_limit=3)
        for number in range(1, 501):
            await publish(backend.messages, Draft("r", str(number)))
        page = await backend.messages.read("r", 0, 100)
        assert [message.seq for message in page.messages] == [498, 499, 500]
        assert (page.position.seq, page.position.oldest) == (500, 498)

    async def test_an_age_removes_the_oldest(self) -> None:
        """Messages expire by age; numbering goes on after all of them have."""
        backend = await self.begin(history_age=60)
        await publish(backend.messages, Draft("r", "a"))
        self.set_time(30)
        await publish(backend.messages, Draft("r", "b"))
        self.set_time(70)
        page = await backend.messages.read("r", 0, 100)
        assert [message.seq for message in page.messages] == [2]
        assert page.position.oldest == 2
        self.set_time(1_000)
        page = await backend.messages.read("r", 0, 100)
        assert page.messages == ()
        assert (page.position.seq, page.position.oldest) == (2, 3)
        assert (await publish(backend.messages, Draft("r", "c"))).seq == 3

    async def test_internal_rooms_have_a_bound_of_their_own(self) -> None:
        """Neither bound of the others holds for them, but one of their own."""
        backend = await self.begin(history_limit=3, history_age=60, audit_age=600)
        for number in range(500):
            await publish(backend.messages, Draft(AUDIT_ROOM, str(number)))
        self.set_time(300)
        await publish(backend.messages, Draft(AUDIT_ROOM, "later"))
        assert len(await self.all(backend, AUDIT_ROOM)) == 501
        self.set_time(800)
        page = await backend.messages.read(AUDIT_ROOM, 0, 100)
        assert [message.message for message in page.messages] == ["later"]
        self.set_time(100_000)
        page = await backend.messages.read(AUDIT_ROOM, 0, 100)
        assert (page.messages, page.position.seq, page.position.oldest) == ((), 501, 502)

    async def test_internal_rooms_for_ever(self) -> None:
        """Without an age of their own they keep everything."""
        backend = await self.begin(history_limit=1, history_age=60)
        for text in ("a", "b"):
            await publish(backend.messages, Draft(AUDIT_ROOM, text))
        self.set_time(1_000_000)
        assert [each.message for each in await self.all(backend, AUDIT_ROOM)] == ["a", "b"]

    async def test_time_does_not_run_backwards(self) -> None:
        """A clock that is set back gives no message an earlier time than the one before."""
        backend = await self.begin()
        self.set_clock(5)
        first = await publish(backend.messages, Draft("r", "a"))
        self.set_clock(0)
        second = await publish(backend.messages, Draft("r", "b"))
        assert second.time >= first.time

    async def test_a_jumping_clock_stamps_no_message(self) -> None:
        """A clock that jumps stamps no message and hides none, unless it holds."""
        backend = await self.begin(history_age=60)
        first = await publish(backend.messages, Draft("r", "a"))
        for ahead in (40 * 86_400, -3_600):
            self.set_clock(ahead)
            assert abs((await publish(backend.messages, Draft("r", "b"))).time - first.time) < 5_000
            assert (await self.all(backend, "r"))[0] == first

    async def test_wrong_clock_at_a_start(self) -> None:
        """A clock that jumps costs no message once it is right again."""
        backend = await self.begin(history_age=60)
        first = await publish(backend.messages, Draft("r", "a"))
        await backend.stop()
        self.set_clock(40 * 86_400)
        backend = await self.begin(history_age=60)
        assert await self.all(backend, "r") == []
        await publish(backend.messages, Draft("other", "b"))
        await backend.stop()
        self.set_clock(0)
        backend = await self.begin(history_age=60)
        assert await self.all(backend, "r") == [first]

    async def test_messages_are_there_after_a_restart(self) -> None:
        """Messages are there after a restart, under the same epoch and numbers."""
        backend = await self.begin()
        for text in ("a", "b"):
            await publish(backend.messages, Draft("r", text))
        before = await backend.messages.read("r", 0, 10)
        await backend.stop()
        backend = await self.begin()
        assert await backend.messages.read("r", 0, 10) == before
        assert (await publish(backend.messages, Draft("r", "c"))).seq == 3

    async def test_stop_stores_what_waits(self) -> None:
        """Messages sent before stopping are stored and answered before it has stopped."""
        backend = await self.begin()
        sent = [publish(backend.messages, Draft("r", str(number))) for number in range(3_000)]
        await backend.stop()
        assert all(deferred.called for deferred in sent)
        assert [message.seq for message in await gatherResults(sent)] == list(range(1, 3_001))

    async def test_a_stopped_backend_takes_nothing(self) -> None:
        """A backend that stops takes nothing any more, and stopping twice is nothing."""
        backend = await self.begin()
        await backend.stop()
        await backend.stop()
        for call in (publish(backend.messages, Draft("r", "x")), backend.messages.read("r", 0, 1)):
            error = await call.addCallbacks(lambda _: None, lambda failure: failure.value)
            assert isinstance(error, ChatError)
            assert error.kind is Kind.UNAVAILABLE

    async def test_many_rooms_at_once(self) -> None:
        """Messages of many rooms that are sent together are each delivered once, in order."""
        backend = await self.begin()
        rooms = [f"room{number}" for number in range(50)]
        await gatherResults([backend.messages.subscribe(room) for room in rooms])
        await gatherResults(
            [publish(backend.messages, Draft(room, str(n))) for n in range(40) for room in rooms]
        )
        for room in rooms:
            assert self.sink.texts(room) == [str(n) for n in range(40)]
        assert set(Counter(room for room, _, _ in self.sink.delivered).values()) == {40}
