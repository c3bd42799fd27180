"""`livechat.web.webhooks`."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from livechat.protocol.audit import Action
from livechat.protocol.receivers import Answer, ReceiverState
from livechat.webhooks.board import ANSWERED_WITHIN
from tests.support import Port, run
from tests.web.back_end import BackEnd, code, records

STATES, REWIND = "/chat/webhooks/", "/chat/webhooks/rewind/"
NAME = "hooks-example-1"


@pytest.fixture
def manager(port: Port) -> BackEnd:
    return BackEnd(port)


def test_a_manager_sees_receivers_without_paths(manager: BackEnd, port: Port) -> None:
    """A manager sees receivers' states, without the path of an address, which may be a secret."""
    found = manager.ask("GET", STATES).json()["webhooks"]
    assert found == [{"receiver": NAME, "url": "https://hooks.example/…"}]
    now = int(1000 * port.world.wall)
    state = ReceiverState(
        NAME, "x", "failing", 7, now - 5, 3, 2, 1, Answer(now, 0.1, 500, "no"), now + 9, now
    )
    run(port.world.board.write(state))
    (shown,) = manager.ask("GET", STATES).json()["webhooks"]
    assert (shown["state"], shown["waiting"], shown["in_a_row"]) == ("failing", 7, 1)
    assert shown["answer"] == {"time": now, "seconds": 0.1, "status": 500, "text": "no"}


def test_a_manager_rewinds_receivers(manager: BackEnd, port: Port) -> None:
    """A manager rewinds receivers; the audit has it, and the answer counts the rooms."""
    board = port.world.board

    def rewound(names: Any) -> None:
        for name in names:
            asked = board.asked(name)
            assert asked is not None
            assert asked.since == 17
            done = Deferred.fromCoroutine(board.rewound(name, asked, 3))
            done.addErrback(lambda failure: pytest.fail(str(failure)))

    board.watch(rewound)
    for receiver in (None, NAME, "https://hooks.example/geheim"):
        body = {"since": 17} | ({} if receiver is None else {"receiver": receiver})
        answer = manager.ask("POST", REWIND, body)
        assert answer.json() == {"rewound": [{"receiver": NAME, "rooms": 3}]}
    assert records(port.world)[-1].action == Action("rewind", name=NAME)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"since": 17, "receiver": "https://elsewhere.example/"}, 404),
        ({"since": -1}, 400),
        ({"since": 10**20}, 400),
        ({"since": "now"}, 400),
        ({}, 400),
        (b"x", 400),
    ],
)
def test_bad_requests_rewind_nothing(manager: BackEnd, port: Port, body: Any, status: int) -> None:
    assert manager.ask("POST", REWIND, body).status == status
    assert [each for each in records(port.world) if each.action.type == "rewind"] == []


def test_receivers_are_for_managers_of_everything(port: Port) -> None:
    """Receivers are for callers who manage everything, to see and to rewind."""
    for rooms in ({"*": ["moderate"]}, {"lobby": ["*"]}):
        lesser = BackEnd(port, rooms=rooms, name=str(rooms))
        assert code(lesser.ask("GET", STATES)) == (403, "forbidden")
        assert code(lesser.ask("POST", REWIND, {"since": 1})) == (403, "forbidden")
    assert code(BackEnd(port, "").ask("GET", STATES)) == (401, "unauthorized")


def test_a_rewind_without_a_leader_is_told(port: Port) -> None:
    """A rewind that no process takes is answered as such, after a while."""
    done = Deferred.fromCoroutine(port.world.board.rewind([NAME], 17))
    assert not done.called
    port.world.clock.advance(ANSWERED_WITHIN)
    assert done.result == {NAME: None}
