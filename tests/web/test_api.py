"""`livechat.web.api`."""

from __future__ import annotations

import json
from collections.abc import Callable
from time import time
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from twisted.internet.defer import Deferred
from zope.interface import implementer

from livechat.errors import ChatError, Kind
from livechat.identity.tokens import Minted
from livechat.interfaces import Credentials, IAuthenticator, Identity
from livechat.net import fast
from tests.protocol.plain_hostile import HOSTILE
from tests.support import HANDSHAKE, Answer, Port, World, request, run
from tests.support.requests import FORM, JSON


def post(port: Port, value: Any, path: str = "/chat/send/") -> Answer:
    return port.ask("POST", path, json.dumps(value).encode(), **JSON)


def history(port: Port, query: str = "") -> list[dict[str, Any]]:
    answer = port.ask("GET", f"/chat/history/{query}")
    assert answer.status == 200
    found = answer.json()
    assert set(found) == {"chat_history"}
    items: list[dict[str, Any]] = found["chat_history"]
    return items


def texts(port: Port, query: str = "") -> list[str]:
    return [each["message"] for each in history(port, query)]


def test_send(port: Port) -> None:
    """A message sent over HTTP is answered, delivered and in the history."""
    wire = port.socket("lobby")
    answer = post(port, {"message": "hi"})
    assert (answer.status, answer.json()) == (200, {"message": "Message sent!"})
    assert answer.headers["content-type"] == "application/json"
    assert wire.heard() == ["hi"]
    ((item),) = history(port)
    assert set(item) == {"message", "seq", "time"}
    assert (item["message"], item["seq"]) == ("hi", 1)
    assert answer.headers["livechat-seq"] == "1"
    assert answer.headers["livechat-time"] == str(item["time"])


@pytest.mark.parametrize("text", ["", " ", "\u200d", "\u3164"])
def test_blank_messages(port: Port, text: str) -> None:
    """Messages without visible characters are delivered."""
    assert post(port, {"message": text}).status == 200
    assert texts(port) == [text]


def test_names(port: Port) -> None:
    """A message has the given name; a reserved one is replaced, an ambiguous one refused."""
    for name in ("Ann", "Admin"):
        assert post(port, {"message": "x"}, f"/chat/send/?name={name}").status == 200
    one, two = (each["user"]["name"] for each in history(port))
    assert one == "Ann"
    assert two.startswith("guest-")
    for name in ("Ann ", "\ufe0f", "\u0301", "Ann\u3164"):
        for answer in (
            post(port, {"message": "x"}, f"/chat/send/?{urlencode({'name': name})}"),
            port.ask("GET", f"/ws/chat/r/?{urlencode({'name': name})}", **HANDSHAKE),
        ):
            assert (answer.status, answer.code()) == (400, "bad_query")


def test_before_any_message(port: Port) -> None:
    """A room in which nothing was said has an empty history."""
    assert port.ask("GET", "/chat/history/").json() == {"chat_history": []}
    assert port.ask("GET", "/chat/history/nowhere/").json() == {"chat_history": []}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/chat/send/", {"message": "x", "room": "r"}),
        ("/chat/send/r/", {"message": "x"}),
        ("/chat/send/r", {"message": "x"}),
        ("/chat/send/?room=r", {"message": "x"}),
        ("/chat/send/%72/?room=r", {"message": "x", "room": "r"}),
    ],
)
def test_rooms(port: Port, path: str, body: dict[str, str]) -> None:
    """A room is named in the body, the path or the query."""
    assert post(port, body, path).status == 200
    assert texts(port, "r/") == texts(port, "?room=r") == ["x"]
    assert texts(port) == []


def test_two_rooms(port: Port) -> None:
    """A request that names two rooms is refused."""
    assert post(port, {"message": "x", "room": "a"}, "/chat/send/b/").code() == "bad_room"
    assert port.ask("GET", "/chat/history/a/?room=b").code() == "bad_room"


@pytest.mark.parametrize(
    "room", ["", ".", "..", "a/b", "é", "a b", "\0", "x" * 129, "a\r\nb", "*", "rооm"]
)
def test_bad_rooms(port: Port, room: str) -> None:
    """A name that no room can have is refused, wherever it stands."""
    segment = quote(room, safe="")
    for answer in (
        post(port, {"message": "x", "room": room}),
        post(port, {"message": "x"}, f"/chat/send/?{urlencode({'room': room})}"),
        port.ask("GET", f"/chat/history/?{urlencode({'room': room})}"),
        port.ask("GET", f"/ws/chat/{segment}/", **HANDSHAKE),
    ):
        assert answer.status == (404 if room == "" and answer.code() == "not_found" else 400)
    assert port.world.store.read("lobby", 0, 9).messages == ()


