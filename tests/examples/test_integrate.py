"""The receivers of docs/integrate.md, as livechat calls them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from livechat.events.batches import Draft
from livechat.events.merging import Step
from livechat.protocol.events import event_of_entry
from livechat.protocol.messages import Message
from livechat.webhooks.requests import make_request

PAGE = Path(__file__).parents[2] / "docs" / "integrate.md"
SECRET = b"s" * 32


def block(language: str, word: str) -> str:
    """Find the page's code that has *word*."""
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (code,) = (each for each in found if word in each)
    return str(code)


def posted() -> tuple[bytes, Mapping[str, str]]:
    """A body of two messages, and its headers, as livechat sends them."""
    draft = Draft()
    draft.take(
        [Step(event_of_entry("r", "ep", Message(f"é{n}", n, 1)), n) for n in (1, 2)], "r", "ep"
    )
    batch = draft.batch(frozenset())
    request = make_request([event.id for event in batch.events], batch.encoded, 1)
    return request.body, dict(request.headers([SECRET], time.time()))


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    monkeypatch.setenv("WEBHOOK_SECRET", f"whsec_{b64encode(SECRET).decode()}")
    return []


def test_the_django_handler_verifies(kept: list[Any], request: pytest.FixtureRequest) -> None:
    """Django, with its own requests."""
    from django.conf import UserSettingsHolder, global_settings, settings  # noqa: PLC0415
    from django.test import RequestFactory  # noqa: PLC0415

    # Other tests of this process have their own settings.
    before, settings._wrapped = settings._wrapped, UserSettingsHolder(global_settings)
    request.addfinalizer(lambda: setattr(settings, "_wrapped", before))
    names: dict[str, Any] = {"keep": kept.append}
    exec(block("py", "django"), names)
    body, headers = posted()
    asked = RequestFactory(headers=dict(headers)).post
    answer = names["chat_events"](asked("/", body, "application/json"))
    assert answer.status_code == 200
    assert [each["message"] for each in kept] == ["é1", "é2"]
    with pytest.raises(WebhookVerificationError):
        names["chat_events"](asked("/", body + b" ", "application/json"))
    assert len(kept) == 2


def test_the_flask_handler_verifies(kept: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler for Flask, on a double of it."""
    body, headers = posted()
    flask: Any = ModuleType("flask")
    flask.Flask = lambda _: SimpleNamespace(post=lambda _path: lambda handler: handler)
    flask.request = SimpleNamespace(
        headers=headers, get_data=lambda as_text: body.decode() if as_text else body
    )
    monkeypatch.setitem(sys.modules, "flask", flask)
    names: dict[str, Any] = {"keep": kept.append, "__name__": "app"}
    exec(block("py", "flask"), names)
    assert names["chat_events"]() == ""
    assert [each["seq"] for each in kept] == [1, 2]
    body += b" "
    with pytest.raises(WebhookVerificationError):
        names["chat_events"]()


def test_the_express_handler_is_javascript(tmp_path: Path) -> None:
    """The handler for Express is JavaScript that node reads."""
    path = tmp_path / "receiver.mjs"
    path.write_text(block("js", "express"))
    subprocess.run(["node", "--check", path], check=True, timeout=30)


def test_a_repeated_event_is_stored_once() -> None:
    """The statement stores an event that comes twice only once."""
    import sqlite3  # noqa: PLC0415

    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE chat_events (id PRIMARY KEY, event, room, body)")
    for _ in range(2):
        database.execute(block("sql", "INSERT"), ("r:ep:1", "message", "r", json.dumps({})))
    assert database.execute("SELECT count(*) FROM chat_events").fetchone() == (1,)
