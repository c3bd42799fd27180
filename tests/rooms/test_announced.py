"""Acts, cases, and users that come and go, as events for receivers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from twisted.internet.defer import Deferred, succeed

from livechat.events.announcing import Announcer
from livechat.identity.actor import Actor
from livechat.protocol.cluster import Share
from livechat.protocol.events import KINDS, event_of_note, note_of
from livechat.protocol.messages import Draft, Message
from livechat.protocol.names import EVENTS_ROOM
from livechat.rooms.answers import answer_of
from livechat.rooms.presence import RETURN_WITHIN, Presence
from tests.rooms.moderating import acts, manager, moderator, restricts, user
from tests.rooms.reporting import does, held, reports, rules, says
from tests.support import World, guest


class Rooms(World):
    """
    Rooms with a receiver that wants all there is.

    @ivar notes: the events that were written: a history shows the last one only.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.notes: list[Message] = []
        announcer = Announcer(self._publish, KINDS, self.time, self.hub.place)
        self.chat.audit.announcer = announcer
        self.chat.cases.announcer = announcer
        self.chat.presence.announcer = announcer
        write = self.backend.messages.publish

        def publish(draft: Draft, receiver: Any) -> None:
            if draft.room == EVENTS_ROOM:
                self.notes.append(Message(draft.message, len(self.notes) + 1, 1, draft.user))
            write(draft, receiver)

        self.backend.messages.publish = publish  # type: ignore[method-assign]

    def _publish(self, draft: Draft) -> Deferred[Any]:
        return answer_of(self.backend.messages.publish, draft)


@pytest.fixture
def world(tmp_path: Path) -> Rooms:
    return Rooms(tmp_path)


def told(world: Rooms) -> list[Any]:
    """The events that were written, but for those of users that come and go."""
    found = []
    for entry in world.notes:
        note = note_of(entry)
        assert note is not None
        case = world.chat.cases.find(note.case)
        if note.event not in ("joined", "left"):
            found.append(event_of_note(note, entry, case))
    return found


def test_an_act_is_announced_once_answered(world: Rooms) -> None:
    """An act of a moderator is an event once it is answered."""
    someone, boss = user(world), moderator(world)
    restricts(boss, "mute", "42", reason="spam", seconds=60)
    acts(boss, type="pardon", user="42")
    acts(boss, type="room", set={"slow": 5})
    restricted, pardoned, changed = told(world)
    assert restricted.room == "r"
    assert restricted.action.user.name == "User 42"
    assert (restricted.action.reason, restricted.by.user.id) == ("spam", "7")
    assert pardoned.action.kind == "mute"
    assert changed.action.set == {"slow": 5}
    assert someone


def test_an_act_everywhere_is_announced(world: Rooms) -> None:
    restricts(manager(world), "ban", "42", everywhere=True)
    (restricted,) = told(world)
    assert restricted.room == "*"


def test_a_refused_act_is_not_announced(world: Rooms) -> None:
    """A refused act is no event."""
    restricts(user(world), "ban", "7")
    assert told(world) == []


def test_held_and_reviewed(world: Rooms) -> None:
    """A held message is an event with its text, which is nowhere once it is decided."""
    rules(world, hold="all")
    case = held(user(world), "buy this")
    found = told(world)[-1]
    assert (found.case, found.message, found.user.id) == (case, "buy this", "42")
    does(moderator(world), type="review", case=case, verdict="reject")
    (waits, reviewed) = told(world)[-2:]
    assert (waits.case, waits.message, waits.user) == (case, None, None)
    assert (reviewed.action.case, reviewed.action.verdict) == (case, "reject")
    assert not any("buy" in each.message for each in world.notes)


def test_a_report_is_announced_once(world: Rooms) -> None:
    """A report is an event once, however often it is made."""
    author = user(world, "5")
    says(author, "rude")
    reporter = user(world)
    for _ in range(2):
        reports(reporter, reason="look")
    (found,) = told(world)
    assert (found.ref, found.message, found.reason, found.reporter.id) == (1, "rude", "look", "42")


ANN = structs.replace(guest("Ann"), returns=True)


class Scene:
    """Presence of a process, and what it tells receivers."""

    def __init__(self, world: World) -> None:
        self.clock = world.clock
        self.told: list[tuple[str, str]] = []
        scene = self

        class Told(Announcer):
            def came(self, kind: str, room: str, user: Any) -> None:
                scene.told.append((kind, user.name))

        self.presence: Presence = world.chat.presence
        self.presence.announcer = Told(lambda _: succeed(None), KINDS, world.clock)
        # The room is delivered here.
        watcher: Any = object()
        world.hub.watch("r", watcher)

    def has_elsewhere(self, *actors: Actor) -> None:
        users = tuple(each.user for each in actors if each.user is not None)
        self.presence.present("r", [Share(users, len(users), len(users))] if users else [])

    def leaves(self) -> None:
        self.presence.leave("r", ANN)
        self.clock.advance(RETURN_WITHIN)


def test_first_and_last_connections_are_announced(world: Rooms) -> None:
    """A user comes with the first connection, and goes some seconds after the last."""
    scene = Scene(world)
    scene.presence.enter("r", ANN)
    scene.presence.enter("r", ANN)
    assert scene.told == [("joined", "Ann")]
    scene.leaves()
    scene.presence.leave("r", ANN)
    scene.presence.enter("r", ANN)
    assert scene.told == [("joined", "Ann")]
    scene.leaves()
    assert scene.told == [("joined", "Ann"), ("left", "Ann")]


def test_a_user_at_two_processes_is_announced_once(world: Rooms) -> None:
    """A user that is at another process too has neither come nor gone."""
    scene = Scene(world)
    scene.has_elsewhere(ANN)
    scene.presence.enter("r", ANN)
    scene.leaves()
    assert scene.told == []


def test_left_both_at_once(world: Rooms) -> None:
    """A user that leaves two processes at the same moment has gone."""
    scene = Scene(world)
    scene.presence.enter("r", ANN)
    scene.has_elsewhere(ANN)
    scene.leaves()
    scene.has_elsewhere(guest("Bob"))
    assert scene.told == [("joined", "Ann"), ("left", "Ann")]
    scene.has_elsewhere()
    assert len(scene.told) == 2


def test_a_user_that_came_back_has_not_gone(world: Rooms) -> None:
    """A user that has come back meanwhile has not gone."""
    scene = Scene(world)
    scene.has_elsewhere(ANN)
    scene.presence.enter("r", ANN)
    scene.leaves()
    scene.presence.enter("r", ANN)
    scene.has_elsewhere()
    assert scene.told == []