def test_path_that_is_no_utf8(port: Port) -> None:
    """A path that is no UTF-8 is a bad request."""
    assert port.ask("GET", "/ws/chat/%ff/", **HANDSHAKE).code() == "bad_request"


@pytest.mark.parametrize(("data", "kind"), HOSTILE)
def test_hostile_json(port: Port, data: bytes, kind: Any) -> None:
    """A body that is no message is refused with its reason, and nothing is stored."""
    answer = port.ask("POST", "/chat/send/", data, **JSON)
    assert (answer.status, answer.code()) == (400, kind.code)
    assert texts(port) == []


def test_a_bad_room_type(port: Port) -> None:
    """A room that is no string is refused."""
    assert post(port, {"message": "x", "room": 7}).code() == "bad_message"


def test_form(port: Port) -> None:
    """A form works too, so that `curl -d message=hi` does."""
    assert port.ask("POST", "/chat/send/", b"message=h%C3%A9+y%26&room=r", **FORM).status == 200
    assert texts(port, "r/") == ["hé y&"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_message"),
        (b"msg=hi", "bad_message"),
        (b"message=a&message=b", "bad_form"),
        (b"message=%ff", "bad_form"),
        (b"message=\xff", "bad_form"),
        (b"message=a&" + b"a=b&" * 20_000, "bad_form"),
        (b'{"message": "hi"}', "bad_message"),
    ],
)
def test_bad_forms(port: Port, body: bytes, code: str) -> None:
    """A form that is no message is refused with its reason."""
    assert port.ask("POST", "/chat/send/", body, **FORM).code() == code


def test_json_sent_as_a_form(port: Port) -> None:
    """JSON without its Content-Type is refused with the missing header."""
    answer = port.ask("POST", "/chat/send/", b'{"message": "hi"}', **FORM)
    assert "Content-Type: application/json" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("media", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=UTF-8", 200),
        ('application/json;charset="utf-8"', 200),
        ("", 415),
        ("text/plain", 415),
        ("application/jsonx", 415),
        ("application/json; charset=utf-16", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/json, text/plain", 415),
    ],
)
def test_media_types(port: Port, media: str, status: int) -> None:
    """JSON and forms are read, in UTF-8; everything else is refused."""
    answer = port.ask("POST", "/chat/send/", b'{"message": "hi"}', Content_Type=media)
    assert answer.status == status
    if status == 415:
        assert answer.code() == "unsupported_media_type"
        assert "application/json" in answer.headers["accept"]


def test_history_windows(port: Port) -> None:
    """The query's limit, before and after choose the part of the history; the default is 100."""
    for number in range(1, 151):
        post(port, {"message": str(number)})
    whole = [str(number) for number in range(1, 151)]
    assert texts(port) == whole[50:]
    assert texts(port, "?limit=2") == ["149", "150"]
    assert texts(port, "?limit=99999") == whole
    assert texts(port, "?limit=0") == []
    assert texts(port, "?after=0&limit=2") == ["1", "2"]
    assert texts(port, "?after=149") == ["150"]
    assert texts(port, "?after=150") == []
    assert texts(port, "?before=3") == ["1", "2"]
    assert texts(port, "?before=1") == []
    assert [each["seq"] for each in history(port, "?before=100&limit=2")] == [98, 99]


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1", "limit=1e9", "limit=x", "limit=", "limit=1.5", "limit=%2B1", "limit=1_0",
        "limit=٣", "before=-1", "after=1e9", "after=99999999999999999999", "limit=1&limit=1",
        "before=9&after=1", "room=a&room=a", "limit=%ff", "limit=0x1", "before=nan", "limit=+1",
    ],
)  # fmt: skip
def test_bad_queries(port: Port, query: str) -> None:
    """A malformed or repeated value is refused."""
    answer = port.ask("GET", f"/chat/history/?{quote(query, safe='=&%')}")
    assert (answer.status, answer.code()) == (400, "bad_query")


def test_unknown_parameters(port: Port) -> None:
    """An unknown parameter is ignored."""
    assert port.ask("GET", "/chat/history/?utm_source=x").status == 200


