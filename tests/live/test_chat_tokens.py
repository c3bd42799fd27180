"""The chat page, and the chat in another site's page, with tokens, in Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Request, WebSocketRoute, expect

from tests.live.browser import NARROW
from tests.live.daemon import CHEAP, Daemon
from tests.live.site_users import SECRET, enter, token
from tests.live.speaker import Speaker
from tests.live.visitor import Visitor

#: A name and a role that would do something, if either were more than text.
HOSTILE = "<img src=x onerror=alert(1)>"
VERIFIED = "[role=img][aria-label=verified]"


class Site:
    """
    Another site, whose visitors are signed in, or not.

    @ivar page: its only page.
    @ivar status: of its answer to the question for a token.
    @ivar answer: that.
    @ivar cookies: of those questions.
    """

    def __init__(self) -> None:
        self.page = ""
        self.status = 200
        self.answer = ""
        self.cookies: list[str] = []
        site = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.path == "/chat-token"
                if asked:
                    site.cookies.append(self.headers.get("Cookie", ""))
                self.send_response(site.status if asked else 200)
                self.send_header("Content-Type", "text/plain" if asked else "text/html")
                self.send_header("Set-Cookie", "session=ann")
                self.end_headers()
                self.wfile.write((site.answer if asked else site.page).encode())

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, site: Site) -> Iterator[Daemon]:
    """A daemon that knows the site's users, and whose guests may only read."""
    directory = tmp_path_factory.mktemp("daemon")
    (directory / "secret").write_text(SECRET)
    options = ("--token-keys=secret", "--guests=read", f"--origin={site.url}")
    limits = ("--rate=0", "--rate-per-ip=0", "--rate-per-user=0")
    with Daemon(directory, *options, *limits, environment=CHEAP) as running:
        yield running


def door(visitor: Visitor, problem: str) -> None:
    """Wait until the page says why one may not enter."""
    expect(visitor.page.get_by_role("alert")).to_have_text(problem)
    expect(visitor.page.get_by_role("button", name="Try again")).to_be_visible()


