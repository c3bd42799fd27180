"""`livechat.rooms.sweeping`: what is taken back, in which steps, and what is recorded."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from livechat.backends.retention import Retention
from livechat.errors import ChatError, Kind
from livechat.identity.rights import ALL_RIGHTS, Right
from livechat.interfaces import IReceiver
from livechat.protocol.audit import Action, AuditRecord
from livechat.protocol.encoding import Encoding
from livechat.protocol.messages import MOST_REFS, Draft, Retraction, User
from livechat.protocol.names import AUDIT_ROOM
from livechat.rooms import removal
from livechat.rooms.removal_run import Removed
from livechat.rooms.sweeping import PAGE, SPAN
from tests.rooms.removing import (
    BOB,
    BY,
    EVE,
    Store,
    entries,
    events,
    jobs,
    of,
    records,
    say,
    texts,
    until,
)
from tests.support import ADMIN, SOMEBODY, RecordingClient, World, result, run


class TestBySubject:
    def test_all_messages_of_a_person_go(self, world: World) -> None:
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
    def test_odd_ids_mean_exactly_their_person(self, world: World, known_as: str) -> None:
        """Ids with odd characters mean exactly their person."""
        user = User(known_as, "X")
        say(world, "spam", "spam", user=user)
        say(world, "stays", user=BOB)
        assert until(world, world.chat.removal.by_subject(ADMIN, "r", user.subject)).count == 2
        assert texts(world) == ["stays"]

    def test_older_messages_stay(self, world: World) -> None:
        """Older messages stay, wherever they stand."""
        say(world, *("old" for _ in range(3 * PAGE)))
        world.clock.advance(60)
        say(world, *("new" for _ in range(PAGE + 7)))
        since = world.chat.now() - 30_000
        removed = until(world, world.chat.removal.by_subject(ADMIN, "r", "g:eve", since))
        assert removed.count == PAGE + 7
        assert texts(world) == ["old"] * 3 * PAGE

    def test_a_sweep_looks_at_the_newest_entries(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Messages far back are not looked for, so that the work is bounded."""
        monkeypatch.setattr(removal, "MOST_LOOKED", 250)
        say(world, *(str(number) for number in range(450)))
        assert until(world, world.chat.removal.by_subject(ADMIN, "r", "g:eve")).count == 250
        assert texts(world) == [str(number) for number in range(200)]

    def test_a_step_looks_at_a_bounded_number(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No step looks at more than some entries: the store does nothing else meanwhile."""
        say(world, "spam")
        say(world, *("talk" for _ in range(2 * SPAN)), user=BOB)
        say(world, "spam")
        store = Store(world, monkeypatch)
        store.amends = 2
        assert until(world, world.chat.removal.by_subject(ADMIN, "r", "g:eve")).count == 2
        assert [len(each.refs) for each in events(world)] == [1, 1]

    def test_edited_messages_leave_no_text(self, world: World) -> None:
        """No text of an edited message is left, neither the first nor the last."""
        eve = of(world, EVE)
        say(world, "first")
        result(world.chat.edit(eve, "r", 1, "second"))
        assert until(world, world.chat.removal.by_subject(ADMIN, "r", "g:eve")).count == 1
        assert "first" not in str(list(entries(world)))
        assert "second" not in str(list(entries(world)))
        assert [each.text for each in records(world)] == ["second"]

    def test_expired_messages_are_skipped(self, make_world: Callable[..., World]) -> None:
        """Expired messages are skipped, and the events push out older entries."""
        world = make_world(retention=Retention(300, 0))
        say(world, *(str(number) for number in range(1_000)))
        log = world.backend.messages
        amend = log.amend

        def later(retraction: Retraction, receiver: IReceiver) -> None:
            # Half of what was found is gone before it is retracted.
            log.amend = amend  # type: ignore[method-assign]
            say(world, *("talk" for _ in range(250)), user=BOB)
            amend(retraction, receiver)

        log.amend = later  # type: ignore[method-assign, assignment]
        removed = until(world, world.chat.removal.by_subject(ADMIN, "r", "g:eve"))
        assert removed.count == 50
        assert set(texts(world)) == {"talk"}

    def test_a_sweep_ends_while_its_person_sends(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A sweep ends: what is said after its beginning is left to a second one."""
        say(world, *("spam" for _ in range(300)))
        log = world.backend.messages
        amend = log.amend

        def again(retraction: Retraction, receiver: IReceiver) -> None:
            say(world, "more")
            amend(retraction, receiver)

        monkeypatch.setattr(log, "amend", again)
        assert until(world, world.chat.removal.by_subject(ADMIN, "r", "g:eve")).count == 300
        assert texts(world) == ["more"] * 3


class TestClear:
    def test_clearing_removes_all_said_until_then(self, world: World) -> None:
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

    def test_clearing_an_empty_room_does_nothing(self, world: World) -> None:
        assert until(world, world.chat.removal.clear(ADMIN, "r")).seq is None
        assert (events(world), len(records(world))) == ([], 1)

    @pytest.mark.parametrize("lacks", ["manage"])
    def test_sweeps_need_their_rights(self, world: World, lacks: Right) -> None:
        say(world, "a")
        moderator = of(world, BOB, *(ALL_RIGHTS - {lacks}))
        for actor in (moderator, SOMEBODY):
            with pytest.raises(ChatError) as caught:
                world.chat.removal.clear(actor, "r")
            assert caught.value.kind in {Kind.FORBIDDEN, Kind.UNAUTHORIZED}
        assert texts(world) == ["a"]

    def test_records_of_acts_stay(self, world: World) -> None:
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

    def test_chatting_goes_on_between_steps(self, world: World) -> None:
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


def test_members_are_told_of_a_sweep(world: World) -> None:
    """Clients of livechat.v1 get events only; plain clients get nothing."""

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
