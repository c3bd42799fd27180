"""Requests to the API, and the parts of their answers that tests look at."""

from __future__ import annotations

import json
from typing import Any

from tests.support import Answer, Port
from tests.support.requests import JSON


def post(port: Port, value: Any, path: str = "/chat/send/") -> Answer:
    return port.ask("POST", path, json.dumps(value).encode(), **JSON)


def history(port: Port, query: str = "") -> list[dict[str, Any]]:
    answer = port.ask("GET", f"/chat/history/{query}")
    assert answer.status == 200
    found = answer.json()
    assert set(found) == {"chat_history"}
    items: list[dict[str, Any]] = found["chat_history"]
    return items


def texts(port: Port, query: str = "") -> list[str]:
    return [each["message"] for each in history(port, query)]


def act(port: Port, action: Any, query: str = "client=" + "k" * 16, **headers: str) -> Answer:
    data = action if isinstance(action, bytes) else json.dumps(action).encode()
    return port.ask("POST", f"/chat/actions/r/?{query}", data, **JSON, **headers)
