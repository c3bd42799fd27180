"""`livechat.web.contract`, held against the routes, the frames and real answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, get_args
from urllib.parse import urlencode

import pytest
from jsonschema import Draft202012Validator
from msgspec import Struct
from openapi_spec_validator import validate

from livechat.backends.retention import Retention
from livechat.errors import Close, Kind
from livechat.http.endpoint import Endpoint
from livechat.members.session import ASK_RATE
from livechat.protocol import actions, back_ends, bodies, messages, plain
from livechat.protocol import v1 as frames
from livechat.protocol.messages import Place
from livechat.protocol.settings import SettingsChange
from livechat.rooms.presence import LARGE_ROOM
from livechat.web import contract, operations
from tests.members.plain_client import Client as PlainClient
from tests.members.session_client import KEY, Client, say
from tests.protocol.plain_hostile import HOSTILE as HOSTILE_JSON
from tests.protocol.v1_hostile import HOSTILE, UNDERSTOOD, named
from tests.support import ADMIN, HANDSHAKE, SOMEBODY, Answer, Port, World, request, run
from tests.support.requests import FORM, JSON
from tests.web.back_end import BackEnd

#: Kinds of which only operators hear.
OPERATORS = {Kind.BAD_TOKEN, Kind.WRONG_PASSWORD, Kind.NOT_SIGNED_IN}
HELLO = b'{"message": "hi"}'


class Described:
    """A document that must describe every body that is sent."""

    def __init__(self, document: Any) -> None:
        self.document = document
        # Each refers to the document's components: to look through them for every value costs more
        # than to check it.
        self._open, self._closed = (
            Draft202012Validator({"components": each["components"]})
            for each in (document, closed(document))
        )

    def fits(self, schema: Any, value: Any, *, more: bool = False) -> bool:
        """
        @param more: there may be keys that are not described.
        """
        validator = self._open if more else self._closed
        return bool(validator.evolve(schema=schema).is_valid(value))

    def carried(self, operation: str, value: Any, *, more: bool = False) -> list[str]:
        """Find an operation's messages that describe *value*, by name."""
        names = [
            each["$ref"].rpartition("/")[2]
            for each in self.document["operations"][operation]["messages"]
        ]
        messages = self.document["components"]["messages"]
        return [name for name in names if self.fits(messages[name]["payload"], value, more=more)]

    def check(self, method: str, target: str, answer: Answer) -> None:
        """Check that an HTTP answer is described."""
        media, path = answer.headers.get("content-type", ""), target.partition("?")[0]
        for template, item in self.document["paths"].items():
            pattern = re.sub(r"\{\w+\}", "[^/]+", template).removesuffix("/") + "/?"
            if re.fullmatch(pattern, path) and method.lower() in item:
                expected = item[method.lower()]["responses"][str(answer.status)]
                schema = expected["content"][media]["schema"]
                headers = expected.get("headers", {})
                break
        else:
            assert answer.status in (404, 405)
            schema, headers = {"$ref": "#/components/schemas/Problem"}, {}
        assert self.fits(schema, answer.json()), (schema, answer)
        needed = {name.lower() for name in headers if headers[name].get("required")}
        assert needed <= set(answer.headers)
        assert ("retry-after" in answer.headers) <= ("Retry-After" in headers)


def closed(schema: Any) -> Any:
    """Copy a schema so that keys that are not described are not allowed."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    more = {"additionalProperties": False} if {"properties", "type"} <= schema.keys() else {}
    return {name: closed(value) for name, value in schema.items()} | more


def found(value: Any, key: str) -> Iterator[Any]:
    """Find all values under *key*, at any depth."""
    if isinstance(value, dict):
        yield from (each for name, each in value.items() if name == key)
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from found(each, key)


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Described, Described]]:
    """The documents of a port with the default limits, which each test's port has."""
    world = World(tmp_path_factory.mktemp("state"))
    places = Port(world).tree.places()
    yield Described(contract.openapi(world.chat, places)), Described(contract.asyncapi(world.chat))
    world.close()


@pytest.fixture
def openapi(documents: tuple[Described, Described]) -> Described:
    return documents[0]


@pytest.fixture
def asyncapi(documents: tuple[Described, Described]) -> Described:
    return documents[1]


