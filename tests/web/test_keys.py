"""`livechat.web.keys`: keys and tokens by HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from livechat.identity.keys import MOST_OF_A_NAME
from livechat.protocol.audit import Action
from tests.support import HANDSHAKE, LOCAL_KEY, Answer, Port, request
from tests.web.back_end import ALL, KEYS, NEWS, TOKEN, BackEnd, code, records

NOW = 1_790_000_000
FORM = {"Content_Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def manager(port: Port) -> BackEnd:
    return BackEnd(port, as_users=True)


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", KEYS, None),
        ("POST", KEYS, {"name": "n", "rooms": {}}),
        ("DELETE", f"{KEYS}x/", None),
    ],
)
def test_who_may_not(port: Port, method: str, target: str, body: Any) -> None:
    """Keys are for callers who manage everything; others do not learn which exist."""
    for rooms in ({}, {"*": ["moderate", "send"]}, {"lobby": ["*"]}, {"lobby*": ["*"]}):
        lesser = BackEnd(port, rooms=rooms, name=str(rooms))
        assert code(lesser.ask(method, target, body)) == (403, "forbidden")
    assert code(BackEnd(port, f"lck_x_{'w' * 43}").ask(method, target, body)) == (
        401,
        "unauthorized",
    )
    assert code(BackEnd(port, "").ask(method, target, body)) == (401, "unauthorized")
    user = BackEnd(port, port.world.token(rooms={"*": ["join", "history", "send", "moderate"]}))
    assert code(user.ask(method, target, body)) == (403, "forbidden")
    assert records(port.world) == []


@pytest.mark.parametrize("origin", ["https://localhost:10443", "https://elsewhere.example"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_key_in_a_browser(manager: BackEnd, origin: str, method: str) -> None:
    """A key from a page is refused, and its developer is told what to use."""
    body = {"name": "n", "rooms": {}} if method == "POST" else None
    answer = manager.ask(method, KEYS, body, Origin=origin)
    assert answer.status == 403
    if answer.code() == "forbidden":
        assert "/chat/token/" in answer.json()["detail"]
    assert manager.ask("GET", KEYS, Sec_Fetch_Site="same-origin").code() == "forbidden"
    assert len(manager.ask("GET", KEYS).json()["keys"]) == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", "bad_json"),
        (b"[]", "bad_message"),
        ({"rooms": {}}, "bad_message"),
        ({"name": "n"}, "bad_message"),
        ({"name": "n", "rooms": ["a"]}, "bad_message"),
        ({"name": "n", "rooms": {}, "rate": -1}, "bad_message"),
        ({"name": "n", "rooms": {}, "rate": "many"}, "bad_message"),
        ({"name": "n", "rooms": {}, "as": 1}, "bad_message"),
        ({"name": "n", "rooms": {}, "seconds": 0}, "bad_message"),
        ({"name": "n", "rooms": {}, "scope": "all"}, "bad_message"),
        ({"name": "", "rooms": {}}, "bad_request"),
        ({"name": "x" * 41, "rooms": {}}, "bad_request"),
        ({"name": "a\nb", "rooms": {}}, "bad_request"),
        ({"name": "n", "rooms": {"a!": ["send"]}}, "bad_request"),
        ({"name": "n", "rooms": {"!audit": ["send"]}}, "bad_request"),
        ({"name": "n", "rooms": {"a": ["fly"]}}, "bad_request"),
        ({"name": "n", "rooms": {f"r{n}": ["send"] for n in range(101)}}, "bad_request"),
    ],
)
def test_no_such_keys(manager: BackEnd, body: Any, expected: str) -> None:
    """A body that cannot be a key is refused, and nothing is made."""
    assert code(manager.ask("POST", KEYS, body)) == (400, expected)
    assert len(manager.ask("GET", KEYS).json()["keys"]) == 1
    assert records(manager.port.world) == []


def test_more_than_one_has(port: Port) -> None:
    """A key makes none with more rights than it has, of no kind, and none that outlives it."""
    held = {"*": ["join", "send", "manage"], "secret": ["join", "manage"], "team-*": ["manage"]}
    maker = BackEnd(port, rooms=held, expires=NOW + 100)
    for rooms in (
        {"*": ["history"]}, {"lobby": ["*"]}, {"*": ["send"]}, {"secret": ["send"]},
        {"team-*": ["join"]}, {"s*": ["send"]}, {"team-1": ["send"]},
    ):  # fmt: skip
        assert code(maker.make(rooms=rooms)) == (403, "forbidden")
    assert code(maker.make(rooms={}, as_users=True)) == (403, "forbidden")
    made = maker.make(rooms={"lobby": ["join", "send"], "team-1": ["manage"]})
    assert (made.status, made.json()["expires"]) == (200, NOW + 100)
    assert maker.make(rooms={}, seconds=7).json()["expires"] == NOW + 7
    assert maker.make("other", rooms={}, seconds=10**9).json()["expires"] == NOW + 100
    user = BackEnd(port, port.world.token(rooms=ALL))
    assert code(user.make("third", as_users=True)) == (403, "forbidden")
    assert user.make("third").status == 200


def test_a_third_of_a_name(manager: BackEnd) -> None:
    """Two keys of a name are enough to replace one; a third is refused."""
    for _ in range(MOST_OF_A_NAME):
        assert manager.make().status == 200
    assert code(manager.make()) == (409, "too_many_keys")


def test_made_listed_dropped(manager: BackEnd) -> None:
    """A key's secret is in one answer only; a dropped key is refused; the audit has both acts."""
    port = manager.port
    made = manager.make(rate=7, seconds=60, as_users=True).json()
    credential = made.pop("key")
    assert made == {
        "id": credential.split("_")[1], "name": "news", "rooms": NEWS, "as": True, "rate": 7.0,
        "made": NOW, "expires": NOW + 60, "scope": None,
    }  # fmt: skip
    listed = manager.ask("GET", KEYS)
    assert made in listed.json()["keys"]
    assert credential.split("_", 2)[2].encode() not in listed.body
    news = BackEnd(port, credential)
    assert news.may("news", "POST")
    assert code(news.ask("POST", "/chat/send/lobby/", {"message": "x"})) == (403, "forbidden")
    assert not news.may("news")
    assert manager.ask("DELETE", f"{KEYS}{made['id']}/").json() == {"dropped": made["id"]}
    assert code(news.ask("POST", "/chat/send/news/", {"message": "x"})) == (401, "unauthorized")
    assert code(manager.ask("DELETE", f"{KEYS}{made['id']}/")) == (404, "not_found")
    for known_as in ("local", "%C3%A9", "x" * 300, "%00"):
        assert code(manager.ask("DELETE", f"{KEYS}{known_as}/")) == (404, "not_found")
    found = records(port.world)
    assert [each.action for each in found] == [
        Action(done, name="news", key=made["id"]) for done in ("key_add", "key_drop")
    ]
    assert {(each.by.kind, each.by.name) for each in found} == {("key", "back end")}


