"""Tokens of pages in Chromium: of sites that may use the chat, and of others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.live.browser import Tab
from tests.live.daemon import CHEAP, Daemon
from tests.support.jwts import secret_file, signed
from tests.support.site import HttpsSite, answers

ANN = {"id": "42", "name": "Ann", "verified": True}
PAGE = b"<!doctype html><title>A site</title>"
#: Sends, reads the history, and listens, by fetch and a WebSocket; with a token, or cookies.
USES = """async ([url, token]) => {
    const given = token ? { headers: { authorization: `Bearer ${token}` } }
                        : { credentials: "include" };
    const body = new URLSearchParams({ message: "hi" });
    const sent = await fetch(`${url}/chat/send/r/`, { ...given, method: "POST", body });
    if (!sent.ok) throw new Error(await sent.text());
    const history = await (await fetch(`${url}/chat/history/r/`, given)).json();
    const stream = (await fetch(`${url}/chat/events/r/`, given)).body.getReader();
    let heard = "";
    while (!/event: hello[^]*\\n\\n/.test(heard)) {
        heard += new TextDecoder().decode((await stream.read()).value);
    }
    await stream.cancel();
    const offered = ["livechat.plain", ...(token ? [`livechat.token.${token}`] : [])];
    const socket = new WebSocket(`${url.replace("https", "wss")}/ws/chat/r/?history=1`, offered);
    const frame = await new Promise((resolve, reject) => {
        socket.onmessage = ({ data }) => resolve(data);
        socket.onerror = reject;
    });
    socket.close();
    return [sent.status, history.chat_history.at(-1).user, heard, socket.protocol, frame];
}"""
#: The first event of an EventSource, which can only bring cookies.
LISTENS = """(url) => new Promise((resolve, reject) => {
    const source = new EventSource(`${url}/chat/events/r/`, { withCredentials: true });
    source.addEventListener("hello", ({ data }) => { source.close(); resolve(data); });
    source.onerror = reject;
})"""
#: Tries everything, and counts what worked.
TRIES = """async (url) => {
    const given = { credentials: "include", method: "POST", body: "message=evil",
                    headers: { "content-type": "application/x-www-form-urlencoded" } };
    const opened = new Promise((resolve) => {
        const socket = new WebSocket(`${url.replace("https", "wss")}/ws/chat/r/`);
        socket.onopen = () => resolve(true);
        socket.onerror = () => resolve(false);
    });
    const tried = [
        fetch(`${url}/chat/send/r/`, given),
        fetch(`${url}/chat/send/r/`, { ...given, headers: { authorization: "Bearer x" } }),
        fetch(`${url}/chat/history/r/`, { credentials: "include" }),
    ];
    const done = await Promise.allSettled(tried);
    await fetch(`${url}/chat/send/r/`, { ...given, mode: "no-cors" }).catch(() => {});
    return done.filter(({ status }) => status === "fulfilled").length + (await opened);
}"""


class Sites(NamedTuple):
    """
    A site that may use the chat, and one that may not.

    Browsers take both for the same site as the chat: cookies come with what any page here asks.
    """

    allowed: str
    foreign: str


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    certs = tmp_path_factory.mktemp("certs")
    page = answers(PAGE, "200 OK", "Content-Type: text/html")
    with HttpsSite(certs, page) as allowed, HttpsSite(certs, page) as foreign:
        yield Sites(allowed.url(""), foreign.url(""))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, sites: Sites) -> Iterator[Daemon]:
    directory = tmp_path_factory.mktemp("daemon")
    secret_file(directory)
    options = (
        "--token-keys=secret", "--token-cookie=chat", "--guests=off", f"--origin={sites.allowed}"
    )  # fmt: skip
    with Daemon(directory, *options, environment=CHEAP) as running:
        yield running


def token() -> str:
    return signed(now=time.time())


def give_cookie(context: BrowserContext, daemon: Daemon) -> None:
    """Sign a visitor in, as the site would."""
    context.add_cookies(
        [
            {"name": "chat", "value": token(), "url": daemon.url, "sameSite": "Lax",
             "secure": True, "httpOnly": True}
        ]
    )  # fmt: skip


def uses(page: Page, daemon: Daemon, given: str | None) -> None:
    """The page of a user does everything."""
    sent, user, heard, spoken, frame = page.evaluate(USES, [daemon.url, given])
    assert (sent, user, spoken) == (200, ANN, "livechat.plain")
    assert "event: hello" in heard
    assert '"verified":true' in heard
    assert frame == '{"message":"hi"}'


def test_an_allowed_page_uses_a_token(
    tab: Callable[..., Tab], daemon: Daemon, sites: Sites
) -> None:
    """A page of an allowed origin sends, reads and listens with its visitor's token."""
    page = tab().page
    page.goto(sites.allowed)
    uses(page, daemon, token())


def test_an_allowed_page_uses_a_cookie(
    tab: Callable[..., Tab], daemon: Daemon, sites: Sites
) -> None:
    """The same with a cookie; and an EventSource, which can bring nothing else."""
    visitor = tab()
    give_cookie(visitor.context, daemon)
    visitor.page.goto(sites.allowed)
    uses(visitor.page, daemon, None)
    assert '"verified":true' in visitor.page.evaluate(LISTENS, daemon.url)
    # A page of the server's own sends no Origin with what only reads.
    visitor.page.goto(f"{daemon.url}/rooms/r/")
    uses(visitor.page, daemon, None)


def test_a_foreign_page_cannot_use_the_cookie(
    tab: Callable[..., Tab], daemon: Daemon, sites: Sites
) -> None:
    """A page of another site gets nowhere with its visitor's cookie."""
    visitor = tab()
    give_cookie(visitor.context, daemon)
    visitor.page.goto(sites.foreign)
    before: Any = history(daemon)
    assert visitor.page.evaluate(TRIES, daemon.url) == 0
    assert history(daemon) == before
    visitor.complaints.clear()


def history(daemon: Daemon) -> str:
    return daemon.curl(
        "-H", f"Authorization: Bearer {token()}", f"{daemon.url}/chat/history/r/"
    )  # fmt: skip
