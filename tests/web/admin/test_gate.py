"""`livechat.web.admin.gate`."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import quote

import pytest

from livechat.identity.operators import ATTEMPTS_OF_ALL, ATTEMPTS_OF_ONE
from livechat.web.admin.gate import form_token
from tests.support import PASSWORD, Answer, Browser, Port

PAGES = ["/admin/", "/admin", "/admin/?sort=name", "/admin/rooms/", "/admin/rooms/r/"]
#: Everything that changes something.
FORMS = ["/admin/rooms/r/", "/admin/rooms/r/remove/", "/admin/sign-out/"]


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.code()


def said(port: Port, room: str = "r") -> int:
    """Count the messages of a room."""
    return len(port.ask("GET", f"/chat/history/{room}/").json()["chat_history"])


@pytest.fixture
def browser(port: Port) -> Browser:
    return Browser(port)


@pytest.mark.parametrize("page", PAGES)
def test_a_stranger_is_sent_to_sign_in(browser: Browser, page: str) -> None:
    """A stranger is sent to the sign-in page, and from there to the page that was asked for."""
    answer = browser.get(page)
    assert answer.status == 303
    assert answer.headers["location"].startswith("/admin/sign-in/?next=%2Fadmin")
    assert browser.get(answer.headers["location"]).status == 200
    found = re.findall(
        r'name="next" value="([^"]*)"', browser.get(answer.headers["location"]).body.decode()
    )
    answer = browser.sign_in(next=unescape(found[0]))
    assert answer.status == 303
    assert answer.headers["location"].startswith(page.partition("?")[0].removesuffix("rooms/"))


@pytest.mark.parametrize("target", ["/admin/events", "/admin/rooms/r/events"])
def test_strangers_get_no_events(browser: Browser, target: str) -> None:
    """A stream is refused in a way that programs understand."""
    assert code(browser.get(target)) == (403, "not_signed_in")
    assert code(browser.port.ask("GET", target, Cookie="__Host-livechat-10443=" + "a" * 43)) == (
        403,
        "not_signed_in",
    )


def test_the_cookie_is_out_of_reach(browser: Browser) -> None:
    """The cookie is random, bound to the host, out of reach of scripts and of other sites."""
    attributes = {"Path=/", "Secure", "HttpOnly", "SameSite=Strict"}
    before = browser.get("/admin/sign-in/").headers["set-cookie"].split("; ")
    assert re.fullmatch(r"__Host-livechat-10443=[\w-]{43}", before[0])
    assert set(before[1:]) == attributes
    after = browser.sign_in().headers["set-cookie"].split("; ")
    assert set(after[1:]) == attributes | {"Max-Age=3600"}
    assert before[0] != after[0]


def test_a_cookie_that_was_foisted_on_the_browser(browser: Browser) -> None:
    """Signing in gives a new token, so one that was foisted on the browser is worth nothing."""
    foisted = "__Host-livechat-10443=" + "a" * 43
    browser.cookie = foisted
    assert "set-cookie" not in browser.get("/admin/sign-in/").headers
    browser.sign_in()
    assert browser.cookie != foisted
    assert browser.get("/admin/").status == 200
    browser.cookie = foisted
    assert browser.get("/admin/").status == 303


def test_foreign_cookies_are_ignored(browser: Browser) -> None:
    """Other sites' cookies, and values that are not ours, are ignored."""
    browser.sign_in()
    own = browser.cookie
    for cookie in (f"a=b; {own}", f"{own};c", f"__Host-livechat-10443=x; {own}", f"{own}; x=\xff"):
        assert browser.port.ask("GET", "/admin/", Cookie=cookie).status == 200
    for cookie in ("", "x", own.lower(), own + "a", own[:-1], own.replace("__Host-", "")):
        assert browser.port.ask("GET", "/admin/", Cookie=cookie).status == 303