@pytest.mark.parametrize("name", ["openapi", "asyncapi"])
def test_served(port: Port, request: pytest.FixtureRequest, name: str) -> None:
    """Both documents are there for all, and hold together."""
    answer = port.ask("GET", f"/{name}.json", Origin="https://elsewhere.example")
    document = answer.json()
    assert document == request.getfixturevalue(name).document
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    for reference in found(document, "$ref"):
        there = document
        for part in reference.removeprefix("#/").split("/"):
            there = there[part]
    components = document["components"]["schemas"]
    for schema in (*components.values(), *found(document, "schema"), *found(document, "query")):
        Draft202012Validator.check_schema(schema)
    assert "@ivar" not in answer.body.decode()


def test_names() -> None:
    """No two structs that are described have the same name."""
    structs = {
        each
        for module in (messages, actions, bodies, back_ends, plain, frames)
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Struct)
    }
    assert len({each.__name__ for each in structs}) == len(structs)


def test_openapi_is_valid(openapi: Described) -> None:
    """The document is valid by the specification's own schema."""
    validate(openapi.document)


def test_every_endpoint(port: Port, openapi: Described) -> None:
    """All endpoints for programs are described, and nothing else."""
    pages = {"/", "/developers/", "/rooms/", "/rooms/{room}/", "/static/{name}"}
    assert {
        path: {method.upper() for method in item.keys() - {"parameters"}}
        for path, item in openapi.document["paths"].items()
    } == {
        place.path: set(place.answers)
        for place in port.tree.places()
        if isinstance(place, Endpoint)
        if place.path not in pages and not place.path.startswith("/admin/")
    }


def test_every_kind(openapi: Described, asyncapi: Described) -> None:
    """Every kind of error is described."""
    texts = (
        openapi.document["components"]["schemas"]["Problem"],
        asyncapi.document["components"]["schemas"]["ErrorText"],
    )
    codes = {code for text in texts for code in text["properties"]["code"]["enum"]}
    assert codes == {kind.code for kind in set(Kind) - OPERATORS}
    closes = asyncapi.document["channels"]["v1"]["x-close-codes"]
    assert closes.keys() == {str(int(code)) for code in Close}


def test_limits(make_world: Callable[..., World]) -> None:
    """The described limits are those of the chat."""
    chat = make_world(max_message=10, rate=3).chat
    for document, names in (
        (contract.openapi(chat, []), ["SendRequest"]),
        (contract.asyncapi(chat), ["Say", "PlainSay"]),
    ):
        for name in names:
            schema = document["components"]["schemas"][name]
            assert schema["properties"]["message"]["maxLength"] == 10
        assert document["info"]["x-limits"]["rate"] == 3
    assert "{7,64}" in json.dumps(operations.send("send", chat, 7))


