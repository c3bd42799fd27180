"""The recipes that docs/browser.md begins with, done as it says."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import expect

from tests.live.browser import Tab
from tests.live.command import done
from tests.live.daemon import PATIENCE, ROOT, Daemon, Output
from tests.live.visitor import Visitor

TEXT = (ROOT / "docs" / "browser.md").read_text()
#: The recipes' addresses of livechat and of the page.
SERVER, SITE = "https://localhost:10443", "http://localhost:8000"


def recipe(title: str, language: str) -> list[str]:
    """The examples of a recipe, in their order."""
    _, _, rest = TEXT.partition(f"## Recipe: {title}\n")
    text, _, _ = rest.partition("\n## ")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def options(title: str, site: str) -> list[str]:
    """Options of the server, as a recipe starts it."""
    (arguments,) = re.findall('^make run ARGS="(.*)"$', "".join(recipe(title, "sh")), re.MULTILINE)
    return shlex.split(arguments.replace(SITE, site))


@contextmanager
def running(directory: Path, *command: str) -> Iterator[str]:
    """A program of Python that serves a page; yields its address."""
    program = "import http.server as h, sys, runpy; made = h.HTTPServer.server_bind\n"
    program += (
        "def bind(server): made(server); print(f'port {server.server_port}', flush=True)\n"
        "h.HTTPServer.server_bind = bind\n"
        "sys.argv = sys.argv[1:]\n"
        "(runpy.run_path if sys.argv[0].endswith('.py') else runpy.run_module)"
        "(sys.argv[0], run_name='__main__')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, *command],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=directory,
    )  # fmt: skip
    assert process.stdout is not None
    output = Output(process.stdout.fileno())
    try:
        port = output.wait_for(r"port (\d+)")[1]
        yield f"http://localhost:{port}"
    finally:
        process.kill()
        process.wait(PATIENCE)
        output.close()
        process.stdout.close()


def test_visitors_of_a_live_event_write(
    visitor: Callable[..., Visitor], start: Callable[..., Daemon], tmp_path: Path
) -> None:
    """A page with a video and a chat, in which visitors write, slowly when it is told so."""
    title = "a live event page"
    (page,) = recipe(title, "html")
    with running(tmp_path, "http.server", "0") as site:
        daemon = start(*options(title, site))
        (tmp_path / "event.html").write_text(page.replace(SERVER, daemon.url))
        ann, bob = visitor(daemon), visitor(daemon)
        for each, name in ((ann, "Ann"), (bob, "Bob")):
            each.page.goto(f"{site}/event.html")
            each.introduce(name)
        ann.says("hi")
        bob.hears("hi")
        expect(bob.page.locator(".roster")).to_be_hidden()
        (told,) = re.findall(
            r"^\.venv/bin/livechat (.*)$", "".join(recipe(title, "sh")), re.MULTILINE
        )
        done(daemon, *shlex.split(told))
        bob.says("hello")
        expect(bob.page.get_by_role("button", name="Send, in")).to_be_visible()
        ann.hears("hi", "hello")
        assert ann.tab.findings() == []


def test_support_is_answered_on_the_admin_page(
    visitor: Callable[..., Visitor], start: Callable[..., Daemon], tab: Callable[..., Tab],
    tmp_path: Path,
) -> None:  # fmt: skip
    """Visitors ask, each in a room of their own, and are answered on the admin page."""
    title = "a support widget"
    (widget,) = recipe(title, "html")
    with running(tmp_path, "http.server", "0") as site:
        daemon = start(*options(title, site))
        text = f"<!doctype html><html lang=en><title>A shop</title><main><h1>A shop</h1>{widget}"
        (tmp_path / "index.html").write_text(text.replace(SERVER, daemon.url))
        ann, bob = visitor(daemon), visitor(daemon)
        for each in (ann, bob):
            each.page.goto(site)
            each.page.get_by_role("button", name="Ask us").click()
        ann.says("Is it blue?")
        ann.hears("Is it blue?")
        expect(ann.page.get_by_role("heading", name="Ask us")).to_be_visible()
        ann.page.get_by_role("button", name="Close the chat").click()
        room = ann.page.evaluate("localStorage.help")
        operator = tab(daemon)
        operator.sign_in()
        operator.page.get_by_role("link", name=room).click()
        operator.page.get_by_label("Message", exact=True).fill("It is.")
        operator.page.get_by_role("button", name="Send").click()
        ann.page.get_by_role("button", name="Ask us, 1 new message").click()
        ann.hears("Is it blue?", "It is.")
        # The button has a badge, too.
        badge = ann.page.locator(".said .name .badge")
        expect(badge).to_have_text("operator")
        expect(badge).to_have_css("position", "static")
        bob.hears()


def test_only_users_of_the_app_get_in(
    visitor: Callable[..., Visitor], start: Callable[..., Daemon], tmp_path: Path
) -> None:
    """An app says which of its users a visitor is, and nobody else gets in."""
    title = "chat in my own app, with my own users"
    (app,) = recipe(title, "python")
    make = recipe(title, "sh")[0].splitlines()[0]
    subprocess.run(make, shell=True, check=True, cwd=tmp_path)
    (tmp_path / "app.py").write_text(app.replace("8000", "0"))
    # The app says where livechat is, and livechat which site the app is.
    first = start()
    first.stop()
    (tmp_path / "app.py").write_text(app.replace("8000", "0").replace(SERVER, first.url))
    with running(tmp_path, "app.py") as site:
        daemon = start(*options(title, site), f"--port={first.port}")
        ann = visitor(daemon)
        ann.page.goto(site)
        ann.is_in()
        ann.says("hi")
        ann.hears("hi")
        expect(ann.page.locator(".roster .verified")).to_be_visible()
        refused = daemon.curl("-d", "message=x", f"{daemon.url}/chat/send/team/")
        assert json.loads(refused)["code"] == "unauthorized"