def test_a_wrong_password_is_told_at_the_form(browser: Browser) -> None:
    """A wrong password is said so where the form is; the next attempt may be right."""
    refused = browser.sign_in("wrong", next="/admin/rooms/r/")
    assert refused.status == 403
    page = refused.body.decode()
    assert "This is not the password." in page
    assert 'value="/admin/rooms/r/"' in page
    assert "wrong" not in page
    answer = browser.post("/admin/sign-in/", password=PASSWORD, next="/admin/rooms/r/")
    assert (answer.status, answer.headers["location"]) == (303, "/admin/rooms/r/")


def test_guessing_has_to_wait(port: Port) -> None:
    """Too many wrong passwords must wait, and the right one then too; others need not."""
    browser, other = Browser(port, "192.0.2.1"), Browser(port, "192.0.2.2")
    for _ in range(int(ATTEMPTS_OF_ONE.burst)):
        assert browser.sign_in("wrong").status == 403
    refused = browser.sign_in()
    assert refused.status == 429
    assert "Too many attempts" in refused.body.decode()
    assert other.sign_in().status == 303
    port.world.clock.advance(int(refused.headers["retry-after"]))
    assert browser.sign_in().status == 303


def test_guessing_from_everywhere(port: Port) -> None:
    """Wrong passwords from many addresses together are limited, too."""
    statuses = [
        Browser(port, f"198.51.100.{number}").sign_in("wrong").status for number in range(20)
    ]
    assert statuses == [403] * int(ATTEMPTS_OF_ALL.burst) + [429] * 10


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/", "//evil.example", "/\\evil.example", "\\evil", "/admin/../x",
        "/admin//evil.example", "/admin/rooms//evil.example/", "javascript:alert(1)", "/",
        "/chat/send/", "/admin/sign-out/", "/admin/\r\nSet-Cookie: a=b", "/admin/?a#b",
        "/admin/\u2028", "@evil.example", "/admin/?next=//evil\\", " /admin/", "/admin",
        "/admin/rooms/<script>/",
    ],
)  # fmt: skip
def test_signing_in_leads_nowhere_else(browser: Browser, wanted: str) -> None:
    """Signing in never leads anywhere but into the admin page."""
    answer = browser.sign_in(next=wanted)
    assert (answer.status, answer.headers["location"]) == (303, "/admin/")
    page = Browser(browser.port).get(f"/admin/sign-in/?next={quote(wanted)}")
    assert 'name="next" value="/admin/"' in page.body.decode()


def test_a_form_token_does_not_reveal_the_cookie() -> None:
    """A form's token is derived from the cookie, and does not reveal it."""
    assert form_token("a") == form_token("a")
    assert form_token("a") != form_token("b")
    assert "a" * 43 not in form_token("a" * 43)


def test_signing_out_ends_the_cookie(browser: Browser) -> None:
    """An operator who signs out is out, even with the old cookie; others are not."""
    other = Browser(browser.port)
    other.sign_in()
    browser.sign_in()
    browser.get("/admin/")
    cookie = browser.cookie
    answer = browser.post("/admin/sign-out/")
    assert (answer.status, answer.headers["location"]) == (303, "/admin/sign-in/?out=1")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert "You are signed out." in browser.get("/admin/sign-in/?out=1").body.decode()
    browser.cookie = cookie
    assert browser.get("/admin/").status == 303
    assert other.get("/admin/").status == 200


def test_signing_out_ends_streams(browser: Browser) -> None:
    """A stream ends with its session, and only with its own."""
    other = Browser(browser.port)
    other.sign_in()
    browser.sign_in()
    browser.get("/admin/")
    streams = [each.events("/admin/events") for each in (browser, other)]
    browser.post("/admin/sign-out/")
    assert [b"\r\n0\r\n\r\n" in stream.received() for stream in streams] == [True, False]