def test_position_and_links(port: Port) -> None:
    """Headers say where the stream stands and where the neighbouring parts are."""
    for number in range(10):
        post(port, {"message": str(number), "room": "r"})
    answer = port.ask("GET", "/chat/history/r/?after=3&limit=2")
    assert answer.headers["livechat-seq"] == "10"
    assert answer.headers["livechat-epoch"] == port.world.store.epoch("r")
    assert answer.headers["link"] == (
        '</chat/history/r/?before=4&limit=2>; rel="prev", '
        '</chat/history/r/?after=5&limit=2>; rel="next"'
    )
    assert "link" not in port.ask("GET", "/chat/history/r/").headers
    assert 'rel="next"' not in port.ask("GET", "/chat/history/r/?limit=3").headers["link"]
    empty = port.ask("GET", "/chat/history/nowhere/")
    assert empty.headers["livechat-seq"] == "0"


def test_following_links(port: Port) -> None:
    """Following `prev` from the newest part leads through the whole history."""
    for number in range(25):
        post(port, {"message": str(number)})
    target = "/chat/history/?limit=10"
    found: list[int] = []
    while target:
        answer = port.ask("GET", target)
        found = [each["seq"] for each in answer.json()["chat_history"]] + found
        links = [each for each in answer.headers.get("link", "").split(", ") if "prev" in each]
        target = links[0][1 : links[0].index(">")] if links else ""
    assert found == list(range(1, 26))


def test_health(port: Port) -> None:
    """The process says that it lives, and whether it can take messages."""
    alive = {"status": "ok", "fast_path": "native" if fast.WHY_PURE is None else "pure"}
    assert port.ask("GET", "/healthz").json() == alive
    assert port.ask("GET", "/readyz").json() == {"status": "ready"}
    port.world.backend.health.trouble = "no disk"
    answer = port.ask("GET", "/readyz")
    assert (answer.status, answer.code()) == (503, "unavailable")
    assert "no disk" in answer.json()["detail"]
    assert port.ask("GET", "/healthz").status == 200
    port.world.backend.health.trouble = None


def test_number_like_texts(port: Port) -> None:
    """Texts that look like numbers stay texts, on every way through."""
    wire = port.socket("lobby")
    for text in ("007", "42", "1_000", "1e5", "nan", "+1", "null", "true", ""):
        post(port, {"message": text})
        assert wire.heard() == [text]
        assert texts(port, "?limit=1") == [text]


@pytest.mark.parametrize("target", ["/chat/history/", "/healthz", "/nowhere"])
def test_not_to_be_cached(port: Port, target: str) -> None:
    """No cache keeps an answer of the API."""
    assert port.ask("GET", target).headers["cache-control"] == "no-store"


@implementer(IAuthenticator)
class ByHeader:
    """An authenticator by header: some values are turned away, and others are never answered."""

    def __init__(self) -> None:
        self.waiting: list[Deferred[Identity | None]] = []

    def authenticate(self, credentials: Credentials) -> Any:
        if credentials.header("X-Bad"):
            raise ChatError(Kind.FORBIDDEN, "Not you.")
        if credentials.header("X-Wait"):
            self.waiting.append(Deferred())
            return self.waiting[-1]
        known_as = credentials.header("X-User")
        return Identity(known_as) if known_as else None


@pytest.fixture
def guarded(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> tuple[Port, ByHeader]:
    """A port with an authenticator."""
    by_header = ByHeader()
    world = make_world(authenticators=[by_header])
    monkeypatch.setattr("txaio.config.loop", world.clock)
    return Port(world), by_header


WAYS = [
    ("POST", "/chat/send/r/", b"message=hi", FORM),
    ("GET", "/chat/history/r/", b"", {}),
    ("GET", "/chat/events/r/", b"", {}),
    ("GET", "/ws/chat/r/", b"", HANDSHAKE),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "headers"), WAYS)
def test_turned_away(
    guarded: tuple[Port, ByHeader], method: str, path: str, body: bytes, headers: dict[str, str]
) -> None:
    """A client that an authenticator turns away is refused by every way, with the reason."""
    port, _ = guarded
    answer = port.ask(method, path, body, **headers, X_Bad="1")
    assert (answer.status, answer.code()) == (403, "forbidden")
    assert answer.json()["detail"] == "Not you."
    assert port.world.hub.rooms() == {}


def test_turned_away_from_v1(guarded: tuple[Port, ByHeader]) -> None:
    """A client of the protocol is told by a code, which browsers show."""
    port, _ = guarded
    wire = port.connect()
    told = {"Sec_WebSocket_Protocol": "livechat.v1", "X_Bad": "1"}
    wire.send(request("GET", "/ws/chat/r/", **HANDSHAKE, **told))
    assert wire.answer().status == 101
    assert wire.closed() == 4403


