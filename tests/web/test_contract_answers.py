"""Answers of the API, held against `/openapi.json`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from livechat.protocol import messages
from livechat.protocol.settings import SettingsChange
from tests.members.session_client import KEY, say
from tests.support import ADMIN, HANDSHAKE, Port, World, run
from tests.support.requests import FORM, JSON
from tests.web.back_end import BackEnd
from tests.web.described import HELLO, Described


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
def test_answers_of_all_kinds_are_described(
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


def test_requests_of_moderators_are_described(port: Port, openapi: Described) -> None:
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
def test_a_held_message_is_described(
    port: Port, openapi: Described, target: str, body: bytes
) -> None:
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


def test_refusals_of_any_request_are_described(
    make_world: Callable[..., World], openapi: Described
) -> None:
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


def test_failures_of_the_server_are_described(
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