def test_already_signed_in(browser: Browser) -> None:
    """The sign-in page sends on an operator who is signed in."""
    browser.sign_in()
    answer = browser.get("/admin/sign-in/?next=/admin/rooms/r/")
    assert (answer.status, answer.headers["location"]) == (303, "/admin/rooms/r/")


@pytest.mark.parametrize("target", FORMS)
@pytest.mark.parametrize("token", ["", "x", "é", form_token("a" * 43)])
def test_forms_without_their_token(browser: Browser, target: str, token: str) -> None:
    """A form that another site made has no effect."""
    browser.sign_in()
    answer = browser.post(target, token=token, message="hi")
    assert answer.status == 403
    assert "out of date" in answer.body.decode()
    assert browser.get("/admin/").status == 200
    assert said(browser.port) == 0


@pytest.mark.parametrize("target", FORMS)
def test_forms_with_the_token_of_another_session(browser: Browser, target: str) -> None:
    """A form's token counts for its own session only."""
    other = Browser(browser.port)
    for each in (browser, other):
        each.sign_in()
        each.get("/admin/")
    assert browser.post(target, token=other.token, message="hi").status == 403
    assert said(browser.port) == 0


@pytest.mark.parametrize("target", [*FORMS, "/admin/sign-in/"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "https://allowed.example"},
        {"Origin": "null", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "null", "Sec_Fetch_Site": ""},
        {"Origin": "", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "http://localhost:10443"},
    ],
    ids=str,
)
def test_forms_of_other_sites(port: Port, target: str, headers: dict[str, str]) -> None:
    """Forms of other sites are refused even with token and cookie, allowed origins' too."""
    port = Port(port.world, origins=["https://allowed.example"])
    browser = Browser(port)
    browser.sign_in()
    browser.get("/admin/")
    body = f"token={browser.token}&message=hi&password=x".encode()
    assert code(browser.send(target, body, **headers)) == (403, "bad_origin")
    assert browser.get("/admin/").status == 200
    assert said(port) == 0


def test_pages_are_not_for_other_origins(port: Port) -> None:
    """No page of another site may read the admin page, not even one of an allowed origin."""
    port = Port(port.world, origins=["https://allowed.example"])
    browser = Browser(port)
    browser.sign_in()
    for target in ("/admin/", "/admin/events", "/admin/rooms/r/"):
        answer = port.ask("GET", target, Cookie=browser.cookie, Origin="https://allowed.example")
        assert code(answer) == (403, "bad_origin")
        assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-origin" not in browser.get("/admin/").headers


def test_a_form_after_the_session_has_ended(browser: Browser) -> None:
    """Typed text is kept over signing in again, and sent only when its author says so."""
    browser.sign_in()
    browser.get("/admin/rooms/r/")
    browser.port.world.wall += 3_600
    text = "  typed <b>for long</b>\nand well"
    asked = browser.post("/admin/rooms/r/", message=text)
    assert asked.status == 403
    page = asked.body.decode()
    assert "Your session has ended." in page
    assert "typed &lt;b&gt;for long&lt;/b&gt;\nand well</textarea>" in page
    resumed = browser.post(
        "/admin/sign-in/", password=PASSWORD, next="/admin/rooms/r/", message=text
    )
    assert resumed.status == 200
    page = resumed.body.decode()
    assert 'action="/admin/rooms/r/"' in page
    assert "typed &lt;b&gt;for long&lt;/b&gt;\nand well</textarea>" in page
    assert said(browser.port) == 0
    assert browser.post("/admin/rooms/r/", message=text).status == 303
    assert said(browser.port) == 1


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("/admin", "/admin/"),
        ("/admin/?q=a*b&page=2", "/admin/?q=a*b&page=2"),
        ("/admin/?q=\\", "/admin/"),
        ("/admin/rooms/lobby", "/admin/rooms/lobby/"),
        ("/admin/rooms/lob%62y/?before=3", "/admin/rooms/lobby/?before=3"),
        ("/admin/rooms/a%20b/", "/admin/"),
        ("/admin/?" + "x" * 600, "/admin/"),
    ],
)
def test_signing_in_leads_to_the_page_asked_for(browser: Browser, target: str, wanted: str) -> None:
    """Signing in leads to the page that was asked for, however it was written."""
    asked = browser.get(browser.get(target).headers["location"])
    found = re.findall(r'name="next" value="([^"]*)"', asked.body.decode())
    assert browser.sign_in(next=unescape(found[0])).headers["location"] == wanted


