"""`livechat.web.api`: messages sent and histories read by HTTP."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import pytest

from livechat.net import fast
from tests.protocol.plain_hostile import HOSTILE
from tests.support import HANDSHAKE, Port
from tests.support.requests import FORM, JSON
from tests.web.asking import history, post, texts


def test_a_sent_message_is_answered_and_delivered(port: Port) -> None:
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
def test_blank_messages_are_delivered(port: Port, text: str) -> None:
    """Messages without visible characters are delivered."""
    assert post(port, {"message": text}).status == 200
    assert texts(port) == [text]


def test_a_reserved_name_is_replaced(port: Port) -> None:
    """A message has the given name; a reserved one is replaced."""
    for name in ("Ann", "Admin"):
        assert post(port, {"message": "x"}, f"/chat/send/?name={name}").status == 200
    one, two = (each["user"]["name"] for each in history(port))
    assert one == "Ann"
    assert two.startswith("guest-")


@pytest.mark.parametrize("name", ["Ann ", "\ufe0f", "\u0301", "Ann\u3164"])
def test_an_ambiguous_name_is_refused(port: Port, name: str) -> None:
    """A name that looks like another one, or like none, is refused by every way."""
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
def test_a_room_is_named_in_body_path_or_query(port: Port, path: str, body: dict[str, str]) -> None:
    """A room is named in the body, the path or the query."""
    assert post(port, body, path).status == 200
    assert texts(port, "r/") == texts(port, "?room=r") == ["x"]
    assert texts(port) == []


def test_a_request_with_two_rooms_is_refused(port: Port) -> None:
    """A request that names two rooms is refused."""
    assert post(port, {"message": "x", "room": "a"}, "/chat/send/b/").code() == "bad_room"
    assert port.ask("GET", "/chat/history/a/?room=b").code() == "bad_room"


@pytest.mark.parametrize(
    "room", ["", ".", "..", "a/b", "é", "a b", "\0", "x" * 129, "a\r\nb", "*", "rооm"]
)
def test_bad_rooms_are_refused(port: Port, room: str) -> None:
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
def test_hostile_json_stores_nothing(port: Port, data: bytes, kind: Any) -> None:
    """A body that is no message is refused with its reason, and nothing is stored."""
    answer = port.ask("POST", "/chat/send/", data, **JSON)
    assert (answer.status, answer.code()) == (400, kind.code)
    assert texts(port) == []


def test_a_bad_room_type(port: Port) -> None:
    """A room that is no string is refused."""
    assert post(port, {"message": "x", "room": 7}).code() == "bad_message"


def test_a_form_sends_too(port: Port) -> None:
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
def test_bad_forms_are_refused(port: Port, body: bytes, code: str) -> None:
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
def test_json_and_forms_are_read(port: Port, media: str, status: int) -> None:
    """JSON and forms are read, in UTF-8; everything else is refused."""
    answer = port.ask("POST", "/chat/send/", b'{"message": "hi"}', Content_Type=media)
    assert answer.status == status
    if status == 415:
        assert answer.code() == "unsupported_media_type"
        assert "application/json" in answer.headers["accept"]


def test_a_query_chooses_a_part_of_the_history(port: Port) -> None:
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
def test_bad_queries_are_refused(port: Port, query: str) -> None:
    """A malformed or repeated value is refused."""
    answer = port.ask("GET", f"/chat/history/?{quote(query, safe='=&%')}")
    assert (answer.status, answer.code()) == (400, "bad_query")


def test_unknown_parameters_are_ignored(port: Port) -> None:
    """An unknown parameter is ignored."""
    assert port.ask("GET", "/chat/history/?utm_source=x").status == 200


def test_headers_have_position_and_links(port: Port) -> None:
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


def test_links_lead_through_the_history(port: Port) -> None:
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


def test_the_process_says_if_it_lives_and_is_ready(port: Port) -> None:
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


@pytest.mark.parametrize("text", ["007", "42", "1_000", "1e5", "nan", "+1", "null", "true", ""])
def test_a_text_like_a_number_stays_a_text(port: Port, text: str) -> None:
    """A text that looks like a number stays a text, on every way through."""
    wire = port.socket("lobby")
    post(port, {"message": text})
    assert wire.heard() == [text]
    assert texts(port, "?limit=1") == [text]


@pytest.mark.parametrize("target", ["/chat/history/", "/healthz", "/nowhere"])
def test_not_to_be_cached(port: Port, target: str) -> None:
    """No cache keeps an answer of the API."""
    assert port.ask("GET", target).headers["cache-control"] == "no-store"
