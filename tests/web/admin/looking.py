"""Requests to pages, and the parts of their answers that tests look at."""

from __future__ import annotations

import json
import re

from livechat.identity.accounts import account_grants
from livechat.protocol.messages import User
from tests.support import ANN, PASSWORD, Browser, Port, RecordingClient, World, result, run

EVE = User("eve", "Eve")
#: Texts that pages must show as text, never as markup.
HOSTILE = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</script><script>",
    "{{7*7}}", "{% raw %}", "javascript:alert(1)", "' onmouseover='", "\u202eevil", "\0", "</p>",
    "a\r\nb\n\n<b>", "event: reset\ndata: x\n\n",
]  # fmt: skip


def say(world: World, text: str, room: str = "r", user: User | None = None) -> None:
    result(world.chat.send(world.caller("198.51.100.1", user), room, text))


def join(world: World, room: str) -> RecordingClient:
    client = RecordingClient()
    run(world.chat.join(ANN, room, client))
    return client


def page(browser: Browser, target: str) -> str:
    answer = browser.get(target)
    assert answer.status == 200, answer
    return answer.body.decode()


def names(text: str) -> list[str]:
    """Find the rooms that a page lists, in its order."""
    return re.findall(r'id="room-([^"]+)"', text)


def shown(text: str) -> list[str]:
    """Find the messages that a page shows, as in its source."""
    listed = text[text.index("data-messages") : text.index("</ol>")]
    return re.findall(r'<p dir="auto">(.*?)</p>', listed, re.DOTALL)


def authors(text: str) -> list[str]:
    """The authors that a page shows, message by message."""
    found = re.findall(r'<li data-seq="\d+">(.*?)</li>', text[: text.index("</ol>")], re.DOTALL)
    heads = [each.partition("<p ")[0] for each in found]
    return [" ".join(re.sub(r"<[^>]+>", " ", each).split()) for each in heads]


def edit(world: World, ref: int, text: str) -> None:
    result(world.chat.edit(world.caller("198.51.100.1", EVE), "r", ref, text))


def changes(events: list[tuple[str, str]]) -> list[tuple[str, int]]:
    """The entries among events."""
    kinds = ("message", "edited", "retracted", "gone")
    return [(name, json.loads(data)["seq"]) for name, data in events if name in kinds]


def put(world: World, name: str, **rooms: str) -> None:
    grants = account_grants({room: words.split() for room, words in rooms.items()})
    run(world.operators.put(name, grants, PASSWORD))


def named(port: Port, name: str = "ann", **rooms: str) -> Browser:
    """Make the browser of an operator with these rights, signed in."""
    put(port.world, name, **rooms)
    browser = Browser(port)
    assert browser.sign_in(username=name).status == 303
    return browser
