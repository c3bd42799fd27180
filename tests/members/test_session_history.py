"""Histories and recovery of a session of ``livechat.v1``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from livechat.backends.retention import Retention
from livechat.members.base import JoinRequest
from livechat.members.plain import PlainSession
from livechat.members.session import PAGE_BYTES
from livechat.protocol.messages import Place, User
from livechat.rooms import recovery
from livechat.rooms.history import HISTORY_PAGE
from tests.members.paging import history, place, seqs
from tests.members.session_client import KEY, Client, say
from tests.support import ANN, RecordingClient, World, result, run


def test_pages_lead_in_both_directions(world: World) -> None:
    """Pages of what was said, in both directions."""
    say(world, *map(str, range(1, 11)))
    for asked, first, last, more in (
        ({}, 1, 10, False),
        ({"limit": 3}, 8, 10, True),
        ({"before": 4}, 1, 3, False),
        ({"before": 8, "limit": 2}, 6, 7, True),
        ({"after": 7}, 8, 10, False),
        ({"after": 2, "limit": 3}, 3, 5, True),
        ({"limit": 10_000}, 1, 10, False),
    ):
        page = history(world, **asked)
        assert (page["first"], page["last"], page["more"]) == (first, last, more), asked
        assert [message["seq"] for message in page["messages"]] == list(range(first, last + 1))
    for asked in ({"after": 10}, {"before": 1}, {"before": 0}, {"limit": 0}):
        page = history(world, **asked)
        assert page["messages"] == []
        assert page["last"] == page["first"] - 1
        assert not page["more"]
    assert history(world, before=1, after=1)["error"]["code"] == "bad_message"


def test_a_search_is_a_page(world: World) -> None:
    """A page of what fits, and where to go on; a text that is too long is no frame."""
    for text, who in (("Hello", "7"), ("bye", "7"), ("hello too", "8")):
        user = User(who, who, verified=True)
        result(world.chat.send(world.caller("192.0.2.1", user), "r", text))
    for asked, expected in (
        ({"q": "HELLO"}, ["Hello", "hello too"]),
        ({"user": "7"}, ["Hello", "bye"]),
        ({"user": "7", "guest": True}, []),
        ({"user": "7", "q": "b", "after": 0}, ["bye"]),
        ({"q": "hello", "limit": 1}, ["hello too"]),
    ):
        page = history(world, **asked)
        assert [each["message"] for each in page["messages"]] == expected, asked
    assert history(world, q="hello", limit=1)["more"] is True
    for bad in ({"q": ""}, {"q": "x" * 16_384}, {"q": 7}, {"user": ""}, {"user": "x" * 65}):
        assert history(world, **bad)["error"]["code"] == "bad_message"


def test_history_of_long_texts(world: World) -> None:
    """A page ends where it would be very long, on the side that was not asked for."""
    text = "x" * 16_000
    say(world, *[text] * 40)
    most = PAGE_BYTES // 16_000
    page = history(world)
    assert (page["first"], page["last"], page["more"]) == (40 - most + 1, 40, True)
    page = history(world, after=0)
    assert (page["first"], page["last"], page["more"]) == (1, most, True)


def test_history_waits_for_its_reader(world: World) -> None:
    """A client that does not read has one page of history waiting, and further requests fail."""
    say(world, "a")
    client = Client(world)
    client.heard()
    client.reads = False
    client.sends(*[{"type": "history"}] * 5)
    assert [frame["type"] for frame in client.heard()] == ["error"] * 4
    client.read()
    assert [frame["type"] for frame in client.heard()] == ["history"]
    client.sends({"type": "history"})
    assert [frame["type"] for frame in client.heard()] == ["error"]
    client.reads = True
    client.read()
    client.sends({"type": "history"})
    assert [frame["type"] for frame in client.heard()] == ["history"]


def resumed(world: World, since: Place) -> tuple[Any, list[int]]:
    """Resume at *since*: the answer, and the numbers of the messages that follow."""
    client = Client(world, since=since)
    hello, answer, *messages = (f for f in client.heard() if f["type"] != "joined")
    assert hello["type"] == "hello"
    assert answer["type"] == "resumed"
    return answer, seqs(messages)


def test_every_outcome_of_a_resume(make_world: Callable[..., World]) -> None:
    """Every outcome of the protocol's table."""
    world = make_world(retention=Retention(5, 0))
    say(world, "1", "2", "3")
    epoch = place(world, 0).epoch
    complete = {"type": "resumed", "complete": True}
    lost = {"type": "resumed", "complete": False}
    assert resumed(world, Place(epoch, 1)) == ({**complete, "from": 2, "to": 3}, [2, 3])
    assert resumed(world, Place(epoch, 3)) == ({**complete, "from": 4, "to": 3}, [])
    assert resumed(world, Place(epoch, 0)) == ({**complete, "from": 1, "to": 3}, [1, 2, 3])
    anew = {**lost, "reason": "epoch", "epoch": epoch}
    assert resumed(world, Place("other", 2)) == ({**anew, "to": 3}, [1, 2, 3])
    # A client that has seen more than there is.
    assert resumed(world, Place(epoch, 4)) == ({**anew, "to": 3}, [1, 2, 3])
    say(world, "4", "5", "6", "7")
    trimmed = {**lost, "reason": "trimmed", "oldest": 3, "to": 7}
    assert resumed(world, Place(epoch, 1)) == (trimmed, [3, 4, 5, 6, 7])
    assert resumed(world, Place(epoch, 2))[0] == {**complete, "from": 3, "to": 7}


