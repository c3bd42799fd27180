"""The contract of the pace of rooms, and of rooms that keep less than others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Raw
from twisted.internet.defer import Deferred, gatherResults
from twisted.python.failure import Failure

from livechat.errors import ChatError, Kind
from livechat.protocol.messages import Draft, Edit, Message, Repeated, Throttle, User
from livechat.protocol.names import AUDIT_ROOM
from tests.map_contract import MapContract
from tests.support.outcomes import amend, publish

ANN = User("1", "Ann")


def paced(
    text: str, key: str = "g:1", *, slow: int = 0, rate: int = 0, room: str = "r", **more: Any
) -> Draft:
    return Draft(room, text, throttle=Throttle(key, slow, rate), **more)


async def outcomes(backend: Any, *drafts: Draft) -> list[Message | ChatError]:
    """Send *drafts* in one turn; return the message or the error for each."""
    sent: list[Deferred[Any]] = [publish(backend.messages, draft) for draft in drafts]
    return await gatherResults([each.addErrback(_reason) for each in sent])


def _reason(failure: Failure) -> Any:
    return failure.value


async def outcome(backend: Any, draft: Draft) -> Message | ChatError:
    (found,) = await outcomes(backend, draft)
    return found


def waits(found: Message | ChatError) -> float | None:
    """The seconds that the sender is told to wait; None if its message is stored."""
    if isinstance(found, Message):
        return None
    assert isinstance(found, ChatError), found
    assert found.kind is Kind.SLOW_MODE, found
    return found.retry_after


class PaceContract(MapContract):
    """Tests of one backend, which the class that mixes it in makes."""

    set_clock: Callable[[float], None]

    async def test_slow_mode_spaces_messages_of_a_key(self) -> None:
        """A key sends one message in so many seconds in each room; a refused one counts nothing."""
        backend = await self.begin()
        await backend.messages.subscribe("r")
        assert waits(await outcome(backend, paced("a", slow=10))) is None
        found = await outcome(backend, paced("b", slow=10))
        assert waits(found) == 10
        assert isinstance(found, ChatError)
        assert "10 seconds" in found.detail
        for draft in (paced("c", "g:2", slow=10), paced("d", slow=10, room="x"), Draft("r", "e")):
            assert waits(await outcome(backend, draft)) is None
        self.set_time(9.5)
        found = await outcome(backend, paced("f", slow=10))
        assert waits(found) == 0.5
        assert isinstance(found, ChatError)
        assert "1 second." in found.detail
        self.set_time(10)
        found = await outcome(backend, paced("g", slow=10))
        assert isinstance(found, Message)
        assert found.seq == 4
        assert self.sink.texts("r") == ["a", "c", "e", "g"]

    async def test_slow_made_shorter(self) -> None:
        """The rule that holds now is asked, not that of the message before."""
        backend = await self.begin()
        await outcome(backend, paced("a", slow=3_600))
        self.set_time(9)
        assert waits(await outcome(backend, paced("b", slow=3_600))) == 3_591
        assert waits(await outcome(backend, paced("b", slow=10))) == 1
        self.set_time(10)
        assert waits(await outcome(backend, paced("b", slow=10))) is None

    async def test_slow_in_one_turn(self) -> None:
        """The first of a key is let through, and what has no pace, in the order of the calls."""
        backend = await self.begin()
        await backend.messages.subscribe("r")
        drafts = [
            paced("a", slow=10),
            Draft("r", "b"),
            paced("c", slow=10),
            paced("d", "g:2", slow=10, reply_to=1, data=Raw(b'{"e":1}')),
            paced("e", slow=10),
            paced("f", slow=10, room="x"),
            Draft("r", "g"),
        ]
        found = await outcomes(backend, *drafts)
        assert [waits(each) for each in found] == [None, None, 10, None, 10, None, None]
        seqs = [each.seq for each in found if isinstance(each, Message)]
        assert seqs == [1, 2, 3, 1, 4]
        page = await backend.messages.read("r", 0, 10)
        assert [each.message for each in page.messages] == ["a", "b", "d", "g"]
        assert self.sink.messages("r") == list(page.messages)
        assert (page.messages[2].reply_to, page.messages[2].data) == (1, Raw(b'{"e":1}'))

    async def test_a_repetition_passes_slow_mode(self) -> None:
        """A repetition is answered as before; a refused draft has not used its nonce."""
        backend = await self.begin()
        await outcome(backend, paced("a", slow=10, nonce="n"))
        for drafts in (["n"], ["n", "n"]):
            again = await outcomes(backend, *(paced("a", slow=10, nonce=n) for n in drafts))
            assert all(isinstance(each, Repeated) and each.seq == 1 for each in again)
        other = await outcome(backend, paced("b", slow=10, nonce="n"))
        assert isinstance(other, ChatError)
        assert other.kind is Kind.NONCE_REUSED
        twice = await outcomes(backend, *[paced("c", slow=10, nonce="m")] * 2)
        assert [waits(each) for each in twice] == [10, 10]
        self.set_time(5)
        assert isinstance(await outcome(backend, paced("a", slow=10, nonce="n")), Repeated)
        self.set_time(10)
        first, second = await outcomes(backend, *[paced("c", slow=10, nonce="m")] * 2)
        assert not isinstance(first, Repeated)
        assert isinstance(second, Repeated)
        assert first == Message("c", 2, second.time)

    async def test_slow_over_a_restart(self) -> None:
        """Slow mode survives a restart, and messages that no history has."""
        backend = await self.begin(history_limit=1)
        await outcomes(backend, paced("a", slow=21_600), Draft("r", "b"), Draft("r", "c"))
        await backend.stop()
        self.set_time(21_599)
        backend = await self.begin(history_limit=1)
        assert waits(await outcome(backend, paced("d", slow=21_600))) == 1

    async def test_slow_and_a_clock_that_is_set(self) -> None:
        """A clock that was ahead, or is set back, locks nobody out for longer than the rule."""
        backend = await self.begin()
        for later, ahead in ((0, 86_400), (100, 0), (200, -86_400), (300, 0)):
            await backend.stop()
            self.set_clock(ahead)
            self.set_time(later)
            backend = await self.begin()
            first = waits(await outcome(backend, paced("a", slow=10)))
            assert first is None or 0 < first <= 10
            self.set_time(later + 10)
            assert waits(await outcome(backend, paced("b", slow=10))) in (first and None, 10)
            self.set_time(later + 20)
            assert waits(await outcome(backend, paced("c", slow=10))) in (first and 10, None)

    async def test_keys_of_any_length(self) -> None:
        """Any text is a key, and no two are the same."""
        backend = await self.begin()
        keys = ["x" * 300, "x" * 299, "", " ", "}:s", "g:\ud800", "g:\udfff", "G:1", "g:1", "*"]
        for expected in (None, 10):
            found = await outcomes(backend, *(paced("a", key, slow=10) for key in keys * 2))
            assert [waits(each) for each in found] == [expected] * len(keys) + [10] * len(keys)

    async def test_a_room_takes_its_rate(self) -> None:
        """A room takes so many messages in a second, whoever sends them."""
        backend = await self.begin()
        drafts = [paced(str(n), str(n), rate=1) for n in range(100)]
        for moment in (0, 1, 100):
            self.set_time(moment)
            found = await outcomes(backend, *drafts)
            assert [waits(each) for each in found] == [None] + [1] * 99
        page = await backend.messages.read("r", 0, 10)
        assert [each.seq for each in page.messages] == [1, 2, 3]
        assert waits(await outcome(backend, paced("x", rate=1, room="x"))) is None
        assert waits(await outcome(backend, Draft("r", "x"))) is None

    async def test_a_rate_admits_evenly_after_a_second(self) -> None:
        """A second's worth comes at once, and then one in its time; another rate holds at once."""
        backend = await self.begin()
        for moment, much in ((0, 10), (0.1, 1), (0.55, 4), (0.6, 1), (9, 10)):
            self.set_time(moment)
            found = await outcomes(backend, *[paced("a", rate=10)] * 20)
            assert [waits(each) is None for each in found] == [True] * much + [False] * (20 - much)
            assert waits(found[-1]) == (0.05 if moment == 0.55 else 0.1)
        found = await outcomes(backend, *[paced("a", rate=1_000)] * 2_000)
        assert sum(waits(each) is None for each in found) == 0
        self.set_time(9.5)
        found = await outcomes(backend, *[paced("a", rate=300)] * 2_000)
        assert sum(waits(each) is None for each in found) == 150
        assert waits(await outcome(backend, paced("a", rate=1))) == 1
        self.set_time(10.5)
        assert waits(await outcome(backend, paced("a", rate=1))) is None

    async def test_a_refusal_by_one_rule_spares_the_other(self) -> None:
        """A message that one rule refuses does not count for the other."""
        backend = await self.begin()
        await outcome(backend, paced("a", "g:1", slow=10, rate=1))
        assert waits(await outcome(backend, paced("b", "g:2", slow=10, rate=1))) == 1
        assert waits(await outcome(backend, paced("b", "g:1", slow=10, rate=1))) == 10
        self.set_time(1)
        assert waits(await outcome(backend, paced("c", "g:1", slow=10, rate=1))) == 9
        assert waits(await outcome(backend, paced("d", "g:2", slow=10, rate=1))) is None

    async def test_rate_and_a_clock_that_is_set_back(self) -> None:
        """A clock that is set back locks the room for no longer than a second."""
        backend = await self.begin()
        for ahead in (0, -3_600):
            await backend.stop()
            self.set_clock(ahead)
            backend = await self.begin()
            await outcome(backend, paced("a", rate=1))
        self.set_time(1)
        assert waits(await outcome(backend, paced("a", rate=1))) is None

    async def test_rooms_that_keep_less(self) -> None:
        """A room may keep fewer entries than the server; none keeps more, or another's number."""
        backend = await self.begin(history_limit=5)
        limits = {"r": (3, 0), "more": (7, 0)}
        backend.messages.retain(lambda room: limits.get(room, (0, 0)))
        for room, oldest in (("r", 8), ("more", 6), ("other", 6)):
            for number in range(10):
                await publish(backend.messages, Draft(room, str(number), ANN))
            page = await backend.messages.read(room, 0, 100)
            assert [each.seq for each in page.messages] == list(range(oldest, 11))
            assert page.position.oldest == oldest
        error = await amend(backend.messages, Edit("r", 7, "x", ANN.subject)).addErrback(_reason)
        assert error.kind is Kind.NOT_FOUND
        await amend(backend.messages, Edit("r", 8, "x", ANN.subject))
        assert (await backend.messages.read("r", 0, 0)).position.oldest == 9

    async def test_a_changed_limit_holds_from_the_next_entry(self) -> None:
        """A smaller one holds from the next entry on; with a larger one nothing comes back."""
        backend = await self.begin()
        limits = {"r": (0, 0), "s": (0, 0)}
        backend.messages.retain(lambda room: limits[room])
        for number in range(20):
            await publish(backend.messages, Draft("r", str(number), ANN))
        for limit, oldest in ((5, 17), (1_000, 17), (0, 17), (2, 23), (9, 23)):
            limits["r"] = (limit, 0)
            await publish(backend.messages, Draft("r", "more", ANN))
            page = await backend.messages.read("r", 0, 100)
            assert page.position.oldest == oldest
            assert [each.seq for each in page.messages] == list(
                range(oldest, page.position.seq + 1)
            )
        for number in (22, 23):
            amended = amend(backend.messages, Edit("r", number, "x", ANN.subject))
            found = await amended.addErrback(_reason)
            assert isinstance(found, ChatError) == (number == 22)
        await backend.stop()
        backend = await self.begin()
        assert (await backend.messages.read("r", 0, 0)).position.oldest == 23

    async def test_rooms_that_keep_it_shorter(self) -> None:
        """An age of a room's own hides its entries, unless the server's does before."""
        backend = await self.begin(history_age=100)
        ages = {"r": 60, "longer": 1_000}
        backend.messages.retain(lambda room: (0, ages.get(room, 0)))
        for room in ("r", "longer", "other"):
            await publish(backend.messages, Draft(room, "a", ANN))
        for moment, kept in ((59, [1, 1, 1]), (61, [0, 1, 1]), (101, [0, 0, 0])):
            self.set_time(moment)
            rooms = ("r", "longer", "other")
            pages = [await backend.messages.read(room, 0, 9) for room in rooms]
            assert [len(page.messages) for page in pages] == kept
            assert [page.position.oldest for page in pages] == [2 - each for each in kept]

    async def test_internal_rooms_keep_their_own(self) -> None:
        """No setting is asked for them."""
        backend = await self.begin(history_limit=1)

        def of(room: str) -> tuple[int, int]:
            assert room == "r"
            return 1, 1

        backend.messages.retain(of)
        for _ in range(3):
            for room in ("r", AUDIT_ROOM):
                await publish(backend.messages, Draft(room, "a"))
        self.set_time(9)
        assert len((await backend.messages.read(AUDIT_ROOM, 0, 9)).messages) == 3
        assert (await backend.messages.read("r", 0, 9)).messages == ()
