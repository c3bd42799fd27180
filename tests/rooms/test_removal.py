"""`livechat.rooms.removal` and `livechat.rooms.sweeping`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from twisted.internet.defer import Deferred, fail
from twisted.logger import capturedLogs

from livechat.backends.retention import Retention
from livechat.errors import ChatError, Kind
from livechat.identity.actor import OPERATOR, Actor
from livechat.identity.rights import ALL_RIGHTS, USERS_RIGHTS, Right
from livechat.protocol.audit import Action, AuditRecord, Author, record_of_text
from livechat.protocol.encoding import Encoding
from livechat.protocol.messages import (
    MOST_REFS,
    Draft,
    Entry,
    Message,
    Retracted,
    Retraction,
    User,
)
from livechat.protocol.names import AUDIT_ROOM
from livechat.rooms import removal
from livechat.rooms.audit import RETRY_EVERY
from livechat.rooms.removal import (
    LEASE,
    LOOK_EVERY,
    MOST_CLEARING,
    MOST_RUNNING,
    MOST_WAITING,
    PATIENCE,
    SETTLED,
    Removal,
    Removed,
)
from livechat.rooms.sweeping import MOST_JOBS, PAGE, SPAN, Job, job_of, jobs_map
from tests.support import ADMIN, SOMEBODY, RecordingClient, World, result, run
from tests.support.outcomes import kind as kind_of

BY = Author("operator", OPERATOR)
EVE, BOB = User("eve", "Eve"), User("bob", "Bob", verified=True)


def say(world: World, *texts: str, user: User | None = EVE, room: str = "r") -> None:
    """Store messages, of which no member is told."""
    world.store.write([Draft(room, text, user) for text in texts])


def entries(world: World, room: str = "r") -> Iterator[Entry]:
    after = 0
    while page := result(world.backend.messages.read(room, after, 1_000)).entries:
        yield from page
        after = page[-1].seq


def texts(world: World, room: str = "r") -> list[str]:
    return [each.message for each in entries(world, room) if isinstance(each, Message)]


def events(world: World, room: str = "r") -> list[Retracted]:
    return [each for each in entries(world, room) if isinstance(each, Retracted)]


def records(world: World) -> list[AuditRecord]:
    return [record_of_text(text) for text in texts(world, AUDIT_ROOM)]


def goes_on(world: World, seconds: float = 1.0) -> None:
    for _ in range(int(100 * seconds)):
        world.clock.advance(0.01)


def until(world: World, done: Deferred[Any]) -> Any:
    """What *done* fires with, in a while."""
    for _ in range(100_000):
        if done.called:
            break
        world.clock.advance(0.01)
    return result(done)


def kind(world: World, done: Deferred[Any]) -> Kind:
    """What *done* is refused with, in a while."""
    found = kind_of(done) if done.called else None
    while found is None:
        world.clock.advance(0.01)
        found = kind_of(done) if done.called else None
    return found


def of(world: World, user: User, *rights: Right, address: str = "192.0.2.1") -> Actor:
    """*user*, with these rights, or the usual ones."""
    return replace(world.caller(address, user), grants={"*": frozenset(rights or USERS_RIGHTS)})


def jobs(world: World) -> dict[str, Job]:
    found = {key: job_of(value) for key, value in jobs_map(world.backend).items()}
    return {key: job for key, job in found.items() if job is not None}


def process(world: World) -> Removal:
    """Another process, in the same rooms."""
    chat = world.chat
    return Removal(world.backend, chat._policy, chat.audit, world.time, lambda *_: None)


class Store:
    """The log of a world, which a test stops."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.amends: int | None = None
        self.records = True
        self._amend = world.backend.messages.amend
        self._publish = world.backend.messages.publish
        monkeypatch.setattr(world.backend.messages, "amend", self.amend)
        monkeypatch.setattr(world.backend.messages, "publish", self.publish)

    def amend(self, retraction: Any) -> Deferred[Any]:
        if self.amends is not None:
            if not self.amends:
                return fail(ChatError(Kind.UNAVAILABLE, "away"))
            self.amends -= 1
        return self._amend(retraction)

    def publish(self, draft: Draft) -> Deferred[Any]:
        if draft.room == AUDIT_ROOM and not self.records:
            return fail(ChatError(Kind.UNAVAILABLE, "away"))
        return self._publish(draft)


