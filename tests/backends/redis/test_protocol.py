"""``livechat.v1`` at two processes with a real Redis."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from twisted.internet.defer import Deferred

from livechat.backends.redis import connect, subscriptions
from livechat.backends.redis.backend import RedisBackend
from livechat.backends.retention import Retention
from livechat.limits.rates import Rate
from livechat.members.base import JoinRequest
from livechat.members.session import Session
from livechat.net.fast import write_all
from livechat.protocol.encoding import Encoding
from livechat.rooms.chat import Chat
from livechat.rooms.hub import Hub
from livechat.rooms.pace import Pace
from livechat.system.time import Time
from tests.backends.redis.server import RedisServer
from tests.conformance import SCENES, Scene
from tests.support import SOMEBODY, RecordingClient, guest, make_free_rules, make_leases
from tests.support.example_counts import examples
from tests.support.transcripts import Transcript

#: Turns of the reactor after which what must happen has not happened.
PATIENCE = 20_000
_subscriptions = count()


class Process:
    """A process, one of two, which may miss some of Redis's pushes."""

    def __init__(self, server: RedisServer, reactor: Any, messages: int) -> None:
        self.reactor = reactor
        self.hub = Hub(Time(reactor), write_all)
        self.backend: RedisBackend = connect(server.url, reactor, Retention(messages, 0))
        self.chat = Chat(
            self.backend,
            self.hub,
            Time(reactor),
            max_message=16_384,
            default_room="lobby",
            rate=0,
            pace=Pace(Time(reactor), per_ip=0),
            leases=make_leases(Time(reactor)),
            rules=make_free_rules(Time(reactor)),
        )
        self.sender = SOMEBODY
        self.deaf = 0
        told = self.backend.published

        def lossy(channel: bytes, payload: bytes) -> None:
            if self.deaf:
                self.deaf -= 1
            else:
                told(channel, payload)

        self.backend.published = lossy  # type: ignore[method-assign]
        directory = self.chat.directory
        self.backend.start(
            self.hub, lambda: directory.report("here/1", 0, 0), self.chat.presence, self.chat.record
        )

    def lose(self) -> None:
        """Do not hear the next one."""
        self.deaf += 1


class Player(RecordingClient):
    """A client that comes and goes, and what it was told."""

    encoding = Encoding.V1

    def __init__(self, process: Process, room: str, transcript: Transcript) -> None:
        super().__init__()
        self.process = process
        self.transcript = transcript
        transcript.connect()
        request = JoinRequest(room, Encoding.V1, since=transcript.place)
        self.session = Session(process.chat, process.reactor, guest("Ann"), request, self)
        self.opened = False
        self.gone = False
        Deferred.fromCoroutine(self.session.open()).addCallback(self._entered)

    def _entered(self, _: None) -> None:
        self.opened = True
        if self.gone:
            self.session.close()

    def drop(self) -> None:
        self.gone = True
        if self.opened:
            self.session.close()
        self.read()

    def resume(self) -> None:
        if self.opened and not self.session._replaying:
            self.process.hub.flush()
            self.hear()
            self.transcript.resume()
            assert self.transcript.place is not None
            frame = {"type": "resume", **self.transcript.place._asdict()}
            self.session.text_received(json.dumps(frame).encode())

    def hear(self) -> None:
        for frame in self.frames():
            self.transcript.add(json.loads(frame))