def test_resume_where_numbering_began_anew(world: World) -> None:
    """A new numbering sends the newest page, and no more."""
    say(world, *map(str, range(HISTORY_PAGE + 50)))
    answer, numbers = resumed(world, Place("other", 3))
    assert answer["reason"] == "epoch"
    assert numbers == list(range(51, HISTORY_PAGE + 51))


def test_a_resume_may_be_repeated(world: World) -> None:
    """A resume on an open connection may be repeated, and the client is live after it."""
    say(world, "1", "2", "3")
    client = Client(world)
    epoch = client.heard()[0]["epoch"]
    for _ in range(3):
        client.sends({"type": "resume", "epoch": epoch, "seq": 1})
        answer, *messages = client.hears("resumed", "message")
        assert (answer["complete"], seqs(messages)) == (True, [2, 3])
    say(world, "4")
    assert seqs(client.heard()) == [4]


def test_resume_while_the_room_talks(world: World) -> None:
    """Messages sent meanwhile follow the missed ones, each once."""
    say(world, "1", "2", "3")
    client = Client(world)
    client.heard()
    client.reads = False
    client.sends({"type": "resume", **place(world, 1)._asdict()})
    say(world, "4", "5")
    assert client.hears("message", "resumed") == []
    # A second resume is refused while the first goes on.
    client.sends({"type": "resume", **place(world, 0)._asdict()})
    assert client.hears("error")[0]["error"]["code"] == "rate_limited"
    client.reads = True
    client.read()
    say(world, "6")
    answer, *messages = client.hears("resumed", "message")
    assert (answer["from"], answer["to"]) == (2, 5)
    assert seqs(messages) == [2, 3, 4, 5, 6]


def test_a_slow_client_resumes_page_by_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that reads slowly is written one page after the other."""
    monkeypatch.setattr(recovery, "REPLAY_PAGE", 3)
    say(world, *map(str, range(10)))
    client = Client(world)
    client.heard()
    client.reads = False
    client.sends({"type": "resume", **place(world, 0)._asdict()})
    got = []
    for _ in range(4):
        client.read()
        numbers = seqs(client.heard())
        assert len(numbers) <= 3
        got += numbers
        say(world, "more") if len(got) < 9 else None
    assert got == list(range(1, 13))


def test_a_client_that_goes_while_it_reads(world: World) -> None:
    """A client that leaves during a read leaves no member, watcher or subscription behind."""
    say(world, "1", "2", "3")
    client = Client(world)
    client.reads = False
    client.sends({"type": "resume", **place(world, 0)._asdict()})
    client.session.close()
    client.reads = True
    client.read()
    assert world.hub.rooms() == {}
    assert world.hub._watchers == {}
    assert world.backend.messages._subscribed == {}


def test_a_plain_client_hears_the_newest_first(world: World) -> None:
    """A plain client that asks for it hears the newest messages first."""
    say(world, "1", "2", "3")
    client = RecordingClient()
    session = PlainSession(world.chat, world.clock, ANN, JoinRequest("r", history=2), client)
    run(session.open())
    say(world, "4")
    texts = [json.loads(frame) for frame in client.frames()]
    assert texts == [{"message": text} for text in ("2", "3", "4")]


def test_pages_among_events(world: World) -> None:
    """A page has messages only; its first and last are the numbers looked at."""
    client = Client(world, key=KEY)
    for frame in (
        {"message": "a"},
        {"message": "b"},
        {"type": "edit", "ref": 1, "message": "A"},
        {"type": "retract", "ref": 2},
        {"message": "c"},
    ):
        client.sends(frame)
    client.heard()
    client.sends({"type": "history", "limit": 2}, {"type": "history", "after": 1, "limit": 1})
    newest, after = client.hears("history")
    assert ([each["message"] for each in newest["messages"]], newest["first"], newest["last"]) == (
        ["A", "c"], 1, 5,
    )  # fmt: skip
    assert ([each["message"] for each in after["messages"]], after["first"], after["last"]) == (
        ["c"], 2, 5,
    )  # fmt: skip
    assert (newest["more"], after["more"]) == (False, False)
