"""`livechat.rooms.presence`: what other processes say, and what they are told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from livechat.identity.actor import Actor
from livechat.interfaces import IPresenceSink
from livechat.net.fast import write_all
from livechat.protocol.cluster import Share
from livechat.protocol.encoding import Encoding
from livechat.protocol.messages import User
from livechat.rooms.hub import Hub
from livechat.rooms.presence import LARGE_ROOM, MOST_AWAY, PUBLISH_EVERY, RETURN_WITHIN, Presence
from livechat.system.time import Time
from tests.support import RecordingClient, guest


def regular(name: str) -> Actor:
    """A member with a key."""
    return structs.replace(guest(name), returns=True)


ANN, BOB = regular("Ann"), regular("Bob")


class Elsewhere:
    """The backend, as far as other processes go."""

    def __init__(self) -> None:
        self.shares: list[tuple[str, Share]] = []
        self.typed: list[tuple[str, str]] = []
        self.names: list[tuple[str, str, int]] = []

    def share(self, room: str, share: Share) -> None:
        self.shares.append((room, share))

    def typing(self, room: str, user: User) -> None:
        self.typed.append((room, user.name))

    def renamed(self, room: str, user: User, when: int) -> None:
        self.names.append((room, user.name, when))


class Scene:
    """A process with a member that watches the room `r`."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.hub = Hub(Time(self.clock), write_all)
        self.elsewhere = Elsewhere()
        backend: Any = self.elsewhere
        self.presence = Presence(self.clock, self.hub, backend)
        self.watcher = RecordingClient()
        self.watcher.encoding = Encoding.V1
        self.hub.join("r", self.watcher)

    def heard(self) -> list[tuple[str, str]]:
        """Frames that the watcher heard: their types, and the users' names."""
        self.hub.flush()
        frames = [json.loads(frame) for frame in self.watcher.frames()]
        return [(frame["type"], frame.get("user", {}).get("name", "")) for frame in frames]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def user(actor: Actor) -> User:
    assert actor.user is not None
    return actor.user


def share(*actors: Actor) -> Share:
    return Share(tuple(map(user, actors)), len(actors), len(actors))


def test_is_told_of_others(scene: Scene) -> None:
    """Presence is the sink for backends' news of other processes."""
    assert verifyObject(IPresenceSink, scene.presence)


def test_users_of_other_processes(scene: Scene) -> None:
    """Users of other processes join and leave like those of this one."""
    scene.presence.present("r", [share(ANN), share(BOB)])
    assert sorted(scene.heard()) == [("joined", "Ann"), ("joined", "Bob")]
    now = scene.presence.who("r")
    assert (now.users, now.connections) == (2, 2)
    scene.presence.present("r", [share(BOB)])
    assert scene.heard() == [("left", "Ann")]
    scene.presence.present("r", [])
    assert scene.heard() == [("left", "Bob")]
    assert scene.presence._rooms == {}


def test_one_user_at_two_processes(scene: Scene) -> None:
    """A user at two processes is one user, present until gone from both."""
    scene.presence.enter("r", ANN)
    assert scene.heard() == [("joined", "Ann")]
    scene.presence.present("r", [share(ANN)])
    now = scene.presence.who("r")
    assert (now.users, now.connections) == (1, 2)
    scene.presence.leave("r", ANN)
    scene.clock.advance(RETURN_WITHIN)
    assert scene.heard() == []
    scene.presence.enter("r", ANN)
    scene.presence.present("r", [])
    assert scene.heard() == []
    scene.presence.leave("r", ANN)
    scene.clock.advance(RETURN_WITHIN)
    assert scene.heard() == [("left", "Ann")]


def test_what_others_are_told(scene: Scene) -> None:
    """Other processes get a share once a second, also when the last user leaves."""
    scene.presence.enter("r", ANN)
    scene.presence.enter("r", BOB)
    assert scene.elsewhere.shares == []
    scene.clock.advance(PUBLISH_EVERY)
    assert scene.elsewhere.shares.pop() == ("r", share(ANN, BOB))
    scene.presence.leave("r", ANN)
    scene.clock.advance(PUBLISH_EVERY)
    # A user who may return is still present, without a connection.
    assert scene.elsewhere.shares.pop() == ("r", Share((user(ANN), user(BOB)), 2, 1))
    scene.presence.leave("r", BOB)
    scene.clock.advance(RETURN_WITHIN - PUBLISH_EVERY)
    scene.clock.advance(PUBLISH_EVERY)
    scene.clock.advance(PUBLISH_EVERY)
    assert scene.elsewhere.shares.pop() == ("r", Share())
    assert scene.presence._rooms == {}
    assert not scene.clock.getDelayedCalls()