@pytest.mark.parametrize(
    ("method", "target", "body", "headers", "expected"),
    [
        ("POST", "/chat/send/", HELLO, JSON, 200),
        ("POST", "/chat/send/r/?name=Ann", b"message=hi&room=r", FORM, 200),
        ("GET", "/chat/history/", b"", {}, 200),
        ("GET", "/chat/history/r/?limit=1", b"", {}, 200),
        ("GET", "/chat/history/nowhere/", b"", {}, 200),
        ("GET", "/healthz", b"", {}, 200),
        ("GET", "/readyz", b"", {}, 200),
        ("GET", "/chat/origin/", b"", {}, 200),
        ("GET", "/chat/origin/", b"", {"Origin": "https://other.example"}, 200),
        ("GET", "/openapi.json", b"", {}, 200),
        ("GET", "/asyncapi.json", b"", {}, 200),
        ("POST", "/chat/send/", b"{", JSON, "bad_json"),
        ("POST", "/chat/send/", b"{}", JSON, "bad_message"),
        ("POST", "/chat/send/", b'{"message": "%b"}' % (b"x" * 16_385), JSON, "message_too_long"),
        ("POST", "/chat/send/", b"message=%ff", FORM, "bad_form"),
        ("POST", "/chat/send/", HELLO, {}, "unsupported_media_type"),
        ("POST", "/chat/send/a/?room=b", HELLO, JSON, "bad_room"),
        ("POST", "/chat/send/?name=", HELLO, JSON, "bad_query"),
        ("POST", "/chat/send/", HELLO, JSON | {"Idempotency_Key": "n"}, "bad_request"),
        ("POST", "/chat/send/", HELLO, JSON | {"Host": "a b"}, "bad_host"),
        ("POST", "/chat/send/", HELLO, JSON | {"Origin": "https://other.example"}, "bad_origin"),
        ("POST", "/chat/send/", b"", {"Content_Length": "9999999"}, "body_too_large"),
        ("GET", "/chat/history/*/", b"", {}, "bad_room"),
        ("GET", "/chat/history/?limit=x", b"", {}, "bad_query"),
        ("GET", "/chat/history/r/", b"", {"Origin": "https://other.example"}, "bad_origin"),
        ("GET", "/chat/events/r/?since=x", b"", {}, "bad_query"),
        ("GET", "/ws/chat/*/", b"", HANDSHAKE, "bad_room"),
        ("GET", "/ws/chat/r/", b"", {}, "upgrade_required"),
        ("GET", "/ws/chat/r/", b"", HANDSHAKE | {"Sec_WebSocket_Key": "x"}, "bad_handshake"),
        ("GET", "/chat/", b"", {}, "not_found"),
        ("DELETE", "/chat/history/", b"", {}, "method_not_allowed"),
    ],
)
def test_answers(
    port: Port,
    openapi: Described,
    method: str,
    target: str,
    body: bytes,
    headers: dict[str, str],
    expected: int | str,
) -> None:
    """Answers of all kinds are described, errors included."""
    say(port.world, "before", "it")
    ann = messages.User("1", "A")
    port.world.chat.send(port.world.caller("192.0.2.2", ann), "r", "x")
    answer = port.ask(method, target, body, **headers)
    assert (answer.status if answer.status == 200 else answer.code()) == expected
    openapi.check(method, target, answer)


def test_moderation(port: Port, openapi: Described) -> None:
    """Requests of moderators and refusals of restricted users are described."""
    key, user = BackEnd(port), BackEnd(port, port.world.token("7", name="Ann"))

    def ask(by: BackEnd, method: str, target: str, body: Any = None) -> None:
        answer = by.ask(method, target, body)
        assert answer.status < 400 or by is user, answer
        openapi.check(method, target, answer)

    acts = "/chat/actions/r/"
    ask(user, "POST", acts, {"message": "x", "data": {"a": 1}, "reply_to": 1})
    ask(user, "POST", acts, {"type": "report", "ref": 1, "reason": "rude"})
    ask(key, "POST", acts, {"type": "room", "set": {"hold": "all", "words": ["bad"]}})
    for target in ("/chat/send/r/", acts, "/chat/actions/"):
        ask(user, "POST", target, {"message": target, "room": "r"})
    ban = {"type": "restrict", "user": "7", "kind": "ban", "seconds": 60, "reason": "x"}
    for target in ("rooms", "rooms/r", "cases", "cases/r", "audit", "restrictions"):
        ask(key, "GET", f"/chat/{target}/?limit=1")
    ask(key, "GET", "/chat/rooms/r/?last=1")
    ask(key, "POST", acts, {"type": "retract", "ref": 1})
    ask(key, "POST", acts, ban)
    ask(key, "POST", "/chat/actions/", {"actions": [{**ban, "everywhere": True, "user": "8"}]})
    for target in ("restrictions", "restrictions/r", "audit", "history/r"):
        ask(key, "GET", f"/chat/{target}/")
        ask(user, "GET", f"/chat/{target}/")
    ask(user, "POST", "/chat/send/r/", {"message": "x"})


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/chat/send/", HELLO),
        ("/chat/actions/lobby/", HELLO),
        ("/chat/actions/", b'{"room":"lobby","message":"hi"}'),
    ],
)
def test_held(port: Port, openapi: Described, target: str, body: bytes) -> None:
    """A message that waits for a review is no error: its case is in a header."""
    run(port.world.chat.settings.change("lobby", SettingsChange(hold="all")))
    answer = port.ask("POST", target, body, **JSON, Idempotency_Key="k" * 16)
    assert answer.status == 202
    openapi.check("POST", target, answer)
    ((case, _),) = port.world.chat.cases.listed(ADMIN)
    assert answer.headers["livechat-case"] == case
    assert answer.json() == {"message": "Message held.", "case": case}
    again = port.ask("POST", target, body, **JSON, Idempotency_Key="k" * 16)
    assert (again.status, again.headers["livechat-case"]) == (202, case)


