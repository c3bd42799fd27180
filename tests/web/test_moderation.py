"""`livechat.web.moderation`: restrictions and the audit by HTTP."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from twisted.internet.defer import fail

from livechat.errors import ChatError, Kind
from livechat.http.connection import LONGEST_STREAM
from livechat.members.base import HEARTBEAT
from livechat.protocol.messages import Draft
from livechat.protocol.names import AUDIT_ROOM
from tests.support import Answer, Port, Wire, request, result
from tests.support.outcomes import publish
from tests.web.back_end import BackEnd, code

NOW = 1_790_000_000
RESTRICTIONS, CASES = "/chat/restrictions/", "/chat/cases/"
AUDIT, EVENTS = "/chat/audit/", "/chat/audit/events/"
MODERATING = {"*": ["join", "history", "send", "moderate"]}


@pytest.fixture
def key(port: Port) -> BackEnd:
    return BackEnd(port)


def restrict(by: BackEnd, user: str, room: str = "r", **more: Any) -> Any:
    action = {"type": "restrict", "user": user, "kind": "ban", **more}
    answer = by.ask("POST", f"/chat/actions/{room}/", action)
    assert answer.status == 200, answer.json()
    return answer.json()


def listed(by: BackEnd, target: str = RESTRICTIONS) -> list[tuple[str, str]]:
    answer = by.ask("GET", target)
    assert answer.status == 200, answer.json()
    return [(each["room"], each["user"]["id"]) for each in answer.json()["restrictions"]]


@pytest.mark.parametrize(
    "target", [RESTRICTIONS, f"{RESTRICTIONS}r/", CASES, f"{CASES}r/", AUDIT, EVENTS]
)
def test_who_may_not(port: Port, target: str) -> None:
    """Guests, users, moderators of other rooms and mere managers are refused."""
    assert code(port.ask("GET", target)) == (401, "unauthorized")
    elsewhere = BackEnd(port, rooms={"other": ["*"], "r": ["manage"]}, name="elsewhere")
    user = BackEnd(port, port.world.token())
    for other in (elsewhere, user):
        assert code(other.ask("GET", target)) == (403, "forbidden")


def test_restrictions_are_listed(port: Port, key: BackEnd) -> None:
    """Restrictions of a room, or of all, have user, kind, author, end and reason."""
    moderator = BackEnd(port, rooms={"r": MODERATING["*"]}, name="night shift")
    restrict(moderator, "42", seconds=60, reason="<b>")
    port.world.clock.advance(1)
    restrict(key, "g1", guest=True, everywhere=True)
    restrict(key, "7", "x")
    found = moderator.ask("GET", f"{RESTRICTIONS}r/").json()
    assert found["next"] is None
    first, second = found["restrictions"]
    assert first == {
        "room": "r", "user": {"id": "42", "name": "42", "verified": True}, "guest": False,
        "kind": "ban", "until": NOW + 60, "reason": "<b>",
        "by": {"kind": "key", "name": "night shift"}, "made": NOW,
    }  # fmt: skip
    assert (second["room"], second["user"]["id"], second["guest"]) == ("*", "g1", True)
    assert (second["until"], second["reason"]) == (None, "")
    assert listed(key) == [("r", "42"), ("*", "g1"), ("x", "7")]
    assert code(moderator.ask("GET", RESTRICTIONS)) == (403, "forbidden")
    port.world.clock.advance(60)
    assert listed(key) == [("*", "g1"), ("x", "7")]


def test_restricted_addresses_are_not_listed(port: Port, key: BackEnd) -> None:
    """Restricted addresses are not listed, and leave no trace of address or mark."""
    wire = port.connect("203.0.113.77")
    wire.send(request("GET", f"/chat/events/r/?name=Eve&client={'k' * 16}"))
    ((_, hello), *_) = wire.events()
    eve = json.loads(hello)["user"]["id"]
    assert restrict(key, eve, guest=True, address=True)["address"] is True
    keys = [name for name, _ in port.world.chat.restrictions._shared.items()]
    (mark,) = (name.partition("|a:")[2] for name in keys if "|a:" in name)
    for target in (RESTRICTIONS, f"{RESTRICTIONS}r/", AUDIT):
        body = key.ask("GET", target).body.decode()
        assert eve in body
        assert mark not in body
        assert "203.0.113.77" not in body
    assert listed(key) == [("r", eve)]


def test_each_restriction_is_on_one_page(key: BackEnd) -> None:
    """Each restriction is on one page, also of many that were made within a second."""
    users = [f"{number}|{number}" for number in range(25)]
    for each in users:
        restrict(key, each)
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        target = f"{RESTRICTIONS}?limit=10" + (after and f"&after={quote(after)}")
        answer = key.ask("GET", target).json()
        found += [each["user"]["id"] for each in answer["restrictions"]]
        after = answer["next"]
    assert sorted(found) == sorted(users)
    assert len(listed(key, f"{RESTRICTIONS}?limit=0")) == 1
    for wrong in ("limit=x", "after=", "after=1", "after=x|r|u:1", f"after={'9' * 16}|r|u:1"):
        assert code(key.ask("GET", f"{RESTRICTIONS}?{wrong}")) == (400, "bad_query")
    for room in ("*", "!audit"):
        assert code(key.ask("GET", f"{RESTRICTIONS}{room}/")) == (400, "bad_room")


def acts(by: BackEnd, room: str, query: str = "", **action: Any) -> Answer:
    return by.ask("POST", f"/chat/actions/{room}/{query}", action)


def test_cases_are_listed_without_addresses(port: Port, key: BackEnd) -> None:
    """Cases are held messages and reports, with their context, and without addresses."""
    guest = BackEnd(port, "")
    said = acts(key, "r", message="rude").json()["seq"]
    assert acts(key, "r", type="room", set={"hold": "guests"}).status == 200
    query = f"?name=Eve&client={'k' * 16}"
    held = acts(guest, "r", query, message="<b>", data={"a": 1}, reply_to=said)
    assert held.status == 202
    assert held.json() == {"message": "Message held.", "case": held.headers["livechat-case"]}
    port.world.clock.advance(1)
    reported = acts(guest, "r", query, type="report", ref=said, reason="rude")
    first, second = key.ask("GET", f"{CASES}r/").json()["cases"]
    eve = first["user"]
    assert first == {
        "case": held.headers["livechat-case"], "kind": "held", "room": "r", "time": NOW * 1_000,
        "message": "<b>", "user": {"id": eve["id"], "name": "Eve"}, "data": {"a": 1},
        "reply_to": said,
    }  # fmt: skip
    assert second == {
        "case": reported.json()["case"], "kind": "report", "room": "r", "message": "rude",
        "time": (NOW + 1) * 1_000, "ref": said, "reporter": eve, "reason": "rude",
    }  # fmt: skip
    body = key.ask("GET", CASES).body.decode()
    assert all(mark not in body for mark in marks(port))
    assert key.ask("GET", f"{CASES}x/").json() == {"cases": [], "next": None}
    acts(key, "r", type="review", case=first["case"], verdict="approve")
    assert len(key.ask("GET", CASES).json()["cases"]) == 1


def marks(port: Port) -> list[str]:
    source = port.world.source("192.0.2.1")
    source.marked(result(port.world.backend.processes.secret()))
    assert source.mark is not None
    return [source.mark, "192.0.2.1"]


def test_a_held_message_is_accepted_with_its_case(port: Port, key: BackEnd) -> None:
    """A held message is answered with 202 and its case, in a batch with the case alone."""
    acts(key, "r", type="room", set={"hold": "guests"})
    answer = port.ask("POST", "/chat/send/r/", b'{"message":"x"}', Content_Type="application/json")
    assert answer.status == 202
    assert answer.json()["case"] == answer.headers["livechat-case"]
    batch = {"actions": [{"room": "r", "message": "y"}]}
    (error,) = BackEnd(port, "").ask("POST", "/chat/actions/", batch).json()["results"]
    assert (error["error"]["code"], bool(error["error"]["case"])) == ("held", True)


def test_each_case_is_on_one_page(port: Port, key: BackEnd) -> None:
    acts(key, "r", type="room", set={"hold": "all"})
    for number in range(5):
        user = BackEnd(port, port.world.token(str(number)))
        acts(user, "r", message=str(number))
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        target = f"{CASES}?limit=2" + (after and f"&after={quote(after)}")
        answer = key.ask("GET", target).json()
        found += [each["message"] for each in answer["cases"]]
        after = answer["next"]
    assert sorted(found) == list("01234")
    for wrong in ("limit=x", "after=1", "after=x|r"):
        assert code(key.ask("GET", f"{CASES}?{wrong}")) == (400, "bad_query")


def test_the_audit_has_records_in_pages(port: Port, key: BackEnd) -> None:
    """The audit has records as objects, in pages like a history's."""
    moderator = BackEnd(port, rooms=MODERATING, name="night shift")
    for number in range(5):
        restrict(key, str(number), seconds=60)
    answer = moderator.ask("GET", f"{AUDIT}?limit=2")
    first, last = answer.json()["records"]
    assert (first["seq"], last["seq"]) == (4, 5)
    assert last["room"] == "r"
    assert last["by"] == {"kind": "key", "name": "back end"}
    assert (last["action"]["type"], last["action"]["user"]["id"]) == ("restrict", "4")
    assert answer.headers["link"] == '</chat/audit/?before=4&limit=2>; rel="prev"'
    assert answer.headers["livechat-seq"] == "5"
    assert answer.headers["livechat-epoch"]
    found = moderator.ask("GET", f"{AUDIT}?after=0&limit=2").json()["records"]
    assert [each["seq"] for each in found] == [1, 2]
    assert code(key.ask("GET", f"{AUDIT}?limit=x")) == (400, "bad_query")


