"""`livechat.net.dispatch`: connections hear of the same events as with Twisted's own dispatch."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.python import log
from twisted.python.failure import Failure

from livechat.net import _slow, dispatch
from livechat.net.fast import Wire
from livechat.net.tls import Connection
from tests.net import wires
from tests.support.example_counts import examples

#: Connections of a play.
ACTORS: Final = 6


class Buggy(Exception):
    """A bug."""


@contextmanager
def reactor(installs: Callable[[Any], None]) -> Iterator[Any]:
    """A reactor of its own, with another dispatch or without; its descriptors are closed."""
    made: Any = EPollReactor()
    installs(made)
    try:
        yield made
    finally:
        made.removeAll()
        made.waker.connectionLost(None)
        made._poller.close()


def twisted(_: Any) -> None:
    """Leave Twisted's own dispatch as it is."""


def pure(made: Any) -> None:
    dispatch.install(made, _slow.turn)


def native(made: Any) -> None:
    dispatch.install(made, wires.native().turn)


EACH = pytest.mark.parametrize("installs", [twisted, pure, native])
OURS = pytest.mark.parametrize("installs", [pure, native])


class Actor(Connection):
    """A connection that does what each byte that it reads says; it speaks no TLS."""

    def __init__(self, play: Play, name: str, before: Actor | None = None) -> None:
        """
        @param before: ends, and leaves the number of its descriptor to this one.
        """
        Wire.__init__(self)
        ours, self.peer = socket.socketpair()
        if before is not None and before.connected:
            fileno = before.fileno()
            before.leave()
            os.dup2(ours.fileno(), fileno)
            ours.close()
            ours = socket.socket(fileno=fileno)
        self.socket = ours
        self.socket.setblocking(False)
        self.fileno = ours.fileno
        self.play = play
        self.name = name
        self.flaws: set[str] = set()
        self.reactor = play.reactor
        self.producer = None
        self.connected = 1
        self.startReading()

    def logPrefix(self) -> str:
        if "logPrefix" in self.flaws:
            raise Buggy("logPrefix")
        return self.name

    def doRead(self) -> Any:
        try:
            said = self.socket.recv(2)
        except BlockingIOError:
            return self.play.note(self, "nothing")
        except ConnectionResetError:
            return self.play.note(self, "reset", CONNECTION_LOST)
        if not said:
            return self.play.note(self, "end", CONNECTION_DONE)
        return self.play.act(self, said[0], said[1])

    def doWrite(self) -> Any:
        if "doWrite" in self.flaws:
            raise Buggy("doWrite")
        self.stopWriting()
        return self.play.note(self, "doWrite")

    def readConnectionLost(self, reason: Failure) -> None:
        self.play.note(self, "readConnectionLost")
        if "half" not in self.flaws:
            self.connectionLost(reason)

    def connectionLost(self, reason: Failure) -> None:
        self.play.note(self, f"connectionLost {type(reason.value).__name__}")
        if "connectionLost" in self.flaws:
            raise Buggy("connectionLost")
        self.leave()

    def leave(self) -> None:
        if self.connected:
            self.connected = 0
            self.stopReading()
            self.stopWriting()
            self.fileno = super().fileno
            self.socket.close()
            self.peer.close()


class Play:
    """Actors on a reactor, and all that has happened to them."""

    def __init__(self, made: Any) -> None:
        self.reactor = made
        self.told: list[object] = []
        self.actors = [Actor(self, f"actor {index}") for index in range(ACTORS)]

    def note(self, actor: Actor, what: str, result: Any = None) -> Any:
        self.told.append((actor.name, what))
        return result

    def act(self, actor: Actor, what: int, whom: int) -> Any:
        action = ACTIONS[what]
        self.note(actor, f"{action.__name__} {whom}")
        return action(self, whom)

    def say(self, index: int, what: int, whom: int) -> None:
        try:
            self.actors[index].peer.send(bytes([what, whom]))
        except OSError:
            self.told.append((self.actors[index].name, "is gone"))

    def close(self) -> None:
        for actor in self.actors:
            actor.leave()


