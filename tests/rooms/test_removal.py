"""`livechat.rooms.removal`."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from msgspec.structs import replace
from twisted.internet.defer import Deferred, fail
from twisted.logger import capturedLogs

from livechat.errors import ChatError, Kind
from livechat.events.recording import RETRY_EVERY
from livechat.identity.actor import OPERATOR
from livechat.identity.rights import Right
from livechat.protocol.audit import Action, AuditRecord, Author
from livechat.protocol.messages import Draft, Gone, Retracted
from livechat.rooms.removal import (
    LEASE,
    LOOK_EVERY,
    MOST_CLEARING,
    MOST_RUNNING,
    MOST_WAITING,
    PATIENCE,
    SETTLED,
)
from livechat.rooms.sweeping import PAGE, Job, jobs_map
from tests.rooms.removing import (
    BOB,
    BY,
    EVE,
    Store,
    events,
    goes_on,
    jobs,
    kind,
    of,
    process,
    records,
    say,
    texts,
    until,
)
from tests.support import ADMIN, World, result
from tests.support.outcomes import refusing


class TestOwn:
    def test_an_author_retracts_all_its_own(self, world: World) -> None:
        """An author may retract all of its own messages, without a record."""
        say(world, "a", "b")
        say(world, "c", user=BOB)
        assert until(world, world.chat.removal.by_subject(of(world, EVE), "r", "g:eve")).count == 2
        assert texts(world) == ["c"]
        assert [each.by for each in events(world)] == ["author"]
        assert records(world) == []

    @pytest.mark.parametrize(
        ("subject", "rights"),
        [
            ("u:bob", ("join", "history", "send")),
            ("u:eve", ("join", "history", "send")),
            ("g:eve", ("join", "history")),
            ("u:bob", ("manage",)),
        ],
    )
    def test_removals_need_their_rights(
        self, world: World, subject: str, rights: tuple[Right, ...]
    ) -> None:
        """Others' messages need `moderate`, one's own need `send`."""
        say(world, "a")
        say(world, "b", user=BOB)
        with pytest.raises(ChatError) as caught:
            world.chat.removal.by_subject(of(world, EVE, *rights), "r", subject)
        assert caught.value.kind in {Kind.FORBIDDEN, Kind.UNAUTHORIZED}
        assert (texts(world), jobs(world)) == (["a", "b"], {})

    def test_an_operators_own_messages_keep_no_text(self, world: World) -> None:
        """An operator's own messages are recorded as retracted, without their text."""
        say(world, "mine", user=OPERATOR)
        assert until(world, world.chat.removal.by_subject(ADMIN, "r", OPERATOR.subject)).count == 1
        assert records(world) == [AuditRecord(Action("retract", ref=1, user=OPERATOR), BY, "r")]


class TestUntil:
    def test_messages_until_the_order_are_removed(self, world: World) -> None:
        """Messages sent until then are removed soon after; the answer does not wait for that."""
        say(world, "spam", "spam")
        end = world.chat.now() + 1_000
        done = world.chat.removal.by_subject(ADMIN, "r", "g:eve", until=end)
        assert until(world, done).count == 2
        say(world, "said at another process")
        goes_on(world, 1.1)
        say(world, "said later")
        goes_on(world, SETTLED)
        assert texts(world) == ["said later"]
        assert [each.text for each in records(world)][-1] == "said at another process"
        assert jobs(world) == {}

    def test_until_in_an_empty_room(self, world: World) -> None:
        """An empty room is swept too, since a first message may be on its way."""
        end = world.chat.now() + 1_000
        done = world.chat.removal.by_subject(ADMIN, "r", "g:eve", until=end)
        assert until(world, done).count == 0
        say(world, "spam")
        goes_on(world, 1.1 + SETTLED)
        assert (texts(world), jobs(world)) == ([], {})


