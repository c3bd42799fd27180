"""A back end with a key, and its records in the audit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from livechat.protocol.audit import AuditRecord, record_of_text
from livechat.protocol.names import AUDIT_ROOM
from tests.support import Answer, Port, World, request, result, run

ALL = {"*": ["*"]}
NEWS = {"news": ["send"]}
KEYS = "/chat/keys/"
TOKEN = "/chat/token/"


class BackEnd:
    """A client with a key, or another credential."""

    def __init__(self, port: Port, credential: str | None = None, /, **key: Any) -> None:
        if credential is None:
            rooms: Mapping[str, Sequence[str]] = key.pop("rooms", ALL)
            name = key.pop("name", "back end")
            made, credential = run(port.world.keys.add(name, rooms, **key))
            self.id = made.id
        self.port = port
        self.headers = {"Authorization": f"Bearer {credential}"}

    def ask(self, method: str, target: str, body: object = None, **headers: str) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {} if body is None else {"Content_Type": "application/json"}
        return self.port.ask(
            method, target, b"" if body is None else data, **given | self.headers | headers
        )

    def make(
        self, name: str = "news", rooms: Any = NEWS, *, as_users: bool = False, **more: Any
    ) -> Answer:
        return self.ask("POST", KEYS, {"name": name, "rooms": rooms, "as": as_users, **more})

    def mint(self, user: str = "42", **more: Any) -> Answer:
        return self.ask("POST", TOKEN, {"user": user, **more})

    def may(self, room: str, method: str = "GET") -> bool:
        target = f"/chat/history/{room}/" if method == "GET" else f"/chat/send/{room}/"
        body = None if method == "GET" else {"message": "x"}
        return self.ask(method, target, body).status == 200


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.code()


def records(world: World) -> list[AuditRecord]:
    page = result(world.backend.messages.read(AUDIT_ROOM, 0, 1_000))
    return [record_of_text(each.message) for each in page.messages]


ACTIONS = "/chat/actions/"


def batch(of: BackEnd, *actions: Any, **headers: str) -> Answer:
    return of.ask("POST", ACTIONS, {"actions": list(actions)}, **headers)


def results(answer: Answer) -> list[Any]:
    """Numbers of what was stored, and codes of what was refused."""
    assert answer.status == 200
    return [
        each["error"]["code"] if each["type"] == "error" else each.get("seq")
        for each in answer.json()["results"]
    ]


def say(room: str, text: Any = "x", **more: Any) -> dict[str, Any]:
    return {"room": room, "message": text, **more}


def enter(port: Port, room: str, name: str, count: int = 1) -> None:
    for _ in range(count):
        wire = port.connect()
        wire.send(request("GET", f"/chat/events/{room}/?name={name}&client={name:-<16}"))
        assert wire.events()


def sets(by: BackEnd, room: str, **settings: Any) -> None:
    answer = by.ask("POST", ACTIONS, {"type": "room", "room": room, "set": settings})
    assert answer.status == 200, answer.json()


def said(port: Port, room: str) -> list[str]:
    answer = port.ask("GET", f"/chat/history/{room}/?limit=1000")
    return [each["message"] for each in answer.json()["chat_history"]]


def state(of: BackEnd, room: str) -> Any:
    return of.ask("GET", f"/chat/rooms/{room}/").json()