def nothing(play: Play, _: int) -> None:
    """Go on."""


def raises(play: Play, _: int) -> None:
    raise Buggy("doRead")


def exits(play: Play, _: int) -> None:
    raise SystemExit(1)


def interrupts(play: Play, _: int) -> None:
    raise KeyboardInterrupt


def done(play: Play, _: int) -> Exception:
    return CONNECTION_DONE


def lost(play: Play, _: int) -> Exception:
    return CONNECTION_LOST


def drops(play: Play, whom: int) -> None:
    play.actors[whom].leave()


def replaces(play: Play, whom: int) -> None:
    """The number of its descriptor is another connection's at once."""
    before = play.actors[whom]
    play.actors[whom] = Actor(play, f"successor of {before.name}", before)


def pauses(play: Play, whom: int) -> None:
    play.actors[whom].stopReading()


def resumes(play: Play, whom: int) -> None:
    if play.actors[whom].connected:
        play.actors[whom].startReading()


def writes(play: Play, whom: int) -> None:
    if play.actors[whom].connected:
        play.actors[whom].startWriting()


def hangs_up(play: Play, whom: int) -> None:
    play.actors[whom].peer.close()


def resets(play: Play, whom: int) -> None:
    """The peer goes, and has not read all that it was sent."""
    actor = play.actors[whom]
    if actor.connected:
        actor.socket.send(b"unread")
        actor.peer.close()


def ends(play: Play, whom: int) -> None:
    if play.actors[whom].peer.fileno() >= 0:
        play.actors[whom].peer.shutdown(socket.SHUT_WR)


def calls(play: Play, whom: int) -> None:
    play.reactor.callFromThread(play.told.append, f"called by {whom}")


def later(play: Play, whom: int) -> None:
    play.reactor.callLater(0, play.told.append, f"called later by {whom}")


def stops(play: Play, _: int) -> None:
    play.reactor.stop()


ACTIONS: Final = [
    nothing, raises, exits, interrupts, done, lost, drops, replaces, pauses, resumes, writes,
    hangs_up, resets, ends, calls, later, stops,
]  # fmt: skip
FLAWS: Final = ["doWrite", "connectionLost", "half"]
Round = list[tuple[int, int, int]]


def perform(
    installs: Callable[[Any], None], rounds: list[Round], flaws: list[tuple[int, str]]
) -> list[object]:
    """Everything that happens in a play, the log included."""
    with reactor(installs) as made, capturedLogs() as events:
        play = Play(made)
        for index, flaw in flaws:
            play.actors[index].flaws.add(flaw)
        for each in rounds:
            for index, what, whom in each:
                play.say(index, what, whom)
            made.iterate(0)
            play.told.append([(event["log_system"], logged(event)) for event in events])
        made.iterate(0)
        play.told.append(sorted(actor.name for actor in made.getReaders() if actor in play.actors))
        play.close()
        return play.told


def logged(event: dict[str, Any]) -> object:
    failure = event.get("failure")
    return None if failure is None else failure.type


ACTS: Final = st.tuples(
    st.integers(0, ACTORS - 1), st.integers(0, len(ACTIONS) - 1), st.integers(0, ACTORS - 1)
)
# Acts of the first on the second, in a turn in which both have something to read.
DROPPED: Final = [[(0, ACTIONS.index(drops), 1), (1, 0, 0)]]
REPLACED: Final = [[(0, ACTIONS.index(replaces), 1), (1, 0, 0), (2, 0, 0)], [(1, 0, 0)]]
WRITING: Final = [[(0, ACTIONS.index(writes), 1)], [(0, ACTIONS.index(hangs_up), 1)], [(1, 0, 0)]]
PAUSED: Final = [
    [(0, ACTIONS.index(pauses), 1), (0, ACTIONS.index(writes), 1)],
    [(2, ACTIONS.index(resets), 1)],
]