@pytest.mark.parametrize(("method", "path", "body", "headers"), WAYS)
def test_gone_while_it_is_asked(
    guarded: tuple[Port, ByHeader], method: str, path: str, body: bytes, headers: dict[str, str]
) -> None:
    """A client that hangs up before its authenticator has answered leaves nothing behind."""
    port, by_header = guarded
    wire = port.connect()
    wire.send(request(method, path, body, **headers, X_Wait="1"))
    wire.hang_up()
    (waiting,) = by_header.waiting
    if not waiting.called:
        waiting.callback(Identity("42"))
    assert port.world.hub.rooms() == {}
    assert len(port.connections) == len(port.sockets.sockets) == len(port.feeds) == 0


def test_known_by_an_authenticator(guarded: tuple[Port, ByHeader]) -> None:
    """A site's user is the same by every way, whatever name and key it gives."""
    port, _ = guarded
    asked = "?name=Eve&client=abcdefghijklmnop"
    assert (
        port.ask("POST", f"/chat/send/r/{asked}", b"message=hi", **FORM, X_User="ann").status == 200
    )
    (item,) = history(port, "r/")
    assert item["user"] == {"id": "ann", "name": "ann", "verified": True}
    wire = port.connect()
    wire.send(request("GET", f"/chat/events/r/{asked}", X_User="ann"))
    (_, hello), *_ = wire.events()
    assert json.loads(hello)["user"] == {"id": "ann", "name": "ann", "verified": True}
    wire.hang_up()


def token_of(port: Port, user: str, **claims: Any) -> str:
    """A token of the server's own."""
    port.world.wall = time()
    minted: Minted = run(port.world.tokens.mint(user, **claims))
    return minted.token


def test_known_by_a_token(port: Port) -> None:
    """A user with a token is the same by every way, whatever name and key the query gives."""
    asked, given = "?name=Eve&client=abcdefghijklmnop", f"Bearer {token_of(port, '42', name='Ann')}"
    ann = {"id": "42", "name": "Ann", "verified": True}
    sent = port.ask("POST", f"/chat/send/r/{asked}", b"message=hi", **FORM, Authorization=given)
    assert sent.status == 200
    assert act(port, {"message": "ho"}, "", Authorization=given).status == 200
    assert [each["user"] for each in history(port, "r/")] == [ann, ann]
    wire = port.connect()
    wire.send(request("GET", f"/chat/events/r/{asked}", Authorization=given))
    (_, hello), *_ = wire.events()
    assert json.loads(hello)["user"] == ann


@pytest.mark.parametrize(("method", "path", "body", "headers"), WAYS)
def test_a_token_that_is_over(
    port: Port, method: str, path: str, body: bytes, headers: dict[str, str]
) -> None:
    """An expired token is refused by every way."""
    port.world.wall = time() - 3_600
    minted: Minted = run(port.world.tokens.mint("42", seconds=60))
    port.world.wall = time()
    given = f"Bearer {minted.token}"
    answer = port.ask(method, path, body, **headers, Authorization=given)
    assert (answer.status, answer.code()) == (401, "token_expired")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("given", ["Bearer opaque", "Basic YTpi", "Bearer "])
def test_unknown_credentials(port: Port, given: str) -> None:
    """A credential that no extension knows leaves the client a guest."""
    assert port.ask("GET", "/chat/history/r/", Authorization=given).status == 200


def act(port: Port, action: Any, query: str = "client=" + "k" * 16, **headers: str) -> Answer:
    data = action if isinstance(action, bytes) else json.dumps(action).encode()
    return port.ask("POST", f"/chat/actions/r/?{query}", data, **JSON, **headers)


def test_actions(port: Port) -> None:
    """A message is said, edited and taken back by HTTP; histories follow."""
    plain = port.socket("r")
    said = act(port, {"message": "helo", "reply_to": 7, "data": {"a": [1]}})
    assert said.status == 200
    assert said.json() == {"type": "ack", "seq": 1, "time": said.json()["time"]}
    (item,) = history(port, "r/")
    assert (item["message"], item["reply_to"], item["data"]) == ("helo", 7, {"a": [1]})
    assert act(port, {"type": "edit", "ref": 1, "message": "hello"}).json()["seq"] == 2
    (item,) = history(port, "r/")
    assert (item["message"], item["seq"], "data" in item) == ("hello", 1, False)
    assert item["edited"] >= item["time"]
    answer = act(port, {"type": "retract", "refs": [1]})
    assert (answer.json()["seq"], answer.json()["count"]) == (3, 1)
    assert history(port, "r/") == []
    assert port.ask("GET", "/chat/history/r/").headers["livechat-seq"] == "3"
    assert plain.heard() == ["helo"]


