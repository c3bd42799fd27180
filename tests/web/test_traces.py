"""`livechat.web.traces`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from livechat.protocol.audit import record_of_text
from livechat.protocol.names import AUDIT_ROOM
from livechat.rooms.tracing import MOST, WAITING
from livechat.web.traces import LONGEST, PAUSE
from tests.support import Answer, Port, Wire, request, result, run

ALL = {"*": ["*"]}


def headers(port: Port, rooms: Mapping[str, Sequence[str]] | None = None) -> dict[str, str]:
    """Make the headers of a client with a token, by default with all rights."""
    minted = run(port.world.door._tokens.mint("42", rooms=ALL if rooms is None else rooms))
    return {"Authorization": f"Bearer {minted.token}"}


def asked(port: Port, query: str) -> Answer:
    return port.ask("GET", f"/chat/trace/?{query}", **headers(port))


def begun(port: Port, query: str = "room=r") -> Wire:
    """Begin a trace, which goes on."""
    wire = port.connect()
    wire.send(request("GET", f"/chat/trace/?{query}", **headers(port)))
    assert port.world.tracing.active
    return wire


def lines(port: Port, wire: Wire) -> list[dict[str, Any]]:
    """Return the trace's lines so far."""
    port.world.clock.pump([PAUSE] * 3)
    return [json.loads(data) for name, data in wire.events() if name == "frame"]


@pytest.mark.parametrize("rooms", [{}, {"r": ["*"]}, {"*": ["join", "history", "moderate"]}])
def test_traces_are_for_managers_of_everything(
    port: Port, rooms: Mapping[str, Sequence[str]]
) -> None:
    """Traces are for callers who manage everything."""
    answer = port.ask("GET", "/chat/trace/?room=r", **headers(port, rooms))
    assert (answer.status, answer.code()) == (403, "forbidden")
    assert port.ask("GET", "/chat/trace/?room=r").status in (401, 403)
    assert not port.world.tracing.active


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "bad_query"), ("room=a%20b", "bad_room"), ("room=!audit", "bad_room"),
        ("person=", "bad_query"), ("person=" + "x" * 200, "bad_query"),
        ("room=r&seconds=0", "bad_query"), ("room=r&seconds=x", "bad_query"),
        (f"room=r&seconds={LONGEST + 1}", "bad_query"),
    ],
)  # fmt: skip
def test_a_bad_query_traces_nothing(port: Port, query: str, code: str) -> None:
    """A bad query is refused before anything is traced."""
    answer = asked(port, query)
    assert (answer.status, answer.code()) == (400, code)
    assert not port.world.tracing.active


def test_too_many_traces_are_refused(port: Port) -> None:
    for _ in range(MOST):
        begun(port)
    answer = asked(port, "room=r")
    assert (answer.status, answer.code()) == (503, "overloaded")


def test_frames_come_without_texts(port: Port) -> None:
    """Frames come with their times and sizes, and without texts."""
    member = port.socket()
    wire = begun(port)
    member.says("a secret")
    told = lines(port, wire)
    assert "secret" not in str(told)
    came, went = told
    assert came.pop("connection")
    assert came.pop("user").startswith("g:")
    now = int(1000 * port.world.wall)
    assert now - 1_000 < came.pop("time") <= now
    assert came == {
        "way": "in", "process": "here/1", "room": "r", "type": "message", "bytes": 23,
    }  # fmt: skip
    assert (went["way"], went["members"], went["type"]) == ("out", 1, "message")


def test_texts_come_on_request(port: Port) -> None:
    member = port.socket()
    wire = begun(port, "room=r&texts=1")
    member.says("hi")
    came, went = (each["text"] for each in lines(port, wire))
    assert (came, went) == ('{"message": "hi"}', '{"message":"hi"}')


def test_a_trace_is_recorded_first(port: Port) -> None:
    """A trace is recorded before its first line: of whom, how long, and whether with texts."""
    begun(port, "room=r&person=u:7&texts=1&seconds=60")
    page = result(port.world.backend.messages.read(AUDIT_ROOM, 0, 10))
    (record,) = [record_of_text(each.message) for each in page.messages]
    action = record.action
    assert (record.room, action.type, action.person) == ("r", "trace", "u:7")
    assert (action.seconds, action.texts) == (60, True)


def test_a_trace_ends_by_itself_or_its_reader(port: Port) -> None:
    """A trace ends by itself, with an event "end", or with its reader."""
    wire = begun(port, "room=r&seconds=2")
    port.world.clock.pump([0.25] * 12)
    assert wire.events()[-1][0] == "end"
    assert not port.world.tracing.active
    gone = begun(port)
    gone.hang_up()
    port.world.clock.pump([0.25] * 60)
    assert not port.world.tracing.active


def test_a_reader_that_is_too_slow(port: Port) -> None:
    """A slow reader is told the number of lost lines."""
    member = port.socket()
    wire = begun(port)
    for _ in range(WAITING // 2 + 5):
        member.says("x")
    found = lines(port, wire)
    assert found[-1]["way"] == "lost"
    assert found[-1]["count"] == 10
    assert len(found) == WAITING + 1