@settings(max_examples=examples(100))
@given(
    st.lists(st.lists(ACTS, max_size=6), max_size=5),
    st.lists(st.tuples(st.integers(0, ACTORS - 1), st.sampled_from(FLAWS)), max_size=4),
)
@example(DROPPED, [])
@example(REPLACED, [])
@example(WRITING, [(1, "doWrite")])
@example(PAUSED, [])
@example([[(each, ACTIONS.index(raises), 0) for each in range(ACTORS)]], [(0, "logPrefix")])
@example([[(0, ACTIONS.index(done), 0), (1, 0, 0)]], [(0, "connectionLost")])
def test_connections_fare_as_in_twisted(rounds: list[Round], flaws: list[tuple[int, str]]) -> None:
    """Connections fare as in Twisted, whatever happens in a turn, and whatever they do then."""
    expected = perform(twisted, rounds, flaws)
    assert perform(pure, rounds, flaws) == expected
    assert perform(native, rounds, flaws) == expected


@OURS
def test_a_bug_ends_its_connection_only(installs: Callable[[Any], None]) -> None:
    """The log has it, under the connection's name; the others of the turn are read."""
    told = perform(installs, [[(0, ACTIONS.index(raises), 0), (1, 0, 0)]], [])
    assert told[:4] == [
        ("actor 0", "raises 0"),
        ("actor 0", "connectionLost Buggy"),
        ("actor 1", "nothing 0"),
        [("actor 0", Buggy)],
    ]


@OURS
def test_a_connection_is_called_by_nobody_in_between(
    installs: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No logging context is made for one that just reads."""
    made: list[object] = []
    monkeypatch.setattr(log, "callWithLogger", lambda *arguments: made.append(arguments))
    with reactor(installs) as epoll:
        play = Play(epoll)
        play.say(0, 0, 0)
        epoll.iterate(0)
        assert play.told == [("actor 0", "nothing 0")]
        assert made == []
        play.close()


@EACH
def test_an_error_of_the_wait_is_raised(installs: Callable[[Any], None]) -> None:
    """An error of the wait itself is the caller's."""
    with reactor(installs) as made:
        made._poller.close()
        with pytest.raises((OSError, ValueError)):
            made.doIteration(0)


@EACH
def test_a_thread_ends_the_wait(installs: Callable[[Any], None]) -> None:
    """A call from another thread is made at once, though nothing else happens; so does it stop."""
    with reactor(installs) as made:
        thread = Thread(target=made.callFromThread, args=[made.stop])
        made.callWhenRunning(thread.start)
        made.run(installSignalHandlers=False)
        thread.join()


@EACH
def test_a_signal_ends_the_wait(installs: Callable[[Any], None]) -> None:
    """A signal is handled while the reactor waits."""
    with reactor(installs) as made:
        before = signal.signal(signal.SIGALRM, lambda *_: made.callFromThread(made.stop))
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            made.run(installSignalHandlers=False)
        finally:
            signal.signal(signal.SIGALRM, before)


@EACH
def test_stop_in_the_middle_of_a_turn(installs: Callable[[Any], None]) -> None:
    """The events of the turn are told; then the reactor ends."""
    with reactor(installs) as made:
        play = Play(made)
        play.say(0, ACTIONS.index(stops), 0)
        play.say(1, 0, 0)
        made.run(installSignalHandlers=False)
        assert play.told[:2] == [("actor 0", "stops 0"), ("actor 1", "nothing 0")]
        assert ("actor 2", "connectionLost ConnectionLost") in play.told
        play.close()


def test_other_reactors_keep_their_dispatch() -> None:
    """Other reactors, and those that somebody has made of it, keep their own dispatch."""

    class Other(EPollReactor):
        """Another reactor that is based on epoll."""

    for kind in (SelectReactor, Other):
        made: Any = kind()
        dispatch.install(made)
        assert "doIteration" not in vars(made)
        made.waker.connectionLost(None)
    memory = MemoryReactorClock()
    dispatch.install(memory)
    assert not hasattr(memory, "doIteration")