def test_a_token_in_the_address(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """The token leaves the address at once, survives a reload, and is in the tab only."""
    ann, seen = visitor(), list[str]()
    ann.page.on("websocket", lambda made: seen.append(made.url))

    def note(request: Request) -> None:
        seen.extend([request.url, request.headers.get("referer", "")])

    ann.page.on("request", note)
    brought = token("42", name="Ann")
    enter(ann, "address", f"{brought}&more=1").is_in()
    assert ann.page.url == f"{daemon.url}/rooms/address/#more=1"
    ann.says("hi")
    ann.hears("hi")
    (said,) = daemon.history("address")
    assert said["user"] == {"id": "42", "name": "Ann", "verified": True}
    expect(ann.page.get_by_role("button", name="Change your name")).to_be_hidden()
    ann.page.reload()
    ann.hears("hi")
    expect(ann.page.locator(f".roster {VERIFIED}")).to_have_count(1)
    assert not any(brought in each for each in [*seen, daemon.log.text])
    assert brought not in ann.page.evaluate("JSON.stringify({ ...localStorage })")
    # Another user comes by the same page.
    ann.composer.fill("Ann's draft")
    ann.page.evaluate(f"location.hash = '#token={token('43', name='Bob')}'")
    expect(ann.page.locator(".roster bdi")).to_have_text(["Bob"])
    assert ann.page.url == f"{daemon.url}/rooms/address/#"[:-1]
    ann.is_in()
    expect(ann.composer).to_have_value("")
    expect(ann.page.locator(".said .message b bdi")).to_have_text("Ann")


def test_marks_and_look_alikes(
    visitor: Callable[..., Visitor], speaker: Callable[..., Speaker]
) -> None:
    """Users are marked, roles are badges; a guest of the same name is neither, and is tagged."""
    ann = enter(visitor(), "marks", token("42", name="Ann", role="vip")).page
    expect(ann.locator(".roster li")).to_have_count(1)
    expect(ann.locator(".roster .badge")).to_have_text("vip")
    expect(ann.locator(".roster .tag")).to_have_count(0)
    speaker("marks", "ＡNn")
    people = ann.locator(".roster li")
    expect(people).to_have_count(2)
    expect(people.locator(".tag").first).to_have_text("·42")
    expect(people.locator(".tag")).to_have_count(2)
    expect(people.locator(VERIFIED)).to_have_count(1)
    expect(people.first.locator(VERIFIED)).to_be_visible()
    speaker("marks", token=token("66", name=HOSTILE, role='"><s/id=x>'))
    expect(people).to_have_count(3)
    expect(people.locator("bdi", has_text=HOSTILE)).to_be_visible()
    expect(people.locator(".badge", has_text='"><s/id=x>')).to_be_visible()
    assert ann.locator("s, img[src=x]").count() == 0


@pytest.mark.parametrize("scheme", [pytest.param("light", marks=pytest.mark.soak), "dark"])
def test_rights_that_are_missing(
    visitor: Callable[..., Visitor], daemon: Daemon, speaker: Callable[..., Speaker], scheme: str
) -> None:
    """A right that is missing is not offered, and the page says why."""
    size = {"viewport": NARROW} if scheme == "dark" else {}
    room = f"rights-{scheme}"
    ann = speaker(room, token=token("42", name="Ann", role="vip"))
    ann.says("before")
    bob = visitor(color_scheme=scheme, **size)
    bob.page.goto(f"{daemon.url}/rooms/{room}/")
    bob.page.get_by_label("Your name").fill("Ann")
    bob.page.keyboard.press("Enter")
    barred = bob.page.get_by_text("Guests may read here, but not write. To write, sign in")
    expect(barred.first).to_be_visible()
    expect(bob.composer).to_be_hidden()
    bob.hears("before")
    line = bob.line("before")
    expect(line.locator(f"b {VERIFIED}")).to_be_visible()
    line.hover()
    line.get_by_role("button", name="Message actions").click()
    expect(bob.page.get_by_role("menuitem")).to_have_text(["Report…", "Ignore this person"])
    bob.page.keyboard.press("Escape")
    assert bob.tab.findings() == []
    # Live only, and silent.
    eve = enter(visitor(), room, token("7", name="Eve", rooms={room: ["join"]}))
    expect(eve.page.get_by_text("You see what is said from now on.")).to_be_visible()
    expect(eve.page.get_by_text("You may read here, but not write.").first).to_be_visible()
    ann.says("after")
    eve.hears("after")


def test_at_the_door(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """A visitor who may not enter is told why in plain words, and what to do."""
    ann = enter(visitor(viewport=NARROW, color_scheme="dark"), "door", token("42", -60))
    door(ann, "Your sign-in is over.")
    ann.page.get_by_role("button", name="Try again").click()
    door(ann, "Your sign-in is over.")
    enter(ann, "door", token("42", rooms={"elsewhere": ["*"]}))
    door(ann, "You may not enter this room.")
    enter(ann, "door", "no.token.atall")
    door(ann, "This chat does not know your sign-in.")
    assert ann.tab.findings() == []
    expect(ann.page.get_by_role("button", name="Try again")).to_be_focused()
    ann.page.get_by_role("button", name="Enter as a guest").click()
    expect(ann.page.get_by_label("Your name")).to_be_focused()
    # The token is forgotten.
    ann.page.reload()
    expect(ann.page.get_by_label("Your name")).to_be_visible()
    enter(ann, "door", token("42", name="Ann")).is_in()
    eve, codes = visitor(), [4101, 4401]

    def refuse(made: WebSocketRoute) -> None:
        made.close(code=codes[0], reason="<b>No.</b>")

    eve.page.route_web_socket("**/ws/chat/**", refuse)
    eve.page.goto(f"{daemon.url}/rooms/door/")
    eve.page.get_by_label("Your name").fill("Eve")
    eve.page.keyboard.press("Enter")
    for problem in ("Your sign-in was withdrawn.", "This room is for people who are signed in."):
        door(eve, problem)
        expect(eve.page.get_by_text("The server says: <b>No.</b>")).to_be_visible()
        expect(eve.page.get_by_role("button", name="Enter as a guest")).to_be_hidden()
        del codes[:-1]
        eve.page.get_by_role("button", name="Try again").click()
    assert eve.tab.findings() == []


def test_a_site_that_says_who_one_is(
    visitor: Callable[..., Visitor], daemon: Daemon, site: Site
) -> None:
    """The embed asks the site for the visitor's token, with cookies, whenever it needs one."""
    site.page = f"""<!doctype html><html lang=en><title>x</title><div data-livechat=site></div>
        <script type=module src={daemon.url}/static/embed.js data-token-url=/chat-token></script>"""
    ann = visitor()
    closing: list[WebSocketRoute] = []

    def pass_on(page: WebSocketRoute) -> None:
        page.connect_to_server()
        closing.append(page)

    ann.page.route_web_socket("**/ws/chat/**", pass_on)
    # A guest: signed in nowhere, and asked for a name.
    site.status = 401
    ann.page.goto(site.url)
    expect(ann.page.get_by_label("Your name")).to_be_visible()
    site.status, site.answer = 200, f'{{"token": "{token("42", name="Ann")}"}}'
    ann.page.reload()
    ann.is_in()
    ann.says("by JSON")
    ann.hears("by JSON")
    assert site.cookies[-1] == "session=ann"
    # Over: another one is asked for, here as a text.
    site.answer = token("42", name="Ann Other") + "\n"
    asked = len(site.cookies)
    closing[-1].close(code=4100, reason="It is over.")
    ann.is_in()
    expect(ann.page.locator(".roster bdi")).to_have_text(["Ann Other"])
    assert len(site.cookies) == asked + 1
    ann.says("by text")
    ann.hears("by JSON", "by text")
    # A site that answers without end.
    site.answer = "x" * 1_000_000
    closing[-1].close(code=4100)
    expect(ann.banner).to_contain_text("This site does not say who you are at the moment.")
    ann.says("waits")
    site.status = 401
    # The page tries by itself, too, and then the button is gone.
    button = ann.banner.get_by_role("button")
    button.dispatch_event("click")
    expect(ann.banner).to_contain_text("You are signed out. Sign in on this site again")
    site.status, site.answer = 200, token("42", name="Ann")
    button.dispatch_event("click")
    ann.hears("by JSON", "by text", "waits")
    # Blocked WebSockets: requests bring the token, from another origin too.
    ann.page.add_init_script("delete window.WebSocket")
    ann.page.reload()
    ann.says("by events")
    ann.hears("by JSON", "by text", "waits", "by events")
    assert {each["user"]["id"] for each in daemon.history("site")} == {"42"}
