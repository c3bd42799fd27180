"""`livechat.webhooks.board`; tests/webhooks/test_telling.py tests its use."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock

from livechat.backends.alone import LoneMaps
from livechat.errors import ChatError, Kind
from livechat.protocol.receivers import ReceiverState
from livechat.system.time import Time
from livechat.webhooks.board import HOLDS, WRITE_EVERY, Board
from tests.support.outcomes import result, run

NAME, URL = "hook-1", "https://hooks.example/geheim"


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.time = Time(self.clock, lambda: 1_790_000_000.0 + self.clock.seconds())
        self.shared = LoneMaps(self.time.wall).get("receivers", most=60, largest=4_096)
        self.board = Board(self.shared, {NAME: URL}, self.time)

    def write(self, **more: Any) -> None:
        state = ReceiverState(NAME, URL, updated=int(1000 * self.time.wall()), **more)
        run(self.board.write(state))

    @property
    def state(self) -> ReceiverState:
        (state,) = self.board.states()
        return state


def test_written_when_it_changes() -> None:
    """An unchanged state is rewritten at intervals only; one that is not is unknown in the end."""
    world = World()
    world.write(state="sending")
    first = world.state
    assert first.url == "https://hooks.example/…"
    world.clock.advance(5)
    world.write(state="sending")
    assert world.state == first
    world.write(state="failing")
    assert world.state.state == "failing"
    world.clock.advance(WRITE_EVERY)
    world.write(state="failing")
    assert world.state.updated > first.updated + 1000 * WRITE_EVERY
    world.clock.advance(HOLDS + 1)
    assert world.state.state == "unknown"


def test_written_by_another_version() -> None:
    """Entries that this version cannot read count as missing."""
    world = World()
    for key in ("state", "asked", "done"):
        result(world.shared.put(f"{key}|{NAME}", b'{"of":"later"}'))
    assert world.state.state == "unknown"
    assert world.board.asked(NAME) is None
    assert world.board.round(NAME) == ""


def test_an_unwritten_state_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state that cannot be written is dropped; a request that cannot be stored is refused."""
    world = World()
    error = ChatError(Kind.UNAVAILABLE, "The store is away.")
    monkeypatch.setattr(world.shared, "put", lambda *_, **__: fail(error))
    world.write(state="sending")
    with pytest.raises(ChatError):
        run(world.board.rewind([NAME], 1))
    assert world.board._waiting == []


def test_an_unknown_receiver_is_refused() -> None:
    """A rewind of an unknown receiver is refused."""
    with pytest.raises(ChatError) as caught:
        run(World().board.rewind(["hook-2"], 1))
    assert caught.value.kind is Kind.NOT_FOUND


def test_the_last_of_two_requests_counts() -> None:
    """The last of two requests for a receiver counts, and its answer is not the first's."""
    world = World()
    first = Deferred.fromCoroutine(world.board.rewind([NAME], 1))
    second = Deferred.fromCoroutine(world.board.rewind([NAME], 2))
    asked = world.board.asked(NAME)
    assert asked is not None
    assert asked.since == 2
    run(world.board.rewound(NAME, asked, 5))
    assert result(second) == {NAME: 5}
    assert not first.called
    assert world.board.asked(NAME) is None
    assert world.board.round(NAME) == asked.id
    world.clock.advance(60)
    assert result(first) == {NAME: None}