class TestInterrupted:
    """The ack does not say that it is done; it goes on by itself."""

    def test_an_absent_store_is_tried_again(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = Store(world, monkeypatch)
        say(world, *("spam" for _ in range(500)))
        world.chat.removal.start()
        store.amends = 2
        done = world.chat.removal.by_subject(ADMIN, "r", "g:eve")
        assert kind(world, done) is Kind.UNKNOWN
        assert len(texts(world)) == 300
        store.amends = None
        goes_on(world, LEASE + 2 * LOOK_EVERY)
        assert texts(world) == []
        assert len(records(world)) == 500
        assert jobs(world) == {}

    def test_store_away_before(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing was begun, and nothing goes on."""
        say(world, "spam")
        away = fail(ChatError(Kind.UNAVAILABLE, "away"))
        monkeypatch.setattr(world.backend.messages, "read", lambda *_: away)
        done = world.chat.removal.by_subject(ADMIN, "r", "g:eve")
        assert kind(world, done) is Kind.UNAVAILABLE
        assert jobs(world) == {}

    def test_an_absent_audit_loses_no_text(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No text is lost: nothing more is removed while too many records wait."""
        store = Store(world, monkeypatch)
        say(world, *(f"spam {number}" for number in range(900)))
        world.chat.removal.start()
        store.records = False
        with capturedLogs():
            done = world.chat.removal.by_subject(ADMIN, "r", "g:eve")
            assert kind(world, done) is Kind.UNKNOWN
            goes_on(world, 4 * (LEASE + LOOK_EVERY))
        assert len(world.chat.audit._recorder._waiting) + len(texts(world)) == 900
        assert len(world.chat.audit._recorder._waiting) <= 300
        store.records = True
        goes_on(world, RETRY_EVERY + 2 * LEASE + LOOK_EVERY)
        assert texts(world) == []
        assert sorted(each.text or "" for each in records(world)) == sorted(
            f"spam {number}" for number in range(900)
        )

    def test_a_full_audit_begins_no_removal(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A full audit lets no removal begin."""
        monkeypatch.setattr("livechat.events.recording.MOST_WAITING", 0)
        say(world, "spam")
        for call in (
            lambda: world.chat.removal.clear(ADMIN, "r"),
            lambda: world.chat.removal.by_subject(ADMIN, "r", "g:eve"),
        ):
            with pytest.raises(ChatError) as caught:
                call()
            assert caught.value.kind is Kind.UNAVAILABLE
        assert (texts(world), jobs(world)) == (["spam"], {})
        assert until(world, world.chat.removal.by_subject(of(world, EVE), "r", "g:eve")).count == 1

    def test_a_bug_is_answered_with_an_error(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A bug is logged and answered with an error."""
        say(world, "spam")
        monkeypatch.setattr(world.backend.messages, "amend", refusing(RuntimeError("bug")))
        with capturedLogs() as logged:
            assert kind(world, world.chat.removal.clear(ADMIN, "r")) is Kind.INTERNAL
        assert any("failed" in str(each.get("log_format")) for each in logged)


class TestTakenOver:
    def test_a_killed_removal_goes_on_elsewhere(self, world: World) -> None:
        """Another process goes on where one was killed, once the lease has run out."""
        say(world, *("spam" for _ in range(700)))
        other = process(world)
        other.start()
        done = world.chat.removal.by_subject(ADMIN, "r", "g:eve")
        world.clock.advance(0.01)
        # The first process does nothing more, and renews no lease.
        world.chat.removal._idle = Deferred()
        goes_on(world, 0.1)
        left = len(texts(world))
        assert 0 < left < 700
        goes_on(world, LEASE - 1)
        assert len(texts(world)) == left
        goes_on(world, 2 * LOOK_EVERY)
        assert (texts(world), jobs(world)) == ([], {})
        assert len(records(world)) == 700
        assert kind(world, done) is Kind.UNKNOWN

    def test_two_at_once(self, world: World) -> None:
        """Two processes see the same job: one takes it."""
        say(world, *("a" for _ in range(300)))
        job = Job("r", BY, moderates=True, below=301, ends=2**40)
        result(jobs_map(world.backend).put("r|*", msgspec.json.encode(job)))
        for each in (process(world), process(world), world.chat.removal):
            each.start()
        goes_on(world, 2)
        assert texts(world) == []
        assert records(world) == [AuditRecord(Action("clear", count=300), BY, "r")]

    def test_a_lost_lease_leaves_the_job(self, world: World) -> None:
        """A process that slept through its lease leaves the job to the one that has it."""
        say(world, *("a" for _ in range(2_000)))
        done = world.chat.removal.clear(ADMIN, "r")
        world.clock.advance(0.01)
        (key,) = jobs(world)
        taken = msgspec.json.encode(replace(jobs(world)[key], lease=world.wall + 3 * LEASE))
        result(jobs_map(world.backend).put(key, taken))
        world.chat.removal._held[key].renewed = 0
        assert kind(world, done) is Kind.UNKNOWN
        left = len(texts(world))
        goes_on(world, 1)
        assert len(texts(world)) == left
        assert jobs_map(world.backend).get(key) == taken

    def test_a_stopped_process_lets_go(self, world: World) -> None:
        """A process that stops lets go at once."""
        say(world, *("a" for _ in range(2_000)))
        orders = [world.chat.removal.clear(ADMIN, "r") for _ in range(2)]
        world.clock.advance(0.01)
        stopped = Deferred.fromCoroutine(world.chat.removal.stop())
        assert kind(world, orders[1]) is Kind.UNAVAILABLE
        assert kind(world, orders[0]) is Kind.UNKNOWN
        until(world, stopped)
        with capturedLogs():
            assert kind(world, world.chat.removal.clear(ADMIN, "r")) is Kind.UNAVAILABLE
        left = len(texts(world))
        assert left
        process(world).start()
        goes_on(world, 2)
        assert (texts(world), jobs(world)) == ([], {})

    def test_a_second_sweep_outlives_its_process(self, world: World) -> None:
        """A job with a second sweep survives the process that began it."""
        say(world, "spam")
        end = world.chat.now() + 5_000
        until(world, world.chat.removal.by_subject(ADMIN, "r", "g:eve", until=end))
        say(world, "more")
        until(world, Deferred.fromCoroutine(world.chat.removal.stop()))
        process(world).start()
        goes_on(world, 1)
        assert texts(world) == ["more"]
        goes_on(world, 5 + SETTLED)
        assert (texts(world), jobs(world)) == ([], {})

    def test_an_unreadable_job_is_left_alone(self, world: World) -> None:
        """A job of another livechat is left to it."""
        result(jobs_map(world.backend).put("r|*", b'{"room":7}'))
        world.chat.removal.start()
        goes_on(world, LOOK_EVERY)
        assert jobs_map(world.backend).get("r|*") == b'{"room":7}'


class TestMany:
    def test_a_repeated_order_waits_for_the_first(self, world: World) -> None:
        """A repeated order waits for the first, then finds nothing; no message is counted twice."""
        say(world, *("spam" for _ in range(150)))
        orders = [world.chat.removal.by_subject(ADMIN, "r", "g:eve") for _ in range(5)]
        assert [until(world, each).count for each in orders] == [150, 0, 0, 0, 0]
        assert len(records(world)) == 150
        assert world.chat.removal._held == {}

    def test_too_many_of_the_same(self, world: World) -> None:
        say(world, *("spam" for _ in range(300)))
        orders = [world.chat.removal.clear(ADMIN, "r") for _ in range(MOST_WAITING + 2)]
        assert kind(world, orders[-1]) is Kind.OVERLOADED
        assert sum(until(world, each).count for each in orders[:-1]) == 300

    def test_one_that_takes_long(self, world: World) -> None:
        """Waiting for a job, one's own or one before it, is bounded."""
        job = Job("r", BY, moderates=True, below=2, lease=world.wall + 2 * PATIENCE, ends=2**40)
        result(jobs_map(world.backend).put("r|*", msgspec.json.encode(job)))
        assert kind(world, world.chat.removal.clear(ADMIN, "r")) is Kind.UNAVAILABLE
        result(jobs_map(world.backend).drop("r|*"))
        assert jobs(world) == {}

    def test_own_takes_long(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        say(world, *("spam" for _ in range(1_000)))
        monkeypatch.setattr("livechat.rooms.sweeping.PAUSE", PATIENCE / 2)
        done = world.chat.removal.clear(ADMIN, "r")
        assert kind(world, done) is Kind.UNKNOWN
        goes_on(world, 5 * PATIENCE)
        assert texts(world) == []

    def test_as_many_jobs_as_may_be_are_done_in_turn(
        self, make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As many as there may be are done, a few at a time; one more is refused."""
        monkeypatch.setattr("livechat.rooms.sweeping.MOST_JOBS", 200)
        monkeypatch.setattr("livechat.rooms.sweeping.PAUSE", 0)
        world = make_world()
        rooms = [f"r{number}" for number in range(200)]
        world.store.write([Draft(room, "stays", BOB) for room in rooms])
        world.store.write([Draft(room, "spam", EVE) for room in rooms[::50]])
        left = jobs_map(world.backend)
        for room in rooms:
            job = Job(room, Author("guest", EVE), subject="g:eve", ends=2**40)
            result(left.put(f"{room}|g:eve", msgspec.json.encode(job)))
        assert kind(world, world.chat.removal.clear(ADMIN, "other")) is Kind.OVERLOADED
        world.chat.removal.start()
        while left.items():
            assert len(world.chat.removal._held) <= MOST_RUNNING
            world.turn()
        assert [texts(world, room) for room in rooms[::50]] == [["stays"]] * 4

    def test_spam_goes_first(self, world: World) -> None:
        """However many rooms are cleared, there is room for what people wait for."""
        for number in range(9):
            say(world, *("a" for _ in range(500)), room=f"r{number}")
        clears = [world.chat.removal.clear(ADMIN, f"r{number}") for number in range(8)]
        sweep = world.chat.removal.by_subject(of(world, EVE), "r8", "g:eve")
        running = [each.job for each in world.chat.removal._running]
        assert sum(not each.subject for each in running) == MOST_CLEARING
        assert until(world, sweep).count == 500
        assert not any(each.called for each in clears[MOST_CLEARING:])
        assert [until(world, each).count for each in clears] == [500] * 8

    def test_leases_of_waiting_jobs(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """A job that waits for its turn is not taken by another process."""
        monkeypatch.setattr("livechat.rooms.sweeping.PAUSE", LEASE / 5)
        removal = world.chat.removal
        removal.start()
        for number in range(MOST_RUNNING + 1):
            say(world, *("a" for _ in range(10 * PAGE)), room=f"r{number}")
            order = removal.by_subject(of(world, EVE), f"r{number}", "g:eve")
            order.addErrback(lambda _: None)
        other = process(world)
        other.start()
        for _ in range(int(4 * LEASE) + 10):
            world.clock.advance(1)
            assert other._held == {}
            assert all(each.lease > world.wall for each in jobs(world).values())
        assert jobs(world) == {}


@pytest.mark.parametrize("subject", [None, EVE.subject])
def test_what_waits_for_receivers(world: World, subject: str | None) -> None:
    """Messages that only receivers outside would be told of lose their words too."""
    backend = world.backend
    backend.messages.retain(lambda _: (1, 0))
    assert backend.outbox is not None
    result(backend.outbox.keep(["a"]))
    say(world, "a", "b", "c")
    removal = world.chat.removal
    done = removal.clear(ADMIN, "r") if subject is None else removal.by_subject(ADMIN, "r", subject)
    for _ in range(5):
        world.clock.advance(0.01)
    result(done)
    waiting = result(backend.outbox.read("a", "r", 9)).entries
    assert [type(each) for each in waiting] == [Gone, Gone, Gone, Retracted]