def test_an_empty_audit_has_an_empty_page(key: BackEnd) -> None:
    assert key.ask("GET", AUDIT).body == b'{"records":[]}'


def test_a_record_that_cannot_be_read(port: Port, key: BackEnd) -> None:
    """An unreadable record is listed with its number and time alone."""
    result(publish(port.world.backend.messages, Draft(AUDIT_ROOM, "{")))
    restrict(key, "1")
    broken, whole = key.ask("GET", AUDIT).json()["records"]
    assert broken.keys() == {"seq", "time"}
    assert whole["action"]["type"] == "restrict"


def listen(by: BackEnd, query: str = "", **headers: str) -> Wire:
    wire = by.port.connect()
    wire.send(request("GET", f"{EVENTS}{query}", **by.headers | headers))
    return wire


def heard(wire: Wire) -> list[tuple[str, Any]]:
    return [(name, json.loads(data)) for name, data in wire.events()]


def test_a_stream_has_records_as_they_are_made(port: Port, key: BackEnd) -> None:
    """A stream begins with its place, and has records as they are made."""
    restrict(key, "1")
    wire = listen(key)
    ((name, told),) = heard(wire)
    assert (name, told["complete"], told["from"], told["to"]) == ("resumed", True, 2, 1)
    restrict(key, "2")
    port.world.clock.advance(0)
    ((name, record),) = heard(wire)
    assert (name, record["seq"], record["action"]["user"]["id"]) == ("record", 2, "2")
    port.world.clock.advance(HEARTBEAT)
    assert not wire.closing