def test_an_audit_that_cannot_be_written(manager: BackEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key is made or dropped without a record in the audit."""
    monkeypatch.setattr("livechat.events.recording.MOST_WAITING", 0)
    assert code(manager.make()) == (503, "unavailable")
    assert code(manager.ask("DELETE", f"{KEYS}{manager.id}/")) == (503, "unavailable")
    assert len(manager.ask("GET", KEYS).json()["keys"]) == 1


def test_its_sockets_close(manager: BackEnd) -> None:
    """Members that came with a dropped or ended key are closed."""
    port = manager.port
    v1 = {"Sec_WebSocket_Protocol": "livechat.v1"}
    wires = []
    for key in (manager.make("a", ALL, seconds=60).json(), manager.make("b", ALL).json()):
        wire = port.connect()
        given = {"Authorization": f"Bearer {key['key']}"}
        wire.send(request("GET", "/ws/chat/news/", **HANDSHAKE, **v1, **given))
        assert wire.answer().status == 101
        hello = json.loads(wire.frames()[0][1])
        assert hello["user"] == {"id": f"!key:{key['id']}", "name": key["name"], "verified": True}
        assert hello.get("expires") == key["expires"]
        wires.append(wire)
    manager.ask("DELETE", f"{KEYS}{key['id']}/")
    port.world.clock.advance(60)
    assert [wire.closed() for wire in wires] == [4101, 4101]


def test_its_events_for_a_user(manager: BackEnd) -> None:
    """A key that may names a user in the query of a member."""
    wire = manager.port.connect()
    wire.send(request("GET", "/chat/events/news/?user=42&name=Ann", **manager.headers))
    (_, hello), *_ = wire.events()
    assert json.loads(hello)["user"] == {"id": "42", "name": "Ann", "verified": True}
    lesser = BackEnd(manager.port, name="lesser")
    assert code(lesser.ask("GET", "/chat/events/news/?user=42")) == (403, "forbidden")


def test_a_key_may_say_for_users(manager: BackEnd) -> None:
    """The field `user` counts with a key that may act for users, and is ignored without."""
    port = manager.port

    def say(of: BackEnd, user: Any) -> Answer:
        return of.ask("POST", "/chat/send/news/", {"message": "x", "user": user})

    ann = {"id": "42", "name": "Ann", "role": "vip"}
    assert {say(manager, user).status for user in (ann, "7", None)} == {200}
    assert manager.may("news", "POST")
    guest, user = BackEnd(port, ""), BackEnd(port, port.world.token("9"))
    for nonsense in ("7", {"no": "id"}, 7, ["x"]):  # ignored, as without keys
        assert say(guest, nonsense).status == say(user, nonsense).status == 200
    said = manager.ask("GET", "/chat/history/news/").json()["chat_history"]
    users = [each.get("user") for each in said]
    assert users[:4] == [
        ann | {"verified": True}, {"id": "7", "name": "7", "verified": True}, None, None,
    ]  # fmt: skip
    assert {None if each is None else each["id"] for each in users[4:]} == {None, "9"}
    for wrong in ({"no": "id"}, 7, ["x"], {"id": 7}):
        assert code(say(manager, wrong)) == (400, "bad_message")
    for nobody in ("a!b", "", "!operator", "x" * 65):
        assert code(say(manager, nobody)) == (400, "bad_request")
    assert code(say(BackEnd(port, name="lesser"), "7")) == (403, "forbidden")


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (b"{", 400, "bad_json"),
        ({}, 400, "bad_message"),
        ({"user": 42}, 400, "bad_message"),
        ({"user": "42", "seconds": 0}, 400, "bad_message"),
        ({"user": "42", "seconds": 31 * 86_400}, 400, "bad_request"),
        ({"user": "a!b"}, 400, "bad_request"),
        ({"user": "!operator"}, 400, "bad_request"),
        ({"user": "42", "rooms": {"a": ["fly"]}}, 400, "bad_request"),
        ({"user": "42", "rooms": {f"{n:->120}": ["send"] for n in range(100)}}, 400, "bad_request"),
    ],
)
def test_no_such_tokens(manager: BackEnd, body: object, status: int, expected: str) -> None:
    """A body that cannot be a token is refused."""
    assert code(manager.ask("POST", TOKEN, body)) == (status, expected)


def test_tokens_are_for_keys_that_may(port: Port) -> None:
    """Guests, users and keys without that right mint no tokens, with any other rights."""
    for who, status in (
        (BackEnd(port, ""), 401),
        (BackEnd(port, port.world.token(rooms=ALL)), 403),
        (BackEnd(port), 403),
    ):
        assert who.mint().status == status


def test_a_minted_token_ends_with_its_key(manager: BackEnd) -> None:
    """A token identifies its user, and ends no later than the key that minted it."""
    port = manager.port
    answer = manager.mint(name="Ann", role="vip", seconds=90).json()
    assert answer["expires"] == NOW + 90
    ann = BackEnd(port, answer["token"])
    assert ann.may("news", "POST")
    (said,) = ann.ask("GET", "/chat/history/news/").json()["chat_history"]
    assert said["user"] == {"id": "42", "name": "Ann", "role": "vip", "verified": True}
    short = BackEnd(port, name="short", as_users=True, expires=NOW + 10)
    assert short.mint().json()["expires"] == NOW + 10
    assert manager.mint().json()["expires"] == NOW + 3_600


def test_rights_of_a_token(port: Port) -> None:
    """A token has no more rights than its key: by default those of users that the key has too."""
    whole = BackEnd(port, rooms={"*": ["*"]}, as_users=True, name="whole")
    part = BackEnd(port, rooms={"a": ["*"], "b": ["send"]}, as_users=True, name="part")
    for key, rooms, expected in (
        (whole, None, {"a": True, "b": True, "c": True}),
        (whole, {"b": ["history"]}, {"a": False, "b": True, "c": False}),
        (part, None, {"a": True, "b": False, "c": False}),
    ):
        user = BackEnd(port, key.mint(rooms=rooms).json()["token"])
        assert {room: user.may(room) for room in expected} == expected
        assert code(user.ask("GET", KEYS)) == (403, "forbidden")
    assert BackEnd(port, part.mint().json()["token"]).may("b", "POST")
    for rooms in ({"c": ["send"]}, {"*": ["send"]}, {"b": ["history"]}):
        assert code(part.mint(rooms=rooms)) == (403, "forbidden")


def test_requests_of_a_key_share_its_rate(port: Port) -> None:
    """All requests of a key count for its rate."""
    slow = BackEnd(port, rate=1, as_users=True)
    assert [slow.mint().status for _ in range(3)] == [200, 200, 429]


def test_metrics_are_for_keys_with_the_scope(port: Port) -> None:
    """Metrics are for keys with that scope, from any address."""
    port.ask("GET", "/healthz")
    scoped = BackEnd(port, rooms={}, scope="metrics", name="prometheus")
    assert scoped.ask("GET", "/metrics").status == 200
    for other in (BackEnd(port), BackEnd(port, LOCAL_KEY), BackEnd(port, f"lck_x_{'w' * 43}")):
        assert code(other.ask("GET", "/metrics")) == (403, "forbidden")


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("127.0.0.1", {"Host": "chat.example"}, 401),
        ("127.0.0.1", {"X_Forwarded_For": "127.0.0.1"}, 401),
        ("127.0.0.1", {"Via": "1.1 x"}, 401),
        ("127.0.0.1", {"Origin": "https://localhost:10443"}, 403),
        ("192.0.2.1", {}, 401),
    ],
)
def test_the_local_key_counts_on_this_machine(
    port: Port, address: str, headers: dict[str, str], status: int
) -> None:
    """The local key counts on this machine only, and not through a proxy."""
    given = {"Authorization": f"Bearer {LOCAL_KEY}", **headers}
    assert port.ask("GET", KEYS, _from=address, **given).status == status
