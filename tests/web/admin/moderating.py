"""Forms of moderation, and the parts of their pages that tests look at."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from msgspec import convert
from twisted.internet.defer import Deferred

from livechat.protocol.actions import Restrict
from livechat.protocol.audit import AuditRecord, record_of_text
from livechat.protocol.messages import User
from livechat.protocol.moderation import Case, CaseKind, Restriction
from livechat.protocol.names import AUDIT_ROOM
from livechat.protocol.settings import SettingsChange
from tests.support import ADMIN, Answer, Browser, World, result, run

EVE = User("evesid123456", "Eve")
CARLA = User("42", "Carla", verified=True)


def said(world: World, text: str, user: User | None = EVE, room: str = "r") -> int:
    """Send a message as a user; return its number."""
    return int(result(world.chat.send(world.caller("198.51.100.1", user), room, text)).seq)


def texts(world: World, room: str = "r") -> list[str]:
    return [each.message for each in result(world.backend.messages.read(room, 0, 999)).messages]


def restricted(world: World, user: User = EVE, room: str = "r") -> Restriction | None:
    return world.chat.restrictions.get(room, user.subject)


def restrict(world: World, room: str = "r", user: User = EVE, **more: Any) -> None:
    given = {"type": "restrict", "user": user.id, "guest": not user.verified, "kind": "ban", **more}
    result(world.chat.moderation.restrict(ADMIN, room, convert(given, Restrict)))


def settle(world: World, done: Deferred[Any]) -> Any:
    """Take turns until *deferred* has a result, and return it."""
    world.clock.pump([0.05] * 25)
    return result(done)


def set_rules(world: World, pattern: str = "r", **settings: Any) -> None:
    run(world.chat.settings.change(pattern, SettingsChange(**settings)))


def settings(world: World, pattern: str = "r") -> dict[str, Any]:
    """The settings that a room or a pattern has of its own."""
    return world.chat.settings.own(pattern).given()


def open_case(world: World, known_as: str, kind: CaseKind = "held", **more: Any) -> None:
    given: dict[str, Any] = {"room": "r", "time": world.chat.now(), "user": EVE, "message": "hi"}
    case = Case(kind, "open", owner=f"o:{known_as}", **{**given, **more})
    register = world.chat.cases._register
    assert run(register.add(known_as, case, int(world.wall) + 10_000))


def cases(world: World) -> dict[str, Case]:
    return dict(world.chat.cases.listed(ADMIN))


def records(world: World) -> list[AuditRecord]:
    """The audit, the oldest first."""
    found = result(world.backend.messages.read(AUDIT_ROOM, 0, 999)).messages
    return [record_of_text(each.message) for each in found]


def notices(text: str) -> list[str]:
    """Find the notices and errors of a page, without tags."""
    found = re.findall(r'<p class="(?:notice|error)"[^>]*>(.*?)</p>', text, re.DOTALL)
    return [unescape(re.sub(r"<[^>]*>", "", each)).strip() for each in found]


def shown(browser: Browser, answer: Answer) -> str:
    """Follow a form's redirect to its page."""
    assert answer.status == 303, answer
    page = browser.get(answer.headers["location"])
    return page.body.decode()


def told(browser: Browser, answer: Answer) -> str:
    """Follow a form's redirect, and return the page's only notice."""
    (notice,) = notices(shown(browser, answer))
    return notice


def seen(text: str) -> str:
    """Return a page's text, without tags."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", text)).split())
