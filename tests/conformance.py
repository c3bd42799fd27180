"""
``livechat.v1`` as a table: frames in, frames out, on whatever backend and over processes.

A scene is a list of steps.  `hears` names all frames of some types that somebody has had since
the last time, in order; of each only what matters.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from livechat.identity.door import Claim
from livechat.limits.rates import Rate
from livechat.limits.source import Source
from livechat.members.base import JoinRequest
from livechat.members.session import Session
from livechat.protocol.encoding import Encoding
from livechat.protocol.messages import Place
from livechat.rooms.chat import Chat
from tests.support import RecordingClient, make_door

#: Stands for the room's epoch.
EPOCH = "<epoch>"
KEY = "k" * 16
ANN, BOB = {"name": "Ann"}, {"name": "Bob"}

_rooms = count()


class Step(NamedTuple):
    """A step: *who* does *what*."""

    does: str
    who: str
    what: Any = None


def comes(who: str, **visit: Any) -> Step:
    """Connect, with what is in the address."""
    return Step("comes", who, visit)


def goes(who: str) -> Step:
    """Disconnect."""
    return Step("goes", who)


def says(who: str, **frame: Any) -> Step:
    """Send a frame."""
    return Step("says", who, frame)


def hears(who: str, *frames: dict[str, Any]) -> Step:
    """Have had these, and no others of their types."""
    return Step("hears", who, frames)


def message(text: str, seq: int, **more: Any) -> dict[str, Any]:
    return {"type": "message", "message": text, "seq": seq, **more}


def ack(seq: int, **more: Any) -> dict[str, Any]:
    return {"type": "ack", "seq": seq, **more}


def refused(code: str) -> dict[str, Any]:
    return {"type": "error", "error": {"code": code}}


def resumed(**more: Any) -> dict[str, Any]:
    return {"type": "resumed", **more}


_THREE = (
    comes("ann", name="Ann", key=KEY),
    says("ann", message="1", nonce="1"),
    says("ann", message="2", nonce="2"),
    says("ann", message="3", nonce="3"),
    hears("ann", message("1", 1), message("2", 2), message("3", 3)),
)

#: Names in the first half of the alphabet are at one process, the others at another.
SCENES: dict[str, tuple[Step, ...]] = {
    "a message": (
        comes("ann", name="Ann"),
        comes("tom", name="Tom"),
        says("ann", message="hi", nonce="n"),
        hears("ann", ack(1, nonce="n")),
        hears("ann", message("hi", 1, user=ANN)),
        hears("tom", message("hi", 1, user=ANN)),
        says("tom", type="message", message="there"),
        hears("ann", message("there", 2, user={"name": "Tom"})),
    ),
    "a nonce is used again": (
        comes("ann", key=KEY),
        comes("tom", key=KEY),
        says("ann", message="hi", nonce="n"),
        hears("ann", ack(1)),
        hears("tom", message("hi", 1)),
        says("tom", message="hi", nonce="n"),
        hears("tom", ack(1, nonce="n", duplicate=True)),
        says("tom", message="other", nonce="n"),
        hears("tom", refused("nonce_reused")),
        says("tom", message="next", nonce="m"),
        hears("ann", message("hi", 1), message("next", 2)),
    ),
    "a nonce of somebody else": (
        comes("ann", key=KEY),
        comes("tom", key=KEY + "x"),
        says("ann", message="hi", nonce="n"),
        hears("ann", ack(1)),
        says("tom", message="hi", nonce="n"),
        hears("tom", ack(2, nonce="n")),
    ),
    "nothing was missed": (
        *_THREE,
        comes("tom", since=(EPOCH, 3)),
        hears("tom", resumed(complete=True, **{"from": 4}, to=3)),
    ),
    "some was missed": (
        *_THREE,
        comes("tom", since=(EPOCH, 1)),
        hears("tom", resumed(complete=True, **{"from": 2}, to=3)),
        hears("tom", message("2", 2), message("3", 3)),
        says("ann", message="4"),
        hears("tom", message("4", 4)),
    ),
    "another epoch": (
        *_THREE,
        comes("tom", since=("other", 2)),
        hears("tom", resumed(complete=False, reason="epoch", epoch=EPOCH, to=3)),
        hears("tom", message("1", 1), message("2", 2), message("3", 3)),
    ),
    "more than there is": (
        *_THREE,
        comes("tom", since=(EPOCH, 4)),
        hears("tom", resumed(complete=False, reason="epoch", epoch=EPOCH, to=3)),
    ),
    "resumed by a frame": (
        *_THREE,
        says("ann", type="resume", epoch=EPOCH, seq=2),
        hears("ann", resumed(complete=True, **{"from": 3}, to=3)),
        hears("ann", message("3", 3)),
        says("ann", message="4"),
        hears("ann", message("4", 4)),
    ),
    "a page": (
        *_THREE,
        comes("tom"),
        says("tom", type="history", limit=2),
        hears("tom", {"type": "history", "first": 2, "last": 3, "more": True}),
        says("tom", type="history", after=1, limit=1),
        hears("tom", {"type": "history", "first": 2, "last": 2, "more": True}),
        says("tom", type="history", before=2),
        hears("tom", {"type": "history", "first": 1, "last": 1, "more": False}),
    ),
    "who is here": (
        comes("ann", name="Ann"),
        comes("tom", name="Tom"),
        hears("ann", {"type": "joined", "user": {"name": "Tom"}}),
        says("ann", type="presence"),
        hears("ann", {"type": "presence", "users": 2, "connections": 2}),
        goes("tom"),
        hears("ann", {"type": "left", "user": {"name": "Tom"}}),
    ),
    "one user at two processes": (
        comes("bob", name="Bob"),
        comes("ann", name="Ann", key=KEY),
        hears("bob", {"type": "joined", "user": ANN}),
        comes("tom", name="Ann", key=KEY),
        comes("zoe", name="Zoe"),
        hears("bob", {"type": "joined", "user": {"name": "Zoe"}}),
        goes("ann"),
        says("bob", type="presence"),
        hears("bob", {"type": "presence", "users": 3}),
        goes("zoe"),
        # Ann has not: that would have been first.
        hears("bob", {"type": "left", "user": {"name": "Zoe"}}),
    ),
    "another name": (
        comes("zoe", name="Zoe"),
        comes("ann", name="Ann", key=KEY),
        comes("tom", name="Ann", key=KEY),
        hears("zoe", {"type": "joined", "user": ANN}),
        comes("bob", name="Bob"),
        hears("zoe", {"type": "joined", "user": BOB}),
        says("ann", type="rename", name="Amy", nonce="n"),
        hears("ann", {"type": "ack", "nonce": "n", "name": "Amy"}),
        # Each process with a connection of the user is told.
        hears("bob", {"type": "renamed", "user": {"name": "Amy"}}),
        hears("zoe", {"type": "renamed", "user": {"name": "Amy"}}),
        hears("tom", {"type": "renamed", "user": {"name": "Amy"}}),
        says("tom", message="hi"),
        hears("bob", message("hi", 1, user={"name": "Amy"})),
        says("zoe", type="presence"),
        hears("zoe", {"type": "presence", "users": 3}),
    ),
    "another name elsewhere": (
        comes("zoe", name="Zoe"),
        comes("ann", name="Ann"),
        hears("zoe", {"type": "joined", "user": ANN}),
        says("ann", type="rename", name="Amy"),
        hears("zoe", {"type": "renamed", "user": {"name": "Amy"}}),
        goes("ann"),
        hears("zoe", {"type": "left", "user": {"name": "Amy"}}),
    ),
    "typing": (
        comes("ann", name="Ann"),
        comes("tom", name="Tom"),
        hears("ann", {"type": "joined"}),
        says("tom", type="typing"),
        says("tom", type="typing"),
        hears("ann", {"type": "typing", "user": {"name": "Tom"}, "ttl": 6000}),
    ),
    "what is no frame": (
        comes("ann"),
        says("ann", type="nonsense"),
        hears("ann", refused("unknown_type")),
        says("ann", type="message"),
        hears("ann", refused("bad_message")),
        says("ann", message="hi"),
        hears("ann", ack(1)),
    ),
}


class Stage(Protocol):
    """A stage of one process or several, with the same rooms."""

    clock: IReactorTime

    def chat(self, which: int) -> Chat:
        """Chat of one of the processes."""

    def until(self, holds: Callable[[], Any]) -> None:
        """Advance until *holds* is true, which must be soon."""


class Player(RecordingClient):
    """A client in a scene."""

    encoding = Encoding.V1

    session: Session

    def __init__(self, stage: Stage, chat: Chat, request: JoinRequest, claim: Claim) -> None:
        super().__init__()
        self.pending: list[Any] = []
        self.entering = Deferred.fromCoroutine(self._enter(stage, chat, request, claim))

    async def _enter(self, stage: Stage, chat: Chat, request: JoinRequest, claim: Claim) -> None:
        actor = await make_door().member(Source("192.0.2.1", Rate.of(0)), claim)
        self.session = Session(chat, stage.clock, actor, request, self)
        await self.session.open()

    def look(self) -> list[Any]:
        """All that it has had and nobody has asked for."""
        self.pending += (json.loads(frame) for frame in self.frames())
        return self.pending

    def take(self, kinds: set[str]) -> list[Any]:
        found = [frame for frame in self.look() if frame["type"] in kinds]
        self.pending = [frame for frame in self.pending if frame["type"] not in kinds]
        return found


class Scene:
    """A room in which it is played."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._room = f"scene{next(_rooms)}"
        self._actors: dict[str, Player] = {}
        self._epoch = ""

    def play(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            getattr(self, f"_{step.does}")(step.who, step.what)
        for who in tuple(self._actors):
            self._goes(who)

    def _comes(self, who: str, asked: dict[str, Any]) -> None:
        asked = dict(asked)
        if asked.get("since") is not None:
            asked["since"] = Place(*self._with_epoch(list(asked["since"])))
        chat = self._stage.chat(0 if who < "m" else 1)
        claim = Claim(asked.pop("name", None), asked.pop("key", None))
        actor = Player(self._stage, chat, JoinRequest(self._room, Encoding.V1, **asked), claim)
        self._actors[who] = actor
        self._stage.until(lambda: actor.entering.called and actor.look())
        (hello,) = actor.take({"hello"})
        self._epoch = hello["epoch"]

    def _goes(self, who: str, _: None = None) -> None:
        self._actors.pop(who).session.close()

    def _says(self, who: str, frame: dict[str, Any]) -> None:
        self._actors[who].session.text_received(json.dumps(self._with_epoch(frame)).encode())

    def _hears(self, who: str, frames: tuple[dict[str, Any], ...]) -> None:
        actor = self._actors[who]
        kinds = {frame["type"] for frame in frames}
        self._stage.until(
            lambda: sum(frame["type"] in kinds for frame in actor.look()) >= len(frames)
        )
        found = actor.take(kinds)
        assert len(found) == len(frames), found
        for got, expected in zip(found, frames, strict=True):
            assert _covers(got, self._with_epoch(expected)), (got, expected)

    def _with_epoch(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._with_epoch(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._with_epoch(each) for each in value]
        return self._epoch if value == EPOCH else value


def _covers(got: Any, expected: Any) -> bool:
    """Return True if *got* has everything that is expected, and maybe more."""
    if isinstance(expected, dict):
        return isinstance(got, dict) and all(
            key in got and _covers(got[key], each) for key, each in expected.items()
        )
    return bool(got == expected)
