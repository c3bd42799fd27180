"""``livechat.v1`` in any interleaving: no message is lost or repeated without a word."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from livechat.backends.retention import Retention
from livechat.limits.rates import Rate
from livechat.rooms import recovery
from tests.members.session_client import KEY, Client
from tests.support import World
from tests.support.example_counts import examples
from tests.support.transcripts import Transcript

_STEPS = some.lists(
    some.tuples(
        some.sampled_from(
            (
                *("say", "say", "turn", "turn", "store", "write", "look", "fetch"),
                *("connect", "connect", "drop", "resume", "hear", "hear", "slow", "read"),
            )
        ),
        some.integers(0, 1),
    ),
    min_size=40,
    max_size=120,
)


class Player:
    """A client that comes and goes, and what it was told."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.transcript = Transcript()
        self.client: Client | None = None

    def connect(self) -> None:
        if self.client is None:
            self.transcript.connect()
            self.client = Client(self.world, key=KEY, since=self.transcript.place)

    def drop(self) -> None:
        if self.client is not None:
            # Frames written to it and not heard are lost.
            session = self.client.session
            self.client.opening.addCallback(lambda _: session.close())
            self.client.read()
            self.client = None

    def resume(self) -> None:
        self.hear()
        client = self.client
        if (
            client is not None
            and client.opening.called
            and not client.session._replaying
            and self.transcript.place is not None
        ):
            # Frames told before the answer were on their way.
            self.world.hub.flush()
            self.hear()
            self.transcript.resume()
            frame = {"type": "resume", **self.transcript.place._asdict()}
            client.session.text_received(json.dumps(frame).encode())

    def slow(self) -> None:
        if self.client is not None:
            self.client.reads = False

    def read(self) -> None:
        if self.client is not None:
            self.client.reads = True
            self.client.read()

    def hear(self) -> None:
        if self.client is not None:
            for frame in self.client.frames():
                self.transcript.add(json.loads(frame))


class Play:
    """Two of them in a room in which nothing happens by itself."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.readers.held = True
        self.players = [Player(world) for _ in range(2)]
        self.said = 0

    def step(self, what: str, player: Player) -> None:
        if what == "say":
            self.said += 1
            self.world.chat.send(self.world.caller("192.0.2.2"), "r", str(self.said))
        elif what == "turn":
            self.world.clock.advance(0)
        elif what == "store":
            self.world.writer.work()
        elif what == "write":
            self.world.writer.step()
        elif what == "look":
            self.world.readers.work()
        elif what == "fetch":
            self.world.readers.step()
        else:
            getattr(player, what)()

    def settle(self) -> None:
        """Until nothing is under way any more."""
        backend = self.world.backend
        while (
            self.world.writer.busy()
            or self.world.readers.busy()
            or backend.messages._queue
            or backend.messages._gathering
            or self.world.hub._ready
        ):
            for what in ("write", "fetch", "turn"):
                self.step(what, self.players[0])


@given(steps=_STEPS, limit=some.sampled_from((0, 4)), page=some.sampled_from((2, 500)))
@settings(
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_interleaving(
    make_world: Callable[..., World],
    monkeypatch: pytest.MonkeyPatch,
    steps: list[tuple[str, int]],
    limit: int,
    page: int,
) -> None:
    """Any order of steps delivers every number once and in order, or a labelled gap."""
    monkeypatch.setattr(recovery, "REPLAY_PAGE", page)
    monkeypatch.setattr("livechat.members.session.ASK_RATE", Rate(0, 1))
    play = Play(make_world(retention=Retention(limit, 0), held=True))
    for step, which in steps:
        play.step(step, play.players[which])
    for player in play.players:
        player.connect()
        player.read()
    play.settle()
    for player in play.players:
        player.hear()
        assert player.transcript.place is not None
        assert player.transcript.place.seq == play.said
        if not limit:
            assert player.transcript.gaps == []
