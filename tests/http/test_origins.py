"""`livechat.http.origins`, and the address of a request that came by proxies."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from livechat.errors import ChatError
from livechat.http.origins import NAMED_AGAIN, REMEMBERED, Asked, Origins
from tests.support import HANDSHAKE, PASSWORD, Answer, Port

PROXY = "10.0.0.1"
OWN = "https://chat.example"
NAMES = ["chat.example", "*.wild.example", "2001:db8::5"]
FORM = {"Content_Type": "application/x-www-form-urlencoded"}
TOLD = {"X_Forwarded_Host": "chat.example", "X_Forwarded_Proto": "https"}
#: The Host that a proxy sends by default: the upstream's.
UPSTREAM = "127.0.0.1:10443"


@pytest.fixture
def behind(port: Port) -> Port:
    """The port, behind a proxy."""
    return Port(port.world, proxies=[PROXY], names=NAMES)


def say(port: Port, *, _from: str = PROXY, **headers: str) -> Answer:
    """Send a message as a page does."""
    given = {"Host": UPSTREAM, "Origin": OWN} | FORM | headers
    return port.ask("POST", "/chat/send/", b"message=x", _from=_from, **given)


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        (TOLD, OWN),
        ({"X_Forwarded_Host": "chat.example"}, OWN),
        ({"X_Forwarded_Host": "evil.example, Chat.example:443"}, OWN),
        ({"X_Forwarded_Host": "chat.example:8443"}, "https://chat.example:8443"),
        ({"X_Forwarded_Host": "a.wild.example"}, "https://a.wild.example"),
        ({"X_Forwarded_Host": "[2001:db8::1]:8443"}, "https://[2001:db8::1]:8443"),
        ({"Forwarded": 'for=192.0.2.7;host="chat.example:8443"'}, "https://chat.example:8443"),
        ({"X_Forwarded_Host": "chat.example", "X_Forwarded_Proto": "http"}, "http://chat.example"),
        ({"Host": "chat.example", "X_Forwarded_Proto": "http"}, "http://chat.example"),
        ({"Host": "chat.example"}, OWN),
        # The name under which the proxy asks need be none of the server's.
        ({"Host": "livechat_upstream"} | TOLD, OWN),
    ],
)
def test_a_forwarded_name_makes_the_own_origin(
    behind: Port, headers: dict[str, str], origin: str
) -> None:
    """The address that a trusted proxy forwards makes the server's own origin."""
    answer = say(behind, **headers, Origin=origin)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == origin
    asked = {"Host": UPSTREAM} | headers | {"Origin": origin}
    wire = behind.connect(PROXY)
    handshake = behind.ask("GET", "/ws/chat/r/", _from=PROXY, **(HANDSHAKE | asked))
    assert handshake.status == 101
    wire.hang_up()
    assert say(behind, **headers, Origin="https://evil.example").code() == "bad_origin"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"X_Forwarded_Host": "evil.example"}, 421, "misdirected"),
        ({"X_Forwarded_Host": "chat.example, evil.example"}, 421, "misdirected"),
        ({"Forwarded": "host=evil.example"}, 421, "misdirected"),
        ({"Host": "livechat_upstream"}, 421, "misdirected"),
        ({"Host": "a b"} | TOLD, 400, "bad_host"),
        ({"X_Forwarded_Host": "user@chat.example"}, 400, "bad_host"),
        ({"X_Forwarded_Host": "chat.example,"}, 400, "bad_host"),
        ({"X_Forwarded_Host": "chat.example", "x-forwarded-host": "junk,"}, 400, "bad_host"),
        (TOLD | {"X_Forwarded_Proto": "ftp"}, 400, "bad_host"),
        (TOLD | {"Forwarded": "host=b.wild.example"}, 400, "bad_host"),
        (TOLD | {"Forwarded": "proto=http"}, 400, "bad_host"),
        (TOLD | {"Forwarded": "nonsense"}, 400, "bad_host"),
        (TOLD | {"X_Forwarded_Proto": "http"}, 403, "bad_origin"),
    ],
)
def test_what_a_proxy_may_not_say(
    behind: Port, headers: dict[str, str], status: int, code: str
) -> None:
    """A name that is not the server's, and what cannot be understood, are refused."""
    answer = say(behind, **headers)
    assert (answer.status, answer.code()) == (status, code)


@pytest.mark.parametrize("headers", [TOLD, {"Forwarded": "host=chat.example"}, {}])
def test_forwarded_names_of_strangers_are_ignored(behind: Port, headers: dict[str, str]) -> None:
    """Forwarded names of other peers are ignored, right or wrong."""
    for junk in ({}, {"X_Forwarded_Proto": "ftp"}, {"Forwarded": "nonsense"}):
        answer = say(behind, **(headers | junk), _from="192.0.2.1")
        assert (answer.status, answer.code()) == (403, "bad_origin")
        assert say(behind, **(headers | junk), _from="192.0.2.1", Host="chat.example").status == 200