class TestBySubject:
    def test_all_of_somebody(self, world: World) -> None:
        """Theirs are gone, newest first, by events of at most a hundred; the rest stays."""
        drafts = [
            Draft("r", text, user)
            for number in range(350)
            for text, user in ((f"spam {number}", EVE), (f"talk {number}", BOB))
        ]
        world.store.write(drafts)
        removed = until(world, world.chat.removal.by_subject(ADMIN, "r", "g:eve"))
        assert removed.count == 350
        assert texts(world) == [f"talk {number}" for number in range(350)]
        told = events(world)
        assert (removed.seq, removed.time) == (told[-1].seq, told[-1].time)
        assert {each.by for each in told} == {"moderator"}
        assert max(len(each.refs) for each in told) <= MOST_REFS
        assert [each.refs[-1] for each in told] == sorted(
            (each.refs[-1] for each in told), reverse=True
        )
        assert sorted(record.text or "" for record in records(world)) == sorted(
            f"spam {number}" for number in range(350)
        )
        assert {(each.by, each.room, each.action.user) for each in records(world)} == {
            (BY, "r", EVE)
        }
        assert jobs(world) == {}

    def test_what_is_not_theirs(self, world: World) -> None:
        """A name, an id of the other kind, and nobody's messages are others'."""
        for user in (User("eve", "Eve", verified=True), User("eva", "Eve"), None, BOB):
            say(world, "stays", user=user)
        removed = until(world, world.chat.removal.by_subject(ADMIN, "r", "g:eve"))
        assert removed == Removed(0, None, world.chat.now())
        assert texts(world) == ["stays"] * 4
        assert (events(world), records(world), jobs(world)) == ([], [], {})

    @pytest.mark.parametrize("known_as", ["a|b", "*", "|", "r|*", "\U0001f600" * 16, "\u202e%s{}"])
    def test_odd_ids(self, world: World, known_as: str) -> None:
        """Whatever is in an id, it is that person who is meant."""
        user = User(known_as, "X")
        say(world, "spam", "spam", user=user)
        say(world, "stays", user=BOB)
        assert until(world, world.chat.removal.by_subject(ADMIN, "r", user.subject)).count == 2
        assert texts(world) == ["stays"]

    def test_since(self, world: World) -> None:
        """What is older stays, wherever it stands."""
        say(world, *("old" for _ in range(3 * PAGE)))
        world.clock.advance(60)
        say(world, *("new" for _ in range(PAGE + 7)))
        since = world.chat.now() - 30_000
        removed = until(world, world.chat.removal.by_subject(ADMIN, "r", "g:eve", since))
        assert removed.count == PAGE + 7
        assert texts(world) == ["old"] * 3 * PAGE

    def test_the_newest_entries(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """What somebody said long before is not looked for: the work is bounded."""
        monkeypatch.setattr(removal, "MOST_LOOKED", 500)
        say(world, *(str(number) for number in range(700)))
        assert until(world, world.chat.removal.by_subject(ADMIN, "r", "g:eve")).count == 500
        assert texts(world) == [str(number) for number in range(200)]

    def test_rare_messages(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """No step looks at more than some entries: the store does nothing else meanwhile."""
        say(world, "spam")
        say(world, *("talk" for _ in range(2 * SPAN)), user=BOB)
        say(world, "spam")
        store = Store(world, monkeypatch)
        store.amends = 2
        assert until(world, world.chat.removal.by_subject(ADMIN, "r", "g:eve")).count == 2
        assert [len(each.refs) for each in events(world)] == [1, 1]

    def test_their_edits(self, world: World) -> None:
        """No text of an edited message is left, neither the first nor the last."""
        eve = of(world, EVE)
        say(world, "first")
        result(world.chat.edit(eve, "r", 1, "second"))
        assert until(world, world.chat.removal.by_subject(ADMIN, "r", "g:eve")).count == 1
        assert "first" not in str(list(entries(world)))
        assert "second" not in str(list(entries(world)))
        assert [each.text for each in records(world)] == ["second"]

    def test_expired_meanwhile(self, make_world: Callable[..., World]) -> None:
        """What is kept no more is passed over, and the events push out what was kept."""
        world = make_world(retention=Retention(300, 0))
        say(world, *(str(number) for number in range(1_000)))
        log = world.backend.messages
        amend = log.amend

        def later(retraction: Retraction) -> Deferred[Any]:
            # Half of what was found is gone before it is retracted.
            log.amend = amend  # type: ignore[method-assign]
            say(world, *("talk" for _ in range(250)), user=BOB)
            return amend(retraction)

        log.amend = later  # type: ignore[method-assign, assignment]
        removed = until(world, world.chat.removal.by_subject(ADMIN, "r", "g:eve"))
        assert removed.count == 50
        assert set(texts(world)) == {"talk"}

    def test_goes_on_sending(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """A sweep ends: what is said after its beginning is left to a second one."""
        say(world, *("spam" for _ in range(300)))
        log = world.backend.messages
        amend = log.amend

        def again(retraction: Retraction) -> Deferred[Any]:
            say(world, "more")
            return amend(retraction)

        monkeypatch.setattr(log, "amend", again)
        assert until(world, world.chat.removal.by_subject(ADMIN, "r", "g:eve")).count == 300
        assert texts(world) == ["more"] * 3

    def test_until(self, world: World) -> None:
        """What is said until then goes too, soon after it; the answer does not wait for it."""
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


class TestOwn:
    def test_own(self, world: World) -> None:
        """One may take back all one said oneself; it is recorded nowhere."""
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
    def test_refused(self, world: World, subject: str, rights: tuple[Right, ...]) -> None:
        """Of others without `moderate`, own ones without `send`."""
        say(world, "a")
        say(world, "b", user=BOB)
        with pytest.raises(ChatError) as caught:
            world.chat.removal.by_subject(of(world, EVE, *rights), "r", subject)
        assert caught.value.kind in {Kind.FORBIDDEN, Kind.UNAUTHORIZED}
        assert (texts(world), jobs(world)) == (["a", "b"], {})

    def test_an_operators_own(self, world: World) -> None:
        """Of these the audit says that they were taken back, and not what they were."""
        say(world, "mine", user=OPERATOR)
        assert until(world, world.chat.removal.by_subject(ADMIN, "r", OPERATOR.subject)).count == 1
        assert records(world) == [AuditRecord(Action("retract", ref=1, user=OPERATOR), BY, "r")]


class TestClear:
    def test_clear(self, world: World) -> None:
        """All that was said until then is gone; the audit says how many, without texts."""
        say(world, *("a" for _ in range(450)))
        say(world, "b", user=None)
        done = world.chat.removal.clear(ADMIN, "r")
        say(world, "said meanwhile")
        removed = until(world, done)
        assert removed.count == 451
        assert texts(world) == ["said meanwhile"]
        assert records(world) == [AuditRecord(Action("clear", count=451), BY, "r")]
        assert jobs(world) == {}

    def test_an_empty_room(self, world: World) -> None:
        assert until(world, world.chat.removal.clear(ADMIN, "r")).seq is None
        assert (events(world), len(records(world))) == ([], 1)

    @pytest.mark.parametrize("lacks", ["manage"])
    def test_refused(self, world: World, lacks: Right) -> None:
        say(world, "a")
        moderator = of(world, BOB, *(ALL_RIGHTS - {lacks}))
        for actor in (moderator, SOMEBODY):
            with pytest.raises(ChatError) as caught:
                world.chat.removal.clear(actor, "r")
            assert caught.value.kind in {Kind.FORBIDDEN, Kind.UNAUTHORIZED}
        assert texts(world) == ["a"]

    def test_internal_rooms(self, world: World) -> None:
        """The records of acts stay, whoever asks."""
        run(world.chat.audit.record(ADMIN, Action("sign_in")))
        for call in (
            lambda: world.chat.removal.clear(ADMIN, AUDIT_ROOM),
            lambda: world.chat.removal.by_subject(ADMIN, AUDIT_ROOM, "g:eve"),
            lambda: world.chat.removal.by_subject(SOMEBODY, AUDIT_ROOM, "g:eve"),
        ):
            with pytest.raises(ChatError) as caught:
                call()
            assert caught.value.kind is Kind.FORBIDDEN
        assert len(records(world)) == 1

    def test_chatting_goes_on(self, world: World) -> None:
        """Between any two steps there is time for others."""
        say(world, *("a" for _ in range(1_000)))
        done = world.chat.removal.clear(ADMIN, "r")
        pauses = 0
        while not done.called:
            before = len(events(world))
            world.clock.advance(0.01)
            assert len(events(world)) - before <= PAGE // MOST_REFS
            pauses += 1
        assert pauses >= 1_000 // PAGE


def test_members(world: World) -> None:
    """Those that know numbers hear of events only; plain ones of nothing."""

    class Reader(RecordingClient):
        encoding = Encoding.V1

    reader, plain = Reader(), RecordingClient()
    say(world, *("a" for _ in range(150)))
    for member in (reader, plain):
        run(world.chat.join(of(world, BOB), "r", member))
    reader.frames(), plain.frames()
    until(world, world.chat.removal.clear(ADMIN, "r"))
    world.hub.flush()
    heard = [msgspec.json.decode(frame) for frame in reader.frames()]
    numbered = [each for each in heard if "seq" in each]
    assert [(each["event"], len(each["refs"])) for each in numbered] == [
        ("retracted", 100), ("retracted", 50),
    ]  # fmt: skip
    assert plain.frames() == []


class TestInterrupted:
    """The ack does not say that it is done; it goes on by itself."""

    def test_store_away(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
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

    def test_audit_away(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """No text is lost: nothing more is removed while too many records wait."""
        store = Store(world, monkeypatch)
        say(world, *(f"spam {number}" for number in range(900)))
        world.chat.removal.start()
        store.records = False
        with capturedLogs():
            done = world.chat.removal.by_subject(ADMIN, "r", "g:eve")
            assert kind(world, done) is Kind.UNKNOWN
            goes_on(world, 4 * (LEASE + LOOK_EVERY))
        assert len(world.chat.audit._waiting) + len(texts(world)) == 900
        assert len(world.chat.audit._waiting) <= 300
        store.records = True
        goes_on(world, RETRY_EVERY + 2 * LEASE + LOOK_EVERY)
        assert texts(world) == []
        assert sorted(each.text or "" for each in records(world)) == sorted(
            f"spam {number}" for number in range(900)
        )

    def test_audit_full(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """Then nothing is begun."""
        monkeypatch.setattr("livechat.rooms.audit.MOST_WAITING", 0)
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

    def test_a_bug(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is in the log, and answered."""
        say(world, "spam")
        monkeypatch.setattr(world.backend.messages, "amend", lambda _: fail(RuntimeError("bug")))
        with capturedLogs() as logged:
            assert kind(world, world.chat.removal.clear(ADMIN, "r")) is Kind.INTERNAL
        assert any("failed" in str(each.get("log_format")) for each in logged)


class TestTakenOver:
    def test_killed(self, world: World) -> None:
        """Another process goes on where one was killed, once the lease has run out."""
        say(world, *("spam" for _ in range(700)))
        other = process(world)
        other.start()
        done = world.chat.removal.by_subject(ADMIN, "r", "g:eve")
        world.clock.advance(0.01)
        # It does nothing more, and renews nothing.
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
        """Of two that see it, one takes it."""
        say(world, *("a" for _ in range(300)))
        job = Job("r", BY, moderates=True, below=301, ends=2**40)
        result(jobs_map(world.backend).put("r|*", msgspec.json.encode(job)))
        for each in (process(world), process(world), world.chat.removal):
            each.start()
        goes_on(world, 2)
        assert texts(world) == []
        assert records(world) == [AuditRecord(Action("clear", count=300), BY, "r")]

    def test_lost_to_another(self, world: World) -> None:
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

    def test_stopped(self, world: World) -> None:
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

    def test_second_sweep(self, world: World) -> None:
        """It is not forgotten, by whichever process."""
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

    def test_unreadable(self, world: World) -> None:
        """A job of another livechat is left to it."""
        result(jobs_map(world.backend).put("r|*", b'{"room":7}'))
        world.chat.removal.start()
        goes_on(world, LOOK_EVERY)
        assert jobs_map(world.backend).get("r|*") == b'{"room":7}'


class TestMany:
    def test_the_same_again(self, world: World) -> None:
        """It waits for the first, then finds nothing: no message is counted twice."""
        say(world, *("spam" for _ in range(300)))
        orders = [world.chat.removal.by_subject(ADMIN, "r", "g:eve") for _ in range(5)]
        assert [until(world, each).count for each in orders] == [300, 0, 0, 0, 0]
        assert len(records(world)) == 300
        assert world.chat.removal._held == {}

    def test_too_many_of_the_same(self, world: World) -> None:
        say(world, *("spam" for _ in range(300)))
        orders = [world.chat.removal.clear(ADMIN, "r") for _ in range(MOST_WAITING + 2)]
        assert kind(world, orders[-1]) is Kind.OVERLOADED
        assert sum(until(world, each).count for each in orders[:-1]) == 300

    def test_one_that_takes_long(self, world: World) -> None:
        """Nobody waits for ever: neither for the own job nor for one before it."""
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

    def test_jobs(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """A thousand are done, a few at a time; one more is refused."""
        monkeypatch.setattr("livechat.rooms.sweeping.PAUSE", 0)
        for number in range(0, MOST_JOBS, 50):
            say(world, "spam", room=f"r{number}")
        world.chat.removal.start()
        orders = [
            world.chat.removal.by_subject(ADMIN, f"r{number}", "g:eve")
            for number in range(MOST_JOBS + MOST_RUNNING)
        ]
        more = world.chat.removal.clear(ADMIN, "other")
        assert kind(world, more) is Kind.OVERLOADED
        assert len(world.chat.removal._running) == MOST_RUNNING
        removed = [until(world, each).count for each in orders[:MOST_JOBS]]
        assert sum(removed) == MOST_JOBS // 50
        assert jobs(world) == {}

    def test_spam_goes_first(self, world: World) -> None:
        """However many rooms are cleared, there is room for what people wait for."""
        for number in range(9):
            say(world, *("a" for _ in range(3_000)), room=f"r{number}")
        clears = [world.chat.removal.clear(ADMIN, f"r{number}") for number in range(8)]
        sweep = world.chat.removal.by_subject(ADMIN, "r8", "g:eve")
        running = [each.job for each in world.chat.removal._running]
        assert sum(not each.subject for each in running) == MOST_CLEARING
        assert until(world, sweep).count == 3_000
        assert not any(each.called for each in clears[MOST_CLEARING:])
        assert [until(world, each).count for each in clears] == [3_000] * 8

    def test_leases_of_waiting_jobs(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """A job that waits for its turn is not taken by another process."""
        monkeypatch.setattr("livechat.rooms.sweeping.PAUSE", 0.5)
        for number in range(MOST_RUNNING + 1):
            say(world, *("a" for _ in range(10_000)), room=f"r{number}")
        removal = world.chat.removal
        removal.start()
        for number in range(MOST_RUNNING + 1):
            removal.by_subject(ADMIN, f"r{number}", "g:eve").addErrback(lambda _: None)
        other = process(world)
        other.start()
        for _ in range(40):
            goes_on(world, 1)
            assert other._held == {}
            assert all(each.lease > world.wall for each in jobs(world).values())
        assert jobs(world) == {}