def test_refusals(make_world: Callable[..., World], openapi: Described) -> None:
    """Refusals that any request may get are described too."""
    port = Port(make_world(), most=2, most_per_address=1)
    first, slow = port.connect("192.0.2.1"), port.connect("192.0.2.2")
    crowded = port.ask("GET", "/healthz", _from="192.0.2.1")
    full = port.ask("GET", "/healthz", _from="192.0.2.3")
    first.send(b"nonsense\r\n\r\n")
    slow.send(b"GET /")
    port.world.clock.advance(10)
    answers = [crowded, full, first.answer(), slow.answer()]
    for answer in answers:
        openapi.check("GET", "/healthz", answer)
    assert [answer.code() for answer in answers] == [
        "too_many_connections", "overloaded", "bad_request", "too_slow",
    ]  # fmt: skip


def test_failures(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch, openapi: Described
) -> None:
    """Failures of a message, and of the server, are described."""
    world = make_world(rate_per_ip=1)
    port, codes = Port(world), []

    def ask(method: str, target: str, body: bytes = b"") -> None:
        answer = port.ask(method, target, body, **JSON, Idempotency_Key="k" * 16)
        openapi.check(method, target, answer)
        codes.append(answer.code() if answer.status != 200 else "")

    for text in (b"1", b"2", b"3"):
        ask("POST", f"/chat/send/?client={KEY}", b'{"message": "%b"}' % text)
    world.close()
    world.clock.advance(60)
    ask("POST", "/chat/send/", HELLO)
    for target in ("/chat/history/", f"/chat/events/r/?client={KEY}"):
        ask("GET", target)
    world.backend.health.trouble = "no disk"
    ask("GET", "/readyz")
    monkeypatch.setattr(world.chat, "history", None)
    ask("GET", "/chat/history/r/")
    assert codes == ["", "nonce_reused", "rate_limited", *["unavailable"] * 4, "internal"]
    world.backend.health.trouble = None


ROOMS = ["r", "x" * 128, "x" * 129, "A.b_c~d-e", ".", "..", "...", "a b", "é", "*"]
NUMBERS = ["0", "12", "007", "9" * 15, "9" * 16, "-1", "1.5", "x", "", "٣"]
PLACES = ["k:1", "a:b:1", "k:", ":1", "k", "k:-1", "k:x", "k" * 64 + ":1", "k" * 65 + ":1"]
KEYS = ["k" * 15, "k" * 16, "A-_9" * 16, "k" * 65, "k" * 16 + "+"]
NAMES = [
    "Ann",
    "",
    "é" * 40,
    "x" * 41,
    "A",
    " ",
    "Ann ",
    " Ann",
    "\u3164",
    "Ann\u3164",
    "\ufe0f",
    "❤\ufe0f",
]


@pytest.mark.parametrize(
    ("method", "path", "known"),
    [
        ("POST", "/chat/send/", {"room": ROOMS, "name": NAMES, "client": KEYS}),
        (
            "GET",
            "/chat/history/",
            {
                "room": ROOMS,
                "limit": NUMBERS,
                "before": NUMBERS,
                "after": NUMBERS,
                "q": ["x", "", "é" * 200, "x" * 201],
            },
        ),
        ("GET", "/chat/events/{room}/", {"since": PLACES, "name": NAMES, "client": KEYS}),
        ("GET", "/ws/chat/{room}/", {"history": NUMBERS, "name": NAMES, "client": KEYS}),
    ],
)
def test_parameters(
    port: Port, openapi: Described, method: str, path: str, known: dict[str, list[str]]
) -> None:
    """The server accepts exactly the values that a parameter's schema allows."""
    described = openapi.document["paths"][path][method.lower()]["parameters"]
    schemas = {each["name"]: each["schema"] for each in described if each["in"] == "query"}
    assert known.keys() == schemas.keys() - (
        {"since", "user"} if "ws" in path else {"user", "guest"}
    )
    for name, values in known.items():
        for value in values:
            wanted = int(value) if re.fullmatch("[0-9]+", value) and name != "name" else value
            target = f"{path.replace('{room}', 'r')}?{urlencode({name: value})}"
            status = asked(port, method, target, **(HANDSHAKE if "ws" in path else JSON))
            assert (status != 400) == openapi.fits(schemas[name], wanted), (name, value)