def test_links_go_by_numbers_looked_at(port: Port) -> None:
    """An empty page links to the next one as well."""
    act(port, {"message": "first"})
    act(port, {"message": "x"})
    for number in range(18):
        act(port, {"type": "edit", "ref": 2, "message": str(number)})
    act(port, {"type": "retract", "ref": 2})
    answer = port.ask("GET", "/chat/history/r/?limit=1")
    assert answer.json() == {"chat_history": []}
    assert answer.headers["link"] == '</chat/history/r/?before=12&limit=1>; rel="prev"'
    answer = port.ask("GET", "/chat/history/r/?limit=1&before=12")
    assert answer.json() == {"chat_history": []}
    assert answer.headers["link"].startswith("</chat/history/r/?before=2&limit=1>")
    assert [each["message"] for each in history(port, "r/?limit=1&before=2")] == ["first"]


def test_data_and_replies_of_messages(port: Port) -> None:
    """``/chat/send/`` takes data and replies too, in JSON."""
    assert post(port, {"message": "x", "reply_to": 3, "data": {"a": None}}).status == 200
    (item,) = history(port)
    assert (item["reply_to"], item["data"]) == (3, {"a": None})
    for body in ({"reply_to": 0}, {"reply_to": "1"}, {"data": 1}, {"data": {"a": "x" * 4096}}):
        assert post(port, {"message": "x", **body}).code() == "bad_message"


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 400, "bad_json"),
        (b"{", 400, "bad_json"),
        (b'{"type":"message","message":"\xff"}', 400, "bad_json"),
        (b'{"message":"x","data":{"a":"\xff"}}', 400, "bad_json"),
        (b'{"message":"x","data":{"a":"\\ud800"}}', 400, "bad_json"),
        (b"[]", 400, "bad_message"),
        (b'{"type":"ping"}', 400, "unknown_type"),
        (b'{"type":"retract","ref":1}', 404, "not_found"),
        (b'{"type":"retract","ref":1,"nonce":""}', 400, "bad_message"),
        (b'{"message":" "}', 400, "empty_message"),
        (b'{"message":"' + b"x" * 20_000 + b'"}', 400, "message_too_long"),
    ],
)
def test_hostile_actions(port: Port, data: bytes, status: int, code: str) -> None:
    """A body that is no action is refused with its reason, and nothing is stored."""
    answer = act(port, data)
    assert (answer.status, answer.code()) == (status, code)
    assert port.world.store.read("r", 0, 9).entries == ()


def test_actions_on_messages_of_others(port: Port) -> None:
    """Only its author changes a message; one without an author, nobody."""
    act(port, {"message": "x"}, "client=" + "a" * 16)
    act(port, {"message": "y"}, "")
    for query in ("client=" + "b" * 16, "name=Ann", ""):
        for ref in (1, 2):
            answer = act(port, {"type": "retract", "ref": ref}, query)
            assert (answer.status, answer.code()) == (403, "forbidden")


def test_actions_need_json(port: Port) -> None:
    """Actions by a form, or by GET, are refused."""
    answer = port.ask("POST", "/chat/actions/r/", b"message=x", **FORM)
    assert (answer.status, answer.headers["accept"]) == (415, "application/json")
    assert port.ask("GET", "/chat/actions/r/").status == 405
    assert port.ask("POST", "/chat/actions/", b"{}", **JSON).status == 400


def test_nonces_of_actions(port: Port) -> None:
    """The header and the body name the same nonce, or one does; a repetition is done once."""
    body = {"message": "x", "nonce": "n"}
    first, again = act(port, body).json(), act(port, body, Idempotency_Key="n").json()
    assert (first["seq"], first["nonce"], first.get("duplicate")) == (1, "n", None)
    assert (again["seq"], again["duplicate"]) == (1, True)
    assert act(port, {"message": "x"}, Idempotency_Key='"n"').json()["duplicate"]
    assert act(port, body, Idempotency_Key="m").code() == "bad_request"
    # Guests without a key share their nonces.
    assert act(port, body, "").code() == "bad_request"
    assert act(port, {"message": "y", "nonce": "n"}).code() == "nonce_reused"