@pytest.mark.parametrize(
    ("origin", "headers", "status"),
    [
        (OWN, {}, 200),
        ("https://CHAT.example:8443", {}, 200),
        ("https://[2001:db8::5]", {}, 200),
        (OWN, {"Sec_Fetch_Site": "same-origin"}, 200),
        (OWN, {"X_Forwarded_Proto": "https"}, 200),
        # A page of another origin, though at a name of the server's.
        (OWN, {"Sec_Fetch_Site": "same-site"}, 403),
        ("https://chat.example:8443", {"Sec_Fetch_Site": "cross-site"}, 403),
        ("http://chat.example", {}, 403),
        # Others may be at these.
        ("https://a.wild.example", {}, 403), ("https://*.wild.example", {}, 403),
        ("https://localhost:3000", {}, 403), ("https://203.0.113.5", {}, 403),
        ("https://evil.example", {}, 403), ("https://chat.example.evil.example", {}, 403),
        ("null", {}, 403),
        # The proxy forwards another host than the server's.
        (OWN, {"X_Forwarded_Host": "a.wild.example"}, 403),
    ],
)  # fmt: skip
def test_a_proxy_that_says_nothing(
    behind: Port, origin: str, headers: dict[str, str], status: int
) -> None:
    """Behind nginx's bare proxy_pass, https and a name of the server's are its own origin."""
    assert say(behind, Origin=origin, **headers).status == status
    assert say(behind, _from="192.0.2.1", Origin=origin, **headers).status == 403


def test_any_name_is_no_name(port: Port) -> None:
    """A server that may have any name trusts no origin by its name."""
    behind = Port(port.world, proxies=[PROXY], names=["*"])
    assert say(behind).status == 403
    assert say(behind, **TOLD).status == 200


@pytest.mark.parametrize("headers", [TOLD, {"Forwarded": 'host="chat.example";proto=https'}, {}])
def test_operators_sign_in_through_a_proxy(behind: Port, headers: dict[str, str]) -> None:
    """Operators sign in through a proxy, with the cookie of the address that they see."""
    given = {"Host": UPSTREAM} | headers
    page = behind.ask("GET", "/admin/sign-in/", _from=PROXY, **given)
    cookie = page.headers["set-cookie"].partition(";")[0]
    name = cookie.partition("=")[0]
    assert name == ("__Host-livechat" if headers else "__Host-livechat-10443")
    token = page.body.decode().partition('name="token" value="')[2].partition('"')[0]
    form = urlencode({"token": token, "password": PASSWORD}).encode()

    def post(origin: str, **more: str) -> Answer:
        sent = given | FORM | {"Cookie": cookie, "Origin": origin} | more
        return behind.ask("POST", "/admin/sign-in/", form, _from=PROXY, **sent)

    assert post("https://evil.example").status == 403
    assert post("null", Sec_Fetch_Site="cross-site").status == 403
    signed_in = post(OWN)
    assert signed_in.status == 303
    session = {"Cookie": signed_in.headers["set-cookie"].partition(";")[0]}
    assert behind.ask("GET", "/admin/", _from=PROXY, **(given | session)).status == 200


def test_signing_in_needs_https(behind: Port) -> None:
    """Without TLS in front of the proxy no browser keeps the cookie, and the page says so."""
    given = {"Host": UPSTREAM} | TOLD | {"X_Forwarded_Proto": "http"}
    form = b"token=x&password=y"
    answer = behind.ask("POST", "/admin/sign-in/", form, _from=PROXY, **(given | FORM))
    assert answer.status == 403
    assert b"only over https" in answer.body


def test_addresses_that_pages_show(behind: Port) -> None:
    """Pages show the address that was asked for."""
    given = {"Host": UPSTREAM, "X_Forwarded_Host": "chat.example:8443"}
    page = behind.ask("GET", "/developers/", _from=PROXY, **given)
    assert b"wss://chat.example:8443/" in page.body
    plain = behind.ask("GET", "/developers/", _from=PROXY, X_Forwarded_Proto="http", **given)
    assert b" ws://chat.example:8443/" in plain.body


def asked(port: Port, _from: str = "192.0.2.1", **headers: str) -> Any:
    answer = port.ask("GET", "/chat/origin/", _from=_from, **headers)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "max-age=30"
    assert answer.headers["vary"] == "Origin"
    assert len(answer.body) < 1_000
    return answer.json()


