"""`livechat.daemon.condition`."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock

from livechat.daemon.condition import answers, serving, supervising, worker_side
from livechat.daemon.departure import SETTLE, Departure
from livechat.daemon.lifeline import WorkerReport
from livechat.errors import ChatError, Kind
from tests.support import Port, World


def test_a_process_says_why_it_takes_nothing(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process says how many are there, and why it takes nothing."""
    world = port.world
    assert serving(world.chat, world.hub).status == "0 members in 0 rooms."
    port.socket()
    state = serving(world.chat, world.hub)
    assert (state.status, state.serves) == ("1 member in 1 room.", True)
    monkeypatch.setattr(world.backend, "trouble", lambda: "no Redis")
    state = serving(world.chat, world.hub)
    assert (state.status, state.serves, state.waits) == ("Not ready: no Redis.", False, True)


def test_a_backend_that_refuses_lives(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that refuses a read counts as alive; one that does not answer does not."""
    found: list[Any] = []

    def read(*_: Any) -> Any:
        raise ChatError(Kind.UNAVAILABLE, "no")

    monkeypatch.setattr(world.backend.messages, "read", read)
    answers(world.backend).addBoth(found.append)
    assert len(found) == 1
    waiting: Deferred[Any] = Deferred()
    monkeypatch.setattr(world.backend.messages, "read", lambda *_: waiting)
    answers(world.backend).addBoth(found.append)
    assert len(found) == 1
    waiting.callback(None)
    assert len(found) == 2


@pytest.mark.parametrize(
    ("reports", "renewal", "status", "serves", "waits"),
    [
        ([None, None], "", "0 members at 0 of 2 workers.", False, False),
        (
            [WorkerReport(3, 1), None], "",
            "3 members at 1 of 2 workers (3 in 1 room).", False, False,
        ),
        (
            [WorkerReport(3, 1), WorkerReport(1, 2)], "",
            "4 members at 2 of 2 workers (3 in 1 room, 1 in 2 rooms).", True, True,
        ),
        (
            [WorkerReport(), WorkerReport(0, 0, "no Redis")], "",
            "Not ready: no Redis; 0 members at 2 of 2 workers (0 in 0 rooms, 0 in 0 rooms).",
            False, True,
        ),
        (
            [WorkerReport(1, 1)], "renewing worker 1 of 1",
            "Renewing worker 1 of 1; 1 member at 1 of 1 worker (1 in 1 room).", True, True,
        ),
    ],
)  # fmt: skip
def test_the_service_is_ready_when_all_workers_are(
    reports: list[WorkerReport | None], renewal: str, status: str, serves: bool, waits: bool
) -> None:
    """The service is ready when all workers are, and waits for what they wait for."""
    state = supervising(reports, renewal)
    assert (state.status, state.serves, state.waits) == (status, serves, waits)


def test_a_worker_reports_to_its_supervisor(world: World) -> None:
    """A worker reports to its supervisor, and leaves without lingering once it is replaced."""
    reactor: Any = MemoryReactorClock()
    departure = Departure(reactor, linger=5)

    class Renewal:
        count = 3

    renewal: Any = Renewal()
    reports, lifeline = worker_side(
        reactor, 1, chat=world.chat, hub=world.hub, renewal=renewal, departure=departure
    )
    told: Any = reports
    assert told._report() == WorkerReport(0, 0, None, 3)
    side: Any = lifeline
    side._leave()
    assert reactor.hasStopped
    assert departure.seconds == SETTLE