def asked(port: Port, method: str, target: str, **headers: str) -> int:
    """Ask for something; return the status of the answer, which may go on."""
    wire = port.connect()
    wire.send(request(method, target, HELLO if method == "POST" else b"", **headers))
    status = int(wire.received().split()[1])
    wire.hang_up()
    return status


def test_headers(port: Port, openapi: Described) -> None:
    """The server accepts exactly the values that a header's schema allows."""
    for method, path, name, values in (
        # The schema is for requests without `client`; with it more is accepted.
        ("POST", "/chat/send/", "Idempotency-Key", ["n" * 16, "n" * 64, "n" * 65, "\xe9" * 20]),
        ("GET", "/chat/events/{room}/", "Last-Event-ID", PLACES),
    ):
        described = openapi.document["paths"][path][method.lower()]["parameters"]
        (schema,) = (each["schema"] for each in described if each["name"] == name)
        for value in values:
            target = f"{path.replace('{room}', 'r')}?client={KEY}"
            headers = {name.replace("-", "_"): value}
            status = asked(port, method, target, **JSON, **headers)
            assert (status != 400) == openapi.fits(schema, value), (name, value)


def test_asyncapi_is_whole(openapi: Described, asyncapi: Described) -> None:
    """Each channel is a path, and each of its messages goes one way or the other."""
    document = asyncapi.document
    assert document["asyncapi"] == "3.0.0"
    carried: dict[str, list[str]] = {name: [] for name in document["channels"]}
    for operation in document["operations"].values():
        assert operation["action"] in ("send", "receive")
        channel = operation["channel"]["$ref"].removeprefix("#/channels/")
        for each in operation["messages"]:
            at, _, name = each["$ref"].rpartition("/")
            assert at == f"#/channels/{channel}/messages"
            carried[channel].append(name)
    for name, channel in document["channels"].items():
        assert channel["address"] in openapi.document["paths"]
        assert sorted(carried[name]) == sorted(channel["messages"])
    assert set().union(*carried.values()) == document["components"]["messages"].keys()


@pytest.mark.parametrize(
    ("operation", "union"), [("receiveV1", frames.ClientFrame), ("sendV1", frames.ServerFrame)]
)
def test_every_frame(asyncapi: Described, operation: str, union: Any) -> None:
    """Every frame is described, in the words of its struct."""
    document = asyncapi.document
    carried = document["operations"][operation]["messages"]
    names = [each["$ref"].rpartition("/")[2] for each in carried]
    assert names == [each.__name__ for each in get_args(union)]
    for struct in get_args(union):
        schema = document["components"]["schemas"][struct.__name__]
        assert schema["properties"]["type"] == {"enum": [struct.__struct_config__.tag]}
        words = document["components"]["messages"][struct.__name__]["description"].split()
        assert words
        assert " ".join(struct.__doc__.replace("``", "`").split()).startswith(" ".join(words))


def test_descriptions_of_fields(asyncapi: Described) -> None:
    """Fields are described under their names on the wire."""
    fields = asyncapi.document["components"]["schemas"]["Resumed"]["properties"]
    assert "first message that follows" in fields["from"]["description"]
    # Optional fields are left out, and never null.
    assert fields["to"] == {"type": "integer", "description": "the newest number."}


@pytest.mark.parametrize(("value", "frame"), UNDERSTOOD, ids=named)
def test_understood(asyncapi: Described, value: Any, frame: frames.ClientFrame) -> None:
    """A frame that the session understands is described as that frame."""
    assert asyncapi.carried("receiveV1", value, more=True) == [type(frame).__name__]


@pytest.mark.parametrize(
    "value", [value for value, _ in HOSTILE if not isinstance(value, bytes)], ids=str
)
def test_refused(asyncapi: Described, value: Any) -> None:
    """A frame that the session refuses is not described."""
    assert asyncapi.carried("receiveV1", value, more=True) == []


