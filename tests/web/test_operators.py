"""`livechat.web.operators`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from livechat.identity.accounts import MOST_ACCOUNTS
from livechat.protocol.audit import AuditRecord, record_of_text
from livechat.protocol.names import AUDIT_ROOM
from tests.support import PASSWORD, Answer, Browser, Port, World, result, run

ALL = {"*": ["*"]}
PATH = "/chat/operators/"


class Manager:
    """A client with a token."""

    def __init__(self, port: Port, rooms: Mapping[str, Sequence[str]] | None) -> None:
        self.port = port
        minted = run(port.world.door._tokens.mint("42", rooms=rooms))
        self.headers = {"Authorization": f"Bearer {minted.token}"}

    def ask(self, method: str, target: str = PATH, body: object = None, **headers: str) -> Answer:
        data = b"" if body is None else json.dumps(body).encode()
        if body is not None:
            headers = {"Content_Type": "application/json", **headers}
        return self.port.ask(method, target, data, **self.headers, **headers)

    def put(self, name: str, rooms: Any, **more: Any) -> Answer:
        return self.ask("POST", body={"name": name, "rooms": rooms, **more})

    def list(self) -> Any:
        return self.ask("GET").json()["operators"]


@pytest.fixture
def manager(port: Port) -> Manager:
    return Manager(port, ALL)


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.code()


def records(world: World) -> list[AuditRecord]:
    page = result(world.backend.messages.read(AUDIT_ROOM, 0, 1_000))
    return [record_of_text(each.message) for each in page.messages]


@pytest.mark.parametrize(
    "rooms", [None, {}, {"*": ["join", "history", "send", "moderate"]}, {"lobby": ["*"]},
              {"a*": ["*"]}]
)  # fmt: skip
@pytest.mark.parametrize(
    ("method", "target", "body"),
    [("GET", PATH, None), ("POST", PATH, {"name": "eve", "rooms": ALL}),
     ("DELETE", f"{PATH}ann/", None)],
)  # fmt: skip
def test_those_who_may_not(
    port: Port, manager: Manager, rooms: Any, method: str, target: str, body: Any
) -> None:
    """A caller that does not manage everything is refused, and learns nothing."""
    manager.put("ann", {"lobby": ["moderate"]})
    assert code(Manager(port, rooms).ask(method, target, body)) == (403, "forbidden")
    data = b"" if body is None else json.dumps(body).encode()
    answer = port.ask(method, target, data, Content_Type="application/json")
    assert code(answer) == (401, "unauthorized")
    assert [each["name"] for each in manager.list()] == ["ann"]


def test_nobody_gives_more_than_they_have(port: Port) -> None:
    """A caller cannot give an operator rights that it lacks."""
    most = Manager(port, {"*": ["join", "history", "moderate", "manage"], "secret": []})
    for rooms in (ALL, {"lobby": ["send"]}, {"secret": ["join"]}, {"s*": ["moderate"]}):
        expected = 200 if rooms == {"s*": ["moderate"]} else 403
        answer = most.put("ann", {**rooms, "secret": []} if expected == 200 else rooms)
        assert answer.status == expected, rooms


def test_adding_changing_dropping(port: Port, manager: Manager, world: World) -> None:
    """A made password is in one answer only, and never listed."""
    made = manager.put("ann", {"lobby": ["moderate"]})
    assert made.status == 200
    password = made.json()["password"]
    rooms = {"lobby": ["join", "history", "moderate"]}
    assert made.json() == {"name": "ann", "rooms": rooms, "new": True, "password": password}
    assert len(password) > 20
    assert manager.list() == [{"name": "ann", "rooms": rooms}]
    changed = manager.put("ann", {"news": ["join"]}).json()
    assert changed == {"name": "ann", "rooms": {"news": ["join"]}, "new": False, "password": None}
    assert Browser(port).sign_in(password, username="ann").status == 303
    given = manager.put("bob", {}, password=PASSWORD).json()
    assert given["password"] is None
    assert manager.ask("DELETE", f"{PATH}ann/").json() == {"dropped": "ann"}
    assert code(manager.ask("DELETE", f"{PATH}ann/")) == (404, "not_found")
    assert Browser(port).sign_in(password, username="ann").status == 403
    assert manager.list() == [{"name": "bob", "rooms": {}}]
    assert [(each.action.type, each.action.name) for each in records(world)] == [
        ("operator_add", "ann"), ("operator_change", "ann"), ("sign_in", None),
        ("operator_add", "bob"), ("operator_drop", "ann"),
    ]  # fmt: skip
    assert password not in str(records(world))


@pytest.mark.parametrize(
    "body",
    [
        [], "ann", {}, {"name": "ann"}, {"name": 1, "rooms": {}}, {"name": "ann", "rooms": []},
        {"name": "ann", "rooms": {"a": "send"}}, {"name": "ann", "rooms": {"a": [1]}},
        {"name": "ann", "rooms": {"a": ["fly"]}}, {"name": "ann", "rooms": {"!audit": ["*"]}},
        {"name": "Ann", "rooms": {}}, {"name": "operator", "rooms": {}}, {"name": "", "rooms": {}},
        {"name": "ann", "rooms": {}, "password": "short"},
        {"name": "ann", "rooms": {}, "password": 12345678},
        {"name": "ann", "rooms": {}, "password": "x" * 1_025},
    ],
    ids=lambda body: repr(body)[:60],
)  # fmt: skip
def test_bad_bodies_are_refused(manager: Manager, body: Any) -> None:
    answer = manager.ask("POST", body=body)
    assert answer.status == 400, answer
    assert manager.list() == []


def test_bodies_without_json_are_refused(manager: Manager) -> None:
    assert code(manager.ask("POST", body={}, Content_Type="text/plain")) == (
        415,
        "unsupported_media_type",
    )
    assert code(manager.port.ask("POST", PATH, b"{", **manager.headers)) == (
        415,
        "unsupported_media_type",
    )


@pytest.mark.parametrize("name", ["%20", "Ann", "a%2Fb", "operator", "%C3%A4", "a" * 65])
def test_bad_names_are_refused(manager: Manager, name: str) -> None:
    assert manager.ask("DELETE", f"{PATH}{name}/").status == 400


def test_a_full_map(manager: Manager, world: World) -> None:
    """An operator beyond the bound is refused, and none is dropped."""
    for number in range(MOST_ACCOUNTS):
        run(world.operators.accounts.put(f"a{number}", {}, "hash"))
    assert code(manager.put("ann", {})) == (503, "overloaded")
    assert len(manager.list()) == MOST_ACCOUNTS