def test_signing_in_twice(browser: Browser) -> None:
    """A form that another tab has made out of date leads on all the same."""
    browser.get("/admin/sign-in/")
    stale = browser.token
    browser.sign_in()
    answer = browser.post("/admin/sign-in/", token=stale, password="x", next="/admin/rooms/r/")
    assert (answer.status, answer.headers["location"]) == (303, "/admin/rooms/r/")
    kept = browser.post(
        "/admin/sign-in/", token=stale, password="x", next="/admin/rooms/r/", message="typed"
    )
    assert "typed</textarea>" in kept.body.decode()


def test_two_servers_on_one_host(port: Port) -> None:
    """Cookies know no ports: each server's cookie has a name of its own."""
    names = {
        port.ask("GET", "/admin/sign-in/", Host=host).headers["set-cookie"].partition("=")[0]
        for host in ("localhost", "localhost:1", "localhost:2", "[::1]:2")
    }
    assert names == {"__Host-livechat", "__Host-livechat-1", "__Host-livechat-2"}


def test_a_browser_without_cookies(port: Port) -> None:
    """A browser without cookies is told that one is needed."""
    browser = Browser(port)
    browser.get("/admin/sign-in/")
    browser.cookie = ""
    answer = browser.post("/admin/sign-in/", password=PASSWORD)
    assert answer.status == 403
    assert "no cookie" in answer.body.decode()


@pytest.mark.parametrize("target", [*FORMS, "/admin/sign-in/"])
@pytest.mark.parametrize(
    ("media", "body", "expected"),
    [
        ("application/json", b"{}", (415, "unsupported_media_type")),
        ("text/plain", b"a=b", (415, "unsupported_media_type")),
        ("", b"a=b", (415, "unsupported_media_type")),
        ("multipart/form-data; boundary=x", b"--x--", (415, "unsupported_media_type")),
        ("application/x-www-form-urlencoded", b"a=%ff", (400, "bad_form")),
        ("application/x-www-form-urlencoded", b"a=b&a=c", (400, "bad_form")),
        ("application/x-www-form-urlencoded", b"\xff", (400, "bad_form")),
        ("application/x-www-form-urlencoded", b"&" * 200, (400, "bad_form")),
    ],
)
def test_bodies_that_are_no_forms(
    browser: Browser, target: str, media: str, body: bytes, expected: tuple[int, str]
) -> None:
    """A body that no form makes is refused, signed in or not."""
    for _ in range(2):
        assert code(browser.send(target, body, Content_Type=media)) == expected
        browser.sign_in()


@pytest.mark.parametrize("target", ["/admin/", "/admin/sign-in/", "/admin/rooms/r/"])
def test_pages_are_safe(browser: Browser, target: str) -> None:
    """Pages are kept by nobody, shown in no frame, and run no script but their own."""
    for _ in range(2):
        headers = browser.get(target).headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "strict-transport-security" not in headers
        browser.sign_in()


def test_unknown_methods_are_told_the_allowed_ones(browser: Browser) -> None:
    """An unknown method is answered with the allowed ones."""
    for target in (*PAGES, *FORMS, "/admin/events"):
        answer = browser.port.ask("DELETE", target)
        assert code(answer) == (405, "method_not_allowed")
        assert "GET" in answer.headers["allow"] or "POST" in answer.headers["allow"]
    assert browser.port.ask("GET", "/admin/sign-out/").status == 405
    assert browser.port.ask("HEAD", "/admin/sign-in/").status == 200