class Play:
    """A room at two processes, and clients that are now at one and now at the other."""

    def __init__(self, processes: list[Process], server: RedisServer) -> None:
        self.processes = processes
        self.server = server
        self.reactor = processes[0].reactor
        self.room = f"room{next(_subscriptions)}"
        self.transcripts = [Transcript() for _ in range(3)]
        self.players: dict[int, Player] = {}
        self.answers: list[Deferred[Any]] = []

    def spin(self, holds: Callable[[], Any] = bool, turns: int = PATIENCE) -> None:
        """Run the reactor for some turns, or until *holds* is true."""
        for _ in range(turns):
            if holds():
                return
            self.reactor.iterate(0.001)
        assert turns < PATIENCE, "it did not happen"

    def step(self, what: str, which: int, process: Process) -> None:
        player = self.players.get(which)
        if what == "say":
            text = str(len(self.answers))
            self.answers.append(process.chat.send(process.sender, self.room, text))
        elif what == "spin":
            self.spin(turns=which + 1)
        elif what == "lose":
            process.lose()
        elif what == "cut":
            self.server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        elif what == "connect":
            if player is None:
                self.players[which] = Player(process, self.room, self.transcripts[which])
        elif player is not None:
            self._disturb(what, which, player)

    def _disturb(self, what: str, which: int, player: Player) -> None:
        if what == "drop":
            player.drop()
            del self.players[which]
        elif what in ("slow", "hurry"):
            player.reads = what == "hurry"
            player.read() if player.reads else None
        else:
            getattr(player, what)()

    def settle(self) -> None:
        """Until everybody is there and has heard all."""
        for process in self.processes:
            process.deaf = 0
        self.spin(lambda: all(answer.called for answer in self.answers))
        for which in range(len(self.transcripts)):
            self.step("connect", which, self.processes[which % 2])
            self.step("hurry", which, self.processes[which % 2])
        self.spin(lambda: all(map(self._is_whole, self.players.values())))

    def _is_whole(self, player: Player) -> bool:
        player.hear()
        place = player.transcript.place
        return (
            place is not None and place.seq == len(self.answers) and not player.session._replaying
        )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis"), "--appendfsync", "no") as running:
        yield running


@pytest.fixture
def processes(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[int], list[Process]]]:
    from twisted.internet import reactor  # noqa: PLC0415

    monkeypatch.setattr("livechat.members.session.ASK_RATE", Rate(0, 1))
    # Intervals of seconds would make the test long.
    monkeypatch.setattr(subscriptions, "SWEEP_EVERY", 0.05)
    monkeypatch.setattr(subscriptions, "HOLE", 0.01)
    made: dict[int, list[Process]] = {}
    real: Any = reactor

    def make(messages: int) -> list[Process]:
        if messages not in made:
            made[messages] = [Process(server, real, messages) for _ in range(2)]
            while any(each.backend.trouble() for each in made[messages]):
                real.iterate(0.001)
        return made[messages]

    yield make
    stopping = [each.backend.stop() for pair in made.values() for each in pair]
    while not all(each.called for each in stopping):
        real.iterate(0.001)
    # Timers for users who could return, and for shares to be told.
    for call in real.getDelayedCalls():
        call.cancel()


_STEPS = some.tuples(
    some.sampled_from(
        (
            *("say", "say", "spin", "spin", "connect", "connect", "drop", "resume"),
            *("hear", "slow", "hurry", "lose", "cut"),
        )
    ),
    some.integers(0, 2),
    some.integers(0, 1),
)


@given(steps=some.lists(_STEPS, min_size=20, max_size=60), limit=some.sampled_from((0, 4)))
@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_interleaving(
    processes: Callable[[int], list[Process]],
    server: RedisServer,
    steps: list[tuple[str, int, int]],
    limit: int,
    tmp_path: Path,
) -> None:
    """Any order of steps delivers every number once and in order, or a labelled gap."""
    play = Play(processes(limit), server)
    for what, which, process in steps:
        play.step(what, which, play.processes[process])
    play.settle()
    for transcript in play.transcripts:
        if not limit:
            assert transcript.gaps == []
            # All that was said since it came, and nothing else.
            numbers = [int(text) for text in transcript.texts]
            assert len(set(numbers)) == len(numbers)
    for player in play.players.values():
        player.drop()


class Redis:
    """Two processes, as a stage."""

    def __init__(self, processes: list[Process]) -> None:
        self._processes = processes
        self.clock = processes[0].reactor

    def chat(self, which: int) -> Chat:
        return self._processes[which].chat

    def until(self, holds: Callable[[], Any]) -> None:
        for _ in range(PATIENCE):
            if holds():
                return
            self.clock.iterate(0.001)
        raise AssertionError("it did not happen")


@pytest.mark.parametrize("scene", SCENES)
def test_frames_conform_to_the_protocol(
    processes: Callable[[int], list[Process]], scene: str
) -> None:
    """Frames in, frames out."""
    Scene(Redis(processes(0))).play(SCENES[scene])