def test_every_frame_as_it_is_sent(make_world: Callable[..., World], asyncapi: Described) -> None:
    """Each frame that a session sends is described, and each that is described is sent."""
    world = make_world(retention=Retention(5, 0), max_message=100)
    heard: list[Any] = []

    def hears(client: Client) -> None:
        for frame in client.heard():
            (name,) = asyncapi.carried("sendV1", frame)
            heard.append((name, frame))

    ann = Client(world, name="Ann", key=KEY)
    ann.sends({"message": "hi", "nonce": "n"}, {"message": "hi", "nonce": "n"}, {"message": "x"})
    ann.sends({"message": "other", "nonce": "n"}, {"message": "x" * 101}, b"{", {"type": "no"})
    ann.sends({"type": "history"}, {"type": "history", "limit": 0}, {"type": "typing"})
    ann.sends({"type": "ping"})
    known = Client(world, token=world.token())
    known.sends({"type": "auth", "token": world.token()})
    hears(known)
    ann.session.binary_received()
    say(world, "of no user")
    ann.sends({"type": "edit", "ref": 1, "message": "ho", "data": {"a": 1}})
    ann.sends({"type": "retract", "refs": [1, 2]}, {"type": "retract", "ref": 1})
    manager = Client(world, token=world.token("7", rooms={"*": ["*"]}))
    manager.sends({"type": "room", "set": {"topic": "ships"}})
    world.clock.advance(0)
    hears(manager)
    bob = Client(world, name="Bob")
    bob.sends({"type": "rename", "name": "Rob"})
    bob.session.close()
    ann.sends(*[{"type": "presence"}] * int(ASK_RATE.burst))
    ann.session.announce_restart(1_730)
    hears(ann)
    say(world, *"123456")
    epoch, seq = run(world.chat.place(SOMEBODY, "r"))
    for since in (Place(epoch, seq), Place(epoch, seq - 1), Place(epoch, 1), Place("other", 1)):
        hears(Client(world, since=since))
    for _ in range(LARGE_ROOM + 1):
        Client(world)
    world.clock.advance(1)
    hears(ann)
    assert {name for name, _ in heard} | {"CaseChanged"} == {
        each.__name__ for each in get_args(frames.ServerFrame)
    }
    told = [frame for _, frame in heard]
    assert {frame.get("reason") for frame in told if frame["type"] == "resumed"} == {
        None, "trimmed", "epoch",
    }  # fmt: skip
    assert {frame["error"]["code"] for frame in told if frame["type"] == "error"} == {
        "nonce_reused", "message_too_long", "bad_json", "unknown_type", "not_text", "not_found",
        "rate_limited",
    }  # fmt: skip
    assert {"members" in frame for frame in told if frame["type"] == "presence"} == {True, False}
    assert {"user" in frame for frame in told if frame["type"] == "message"} == {True, False}
    assert {bool(frame["messages"]) for frame in told if frame["type"] == "history"} == {
        True, False,
    }  # fmt: skip


def test_plain_frames(world: World, asyncapi: Described) -> None:
    """Each frame of plain mode is described."""
    client = PlainClient(world)
    for data, kind in HOSTILE_JSON:
        client.session.text_received(data)
        (error,) = client.heard()
        assert asyncapi.carried("sendPlain", error) == ["PlainError"]
        if kind == Kind.BAD_MESSAGE and len(data) < 100:
            assert asyncapi.carried("receivePlain", json.loads(data), more=True) == []
    hello = {"message": "hi", "more": 1}
    assert asyncapi.carried("receivePlain", hello, more=True) == ["PlainSay"]
    client.says(hello)
    (said,) = client.heard()
    assert asyncapi.carried("sendPlain", said) == ["PlainSaid"]


def test_events(port: Port, asyncapi: Described) -> None:
    """Server-sent events are described, by the types of their frames."""
    wire = port.connect()
    wire.send(request("GET", "/chat/events/r/"))
    say(port.world, "hi")
    Client(port.world).session.close()
    port.world.hub.flush()
    events = wire.events()
    assert [name for name, _ in events] == ["hello", "presence", "message", "joined", "left"]
    for name, data in events:
        (described,) = asyncapi.carried("sendEvents", json.loads(data))
        struct = getattr(frames, described)
        assert struct.__struct_config__.tag == name
