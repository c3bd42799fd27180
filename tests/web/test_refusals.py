"""`livechat.web.refusals`."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from livechat.errors import ChatError, Kind
from livechat.web.refusals import held
from tests.support import Answer, Port, World, request

#: Chromium's, going to a page.
PAGE = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def text(answer: Answer) -> str:
    """Return the text of a page, which must have the common style sheet."""
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-frame-options"] == "DENY"
    body = answer.body.decode()
    assert '<link rel="stylesheet" href="/static/pages.' in body
    assert "<script" not in body
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", "", body.partition("<body>")[2])).strip()


@pytest.mark.parametrize(
    ("method", "target", "headers", "status", "said"),
    [
        ("GET", "/nowhere", {}, 404, "There is nothing at this address."),
        ("GET", "/static/nothing.js", {}, 404, "There is no such file."),
        ("GET", "/chat/send/", {}, 405, "Use POST, OPTIONS here."),
        ("GET", "/ws/chat/r/", {}, 426, "connect with wss://"),
        ("GET", "/chat/history/?limit=x", {}, 400, "must be a whole number"),
        ("GET", "/", {"Host": "a b"}, 400, "Host header"),
        ("GET", "/chat/history/", {"Origin": "https://evil.example"}, 403, "--origin"),
        ("GET", "/metrics", {}, 403, "--metrics"),
    ],
)
def test_browsers_get_a_page_and_fetches_json(
    port: Port, method: str, target: str, headers: dict[str, str], status: int, said: str
) -> None:
    """A browser that navigates gets a page; a fetch gets JSON."""
    page = port.ask(method, target, **(PAGE | headers))
    assert page.status == status
    assert said in text(page)
    for accept in ("*/*", "application/json", "text/html;q=0.1, application/json", ""):
        answer = port.ask(method, target, **(headers | {"Accept": accept}))
        assert answer.status == status
        assert answer.code()
    kept = {"allow", "upgrade", "strict-transport-security"}
    assert {n: v for n, v in page.headers.items() if n in kept} == {
        n: v for n, v in answer.headers.items() if n in kept
    }


def test_a_wrong_host_names_the_servers_names(port: Port) -> None:
    """A 421 names the server's names and the option; its page has its style."""
    named = Port(port.world, names=["localhost", "chat.example", *(f"n{n}" for n in range(50))])
    page = named.ask("GET", "/", **PAGE, Host="evil.example")
    assert page.status == 421
    said = text(page)
    for each in ("not called evil.example.", "localhost, chat.example", "44 more", "--host evil"):
        assert each in said
    assert "/static/pages." in page.body.decode()
    assert named.ask("GET", "/static/pages.css", Host="evil.example").status == 200
    assert named.ask("GET", "/static/pages.css", Host="a b").status == 400
    for path in ("/nowhere", "/healthz", "/rooms/r/"):
        assert named.ask("GET", path, Host="evil.example").code() == "misdirected"


def test_refused_before_it_was_routed(make_world: Callable[..., World]) -> None:
    """A browser that is refused at its head gets a page too, with when to come back."""
    port = Port(make_world(), most_per_address=1)
    first = port.connect()
    page = port.ask("GET", "/", **PAGE)
    assert page.status == 429
    assert "no more are allowed. Try again in 1 s" in text(page)
    assert page.headers["retry-after"] == "1"
    first.send(request("POST", "/chat/send/", **PAGE, Content_Length="999999999"))
    assert "That is too large" in text(first.answer())


def test_text_stays_text(port: Port) -> None:
    """Text of a request is no markup in the page about it."""
    page = port.ask("GET", "/chat/history/?room=r", **PAGE, Origin="https://<script>.example")
    assert "<script" not in page.body.decode()
    assert b"script" not in port.ask("GET", "/<script>", **PAGE).body


def test_a_held_message_is_accepted() -> None:
    """Only a held message is answered with 202; other errors stay errors."""
    answer = held(ChatError(Kind.HELD, "It waits.", case="c1"))
    assert (answer.status, answer.body) == (202, b'{"case":"c1","message":"Message held."}')
    assert ("Livechat-Case", "c1") in answer.headers
    with pytest.raises(ChatError):
        held(ChatError(Kind.MUTED, "No."))