def test_why_a_page_was_refused(port: Port) -> None:
    """Any page may ask whether it may use the chat, and by which option."""
    shared = Port(port.world, origins=["https://app.example"], proxies=[PROXY], names=NAMES)
    refused = "https://evil.example"
    assert asked(shared, Origin=refused) == {
        "allowed": False, "origin": refused, "option": f"--origin {refused}",
    }  # fmt: skip
    assert asked(shared, Origin="null")["option"] == "--origin null"
    for junk in ("garbage", "https://a, https://b", "https://a/" + "b" * 8_000, '"><x>'):
        expected = {"allowed": False, "origin": None, "option": None}
        assert asked(shared, Origin=junk) == expected
    for own in ("https://app.example", "https://localhost:10443"):
        assert asked(shared, Origin=own) == {"allowed": True, "origin": own, "option": None}
    assert asked(shared) == {"allowed": True, "origin": None, "option": None}
    assert asked(shared, PROXY, Host=UPSTREAM, Origin=OWN) == {
        "allowed": True, "origin": OWN, "option": None,
    }  # fmt: skip


class Judge:
    """Judges requests of pages, on a clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.origins = Origins(frozenset(), lambda: ("localhost",), self.clock)

    def refused(self, *origins: str, shared: bool = True) -> list[str]:
        """Judge pages; return the log's lines about refusals."""
        with capturedLogs() as events:
            for each in origins:
                with pytest.raises(ChatError):
                    self.origins.check(
                        "GET", {"origin": (each,)}, Asked("localhost"), shared=shared
                    )
        return [event["log_format"].format(**event) for event in events]


def test_refused_origins_are_logged() -> None:
    """A line names the refused pages, and the option that would allow them."""
    judge = Judge()
    (line,) = judge.refused(*["https://app.example"] * 100)
    assert line == (
        "Pages of https://app.example are refused. To allow them: --origin https://app.example."
    )
    judge.clock.advance(NAMED_AGAIN)
    assert len(judge.refused("https://app.example")) == 1
    (line,) = judge.refused("https://app.example", shared=False)
    assert "--trust-proxy" in line
    assert "--origin" not in line
    (line,) = judge.refused("null")
    assert "files" in line
    assert "--origin null" in line


def test_hostile_origins_in_the_log() -> None:
    """A refused origin is one short line in ASCII, whatever it holds."""
    junk = ["a\nb {x} \x1b[31m", "\xe9\u2028" * 5_000, "{", "https://a@b", "https://" + "a" * 9_000]
    lines = Judge().refused(*junk)
    assert len(lines) == len(junk)
    for line in lines:
        assert line.isascii()
        assert line.isprintable()
        assert len(line) < 1_000
        assert "--origin" not in line


def test_many_origins_in_the_log() -> None:
    """Origins that somebody makes up fill neither the log nor the memory."""
    judge = Judge()
    said = judge.refused(*(f"https://a{n}.example" for n in range(5_000)))
    assert len(said) <= 10
    judge.clock.advance(60)
    assert " (49" in judge.refused("https://app.example")[0]
    for n in range(2 * REMEMBERED):
        judge.clock.advance(10)
        judge.refused(f"https://b{n}.example")
    assert len(judge.origins._told) <= REMEMBERED


#: Origins that an operator allowed, and one that each lets in.
ALLOWED = {
    "capacitor://localhost": "capacitor://localhost",
    "tauri://localhost": "tauri://localhost",
    "chrome-extension://abcdefghijklmnop": "chrome-extension://abcdefghijklmnop",
    "https://*.example.org": "https://a.b.example.org",
    "null": "null",
}


@pytest.mark.parametrize("option", ALLOWED)
@pytest.mark.parametrize("allowed", [False, True])
def test_origins_of_apps_are_allowed_by_name(port: Port, option: str, allowed: bool) -> None:
    """Pages of apps, of names below one, and without an origin: where they are allowed, only."""
    origin = ALLOWED[option]
    made = Port(port.world, origins=[option] if allowed else ["https://other.example"])
    sent = made.ask("POST", "/chat/send/r/", b"message=x", **FORM, Origin=origin)
    opened = made.ask("GET", "/ws/chat/r/", **HANDSHAKE, Origin=origin)
    asked_first = {"Origin": origin, "Access_Control_Request_Method": "POST"}
    preflight = made.ask("OPTIONS", "/chat/send/r/", **asked_first)
    if not allowed:
        assert (sent.status, opened.status, preflight.status) == (403, 403, 403)
        assert "--origin" in sent.json()["detail"]
        assert "access-control-allow-origin" not in sent.headers
        return
    assert (sent.status, opened.status, preflight.status) == (200, 101, 204)
    for answer in (sent, preflight):
        assert answer.headers["access-control-allow-origin"] == origin
        # Any site can have a page without an origin, in a frame.
        lent = answer.headers.get("access-control-allow-credentials")
        assert lent == (None if origin == "null" else "true")
    assert made.ask("GET", "/admin/sign-in/", Origin=origin).status == 403