def test_missed_records_come_first(port: Port, key: BackEnd) -> None:
    """Missed records come first, and a gap is named."""
    for number in range(250):
        restrict(key, str(number))
    epoch = key.ask("GET", AUDIT).headers["livechat-epoch"]
    for given in ({"query": f"?since={epoch}:3"}, {"Last_Event_ID": f"{epoch}:3"}):
        (_, told), *records = heard(listen(key, **given))
        assert (told["complete"], told["from"], told["to"]) == (True, 4, 250)
        assert [each["seq"] for _, each in records] == list(range(4, 251))
    (_, told), *records = heard(listen(key, "?since=other:300"))
    assert (told["complete"], told["reason"], told["epoch"]) == (False, "epoch", epoch)
    assert len(records) == 250
    (_, told), *records = heard(listen(key, f"?since={epoch}:999"))
    assert (told["reason"], len(records)) == ("epoch", 250)
    assert code(key.ask("GET", f"{EVENTS}?since=x")) == (400, "bad_query")


def test_a_dropped_key_ends_its_stream(port: Port, key: BackEnd) -> None:
    """A dropped key's stream ends with the reason."""
    other = BackEnd(port, rooms=MODERATING, name="other")
    wire = listen(other)
    heard(wire)
    assert key.ask("DELETE", f"/chat/keys/{other.id}/").status == 200
    port.world.clock.advance(0)
    assert [(name, told["error"]["code"]) for name, told in heard(wire)] == [
        ("error", "token_revoked")
    ]
    assert port.world.hub._watchers == {}
    assert port.world.leases._held == {}


def test_a_moderator_who_is_banned(port: Port, key: BackEnd) -> None:
    """The stream ends before its own ban is told, and nothing is left behind."""
    moderator = BackEnd(port, port.world.token("9", rooms=MODERATING))
    wire = listen(moderator)
    heard(wire)
    restrict(key, "9", everywhere=True)
    port.world.clock.advance(0)
    assert [(name, told["error"]["code"]) for name, told in heard(wire)] == [("error", "banned")]
    assert port.world.hub._watchers == {}


def test_a_client_that_goes_leaves_nothing(port: Port, key: BackEnd) -> None:
    wire = listen(key)
    heard(wire)
    wire.hang_up()
    port.world.clock.advance(0)
    assert port.world.hub._watchers == {}
    assert port.world.leases._held == {}


def test_a_long_stream_ends_and_comes_back(port: Port, key: BackEnd) -> None:
    """A stream ends after a while, and the client comes back."""
    wire = listen(key)
    port.world.clock.pump([HEARTBEAT] * int(LONGEST_STREAM / HEARTBEAT + 1))
    assert [name for name, _ in heard(wire)] == ["resumed"]
    assert port.world.hub._watchers == {}


def test_a_backend_that_is_away_refuses_streams(
    port: Port, key: BackEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream is refused while the backend is away, and ends if it has begun."""
    wire = listen(key)
    heard(wire)
    away = ChatError(Kind.UNAVAILABLE, "away")
    monkeypatch.setattr(port.world.backend.messages, "read", lambda *_: fail(away))
    for target in (AUDIT, EVENTS):
        assert code(key.ask("GET", target)) == (503, "unavailable")
    port.world.clock.advance(HEARTBEAT)
    assert [(name, told["error"]["code"]) for name, told in heard(wire)] == [
        ("error", "unavailable")
    ]


def test_looks_are_rate_limited(make_world: Any) -> None:
    port = Port(make_world(rate_per_ip=1))
    user = BackEnd(port, port.world.token("9", rooms=MODERATING))
    for target in (RESTRICTIONS, AUDIT):
        assert [user.ask("GET", target).status for _ in range(3)] == [200, 200, 429]
        port.world.clock.advance(10)