def test_very_many_users_are_numbers(scene: Scene) -> None:
    """A share of very many names nobody, and numbers are told instead of names."""
    for _ in range(LARGE_ROOM + 1):
        scene.presence.enter("r", guest("Ann"))
    scene.heard()
    scene.clock.advance(PUBLISH_EVERY)
    assert scene.elsewhere.shares.pop() == ("r", Share((), LARGE_ROOM + 1, LARGE_ROOM + 1))
    assert scene.heard() == [("presence", "")]
    scene.presence.present("r", [Share((), 500, 600)])
    scene.clock.advance(PUBLISH_EVERY)
    now = scene.presence.who("r")
    assert (now.users, now.connections) == (LARGE_ROOM + 501, LARGE_ROOM + 601)
    assert scene.heard() == [("presence", "")]


def test_very_many_elsewhere(scene: Scene) -> None:
    """The room is large, wherever they are."""
    scene.presence.enter("r", ANN)
    scene.heard()
    scene.presence.present("r", [Share((), LARGE_ROOM, LARGE_ROOM)])
    scene.presence.enter("r", BOB)
    scene.presence.typing("r", user(BOB))
    scene.clock.advance(PUBLISH_EVERY)
    assert scene.heard() == [("presence", "")]


def test_shares_of_empty_rooms_are_dropped(scene: Scene) -> None:
    """Shares of a room without local members are not kept."""
    scene.presence.present("other", [share(ANN)])
    assert scene.presence._rooms == {}


def test_typing_elsewhere_is_told_here_only(scene: Scene) -> None:
    """Typing is told here and elsewhere; typing elsewhere is told here only."""
    scene.presence.enter("r", ANN)
    scene.heard()
    assert scene.presence.types("r", ANN)
    assert not scene.presence.types("r", ANN)
    scene.presence.typing("r", user(BOB))
    assert scene.heard() == [("typing", "Ann"), ("typing", "Bob")]
    assert scene.elsewhere.typed == [("r", "Ann")]


def test_a_name_from_elsewhere(scene: Scene) -> None:
    """A guest at two processes has the newest name, in whatever order they hear of names."""
    scene.presence.enter("r", ANN)
    followed: list[tuple[str, str, bool]] = []
    scene.presence.follow = lambda room, user, told: followed.append((room, user.name, told))
    scene.heard()
    scene.presence.rename("r", structs.replace(user(ANN), name="Bea"), 20)
    scene.presence.renamed("r", structs.replace(user(ANN), name="Ada"), 10)
    assert scene.heard() == [("renamed", "Bea")]
    scene.presence.renamed("r", structs.replace(user(ANN), name="Cat"), 30)
    # Clocks differ: this one is behind, and the name is the newest all the same.
    scene.presence.rename("r", structs.replace(user(ANN), name="Dot"), 20)
    assert scene.heard() == [("renamed", "Cat"), ("renamed", "Dot")]
    assert scene.elsewhere.names == [("r", "Bea", 20), ("r", "Dot", 31)]
    assert followed == [("r", "Bea", True), ("r", "Cat", True), ("r", "Dot", True)]
    assert user(scene.presence.known("r", ANN)).name == "Dot"
    scene.clock.advance(PUBLISH_EVERY)
    assert [each.name for each in scene.elsewhere.shares[-1][1].users] == ["Dot"]


def test_a_name_at_two_other_processes(scene: Scene) -> None:
    """The members are told once of a user who is not here, by the shares of other processes."""
    scene.presence.present("r", [share(BOB), share(BOB)])
    scene.heard()
    rob = structs.replace(BOB, user=structs.replace(user(BOB), name="Rob"))
    scene.presence.renamed("r", user(rob), 10)
    scene.presence.present("r", [share(BOB), share(rob)])
    scene.presence.present("r", [share(rob), share(rob)])
    scene.presence.renamed("other", user(rob), 10)
    assert scene.heard() == [("renamed", "Rob")]


def test_a_large_room_becomes_small(scene: Scene) -> None:
    """The last numbers are told, and nobody is said to have joined who was there."""
    scene.presence.enter("r", ANN)
    scene.heard()
    scene.presence.present("r", [Share((), LARGE_ROOM, LARGE_ROOM)])
    scene.clock.advance(PUBLISH_EVERY)
    assert scene.heard() == [("presence", "")]
    # An unchanged share is not told again.
    scene.presence.present("r", [Share((), LARGE_ROOM, LARGE_ROOM)])
    scene.clock.advance(PUBLISH_EVERY)
    assert scene.heard() == []
    scene.presence.present("r", [share(BOB)])
    scene.clock.advance(PUBLISH_EVERY)
    assert scene.heard() == [("presence", "")]
    scene.presence.present("r", [])
    scene.clock.advance(PUBLISH_EVERY)
    assert scene.heard() == [("left", "Bob")]


def test_many_who_are_away(scene: Scene) -> None:
    """Users who come and go do not make a room with few members a large one."""
    for number in range(3 * LARGE_ROOM):
        actor = regular(str(number))
        scene.presence.enter("r", actor)
        scene.presence.leave("r", actor)
    scene.heard()
    assert scene.presence.who("r").users == MOST_AWAY
    scene.presence.enter("r", BOB)
    assert scene.heard() == [("joined", "Bob")]
    scene.clock.advance(RETURN_WITHIN)
    assert scene.presence.who("r").users == 1
