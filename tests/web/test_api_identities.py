"""`livechat.web.api`: clients that an authenticator or a token knows, or that are turned away."""

from __future__ import annotations

import json
from collections.abc import Callable
from time import time
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from zope.interface import implementer

from livechat.errors import ChatError, Kind
from livechat.identity.tokens import Minted
from livechat.interfaces import Credentials, IAuthenticator, Identity
from tests.support import HANDSHAKE, Port, World, request, run
from tests.support.requests import FORM
from tests.web.asking import act, history


@implementer(IAuthenticator)
class ByHeader:
    """An authenticator by header: some values are turned away, and others are never answered."""

    def __init__(self) -> None:
        self.waiting: list[Deferred[Identity | None]] = []

    def authenticate(self, credentials: Credentials) -> Any:
        if credentials.header("X-Bad"):
            raise ChatError(Kind.FORBIDDEN, "Not you.")
        if credentials.header("X-Wait"):
            self.waiting.append(Deferred())
            return self.waiting[-1]
        known_as = credentials.header("X-User")
        return Identity(known_as) if known_as else None


@pytest.fixture
def guarded(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> tuple[Port, ByHeader]:
    """A port with an authenticator."""
    by_header = ByHeader()
    world = make_world(authenticators=[by_header])
    monkeypatch.setattr("txaio.config.loop", world.clock)
    return Port(world), by_header


WAYS = [
    ("POST", "/chat/send/r/", b"message=hi", FORM),
    ("GET", "/chat/history/r/", b"", {}),
    ("GET", "/chat/events/r/", b"", {}),
    ("GET", "/ws/chat/r/", b"", HANDSHAKE),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "headers"), WAYS)
def test_a_client_turned_away_is_told_by_every_way(
    guarded: tuple[Port, ByHeader], method: str, path: str, body: bytes, headers: dict[str, str]
) -> None:
    """A client that an authenticator turns away is refused by every way, with the reason."""
    port, _ = guarded
    answer = port.ask(method, path, body, **headers, X_Bad="1")
    assert (answer.status, answer.code()) == (403, "forbidden")
    assert answer.json()["detail"] == "Not you."
    assert port.world.hub.rooms() == {}


def test_turned_away_from_v1(guarded: tuple[Port, ByHeader]) -> None:
    """A client of the protocol is told by a code, which browsers show."""
    port, _ = guarded
    wire = port.connect()
    told = {"Sec_WebSocket_Protocol": "livechat.v1", "X_Bad": "1"}
    wire.send(request("GET", "/ws/chat/r/", **HANDSHAKE, **told))
    assert wire.answer().status == 101
    assert wire.closed() == 4403


@pytest.mark.parametrize(("method", "path", "body", "headers"), WAYS)
def test_gone_while_it_is_asked(
    guarded: tuple[Port, ByHeader], method: str, path: str, body: bytes, headers: dict[str, str]
) -> None:
    """A client that hangs up before its authenticator has answered leaves nothing behind."""
    port, by_header = guarded
    wire = port.connect()
    wire.send(request(method, path, body, **headers, X_Wait="1"))
    wire.hang_up()
    (waiting,) = by_header.waiting
    if not waiting.called:
        waiting.callback(Identity("42"))
    assert port.world.hub.rooms() == {}
    assert len(port.connections) == len(port.sockets.sockets) == len(port.feeds) == 0


def test_a_user_of_the_site_is_one_by_every_way(guarded: tuple[Port, ByHeader]) -> None:
    """A site's user is the same by every way, whatever name and key it gives."""
    port, _ = guarded
    asked = "?name=Eve&client=abcdefghijklmnop"
    assert (
        port.ask("POST", f"/chat/send/r/{asked}", b"message=hi", **FORM, X_User="ann").status == 200
    )
    (item,) = history(port, "r/")
    assert item["user"] == {"id": "ann", "name": "ann", "verified": True}
    wire = port.connect()
    wire.send(request("GET", f"/chat/events/r/{asked}", X_User="ann"))
    (_, hello), *_ = wire.events()
    assert json.loads(hello)["user"] == {"id": "ann", "name": "ann", "verified": True}
    wire.hang_up()


def token_of(port: Port, user: str, **claims: Any) -> str:
    """A token of the server's own."""
    port.world.wall = time()
    minted: Minted = run(port.world.tokens.mint(user, **claims))
    return minted.token


def test_a_user_with_a_token_is_one_by_every_way(port: Port) -> None:
    """A user with a token is the same by every way, whatever name and key the query gives."""
    asked, given = "?name=Eve&client=abcdefghijklmnop", f"Bearer {token_of(port, '42', name='Ann')}"
    ann = {"id": "42", "name": "Ann", "verified": True}
    sent = port.ask("POST", f"/chat/send/r/{asked}", b"message=hi", **FORM, Authorization=given)
    assert sent.status == 200
    assert act(port, {"message": "ho"}, "", Authorization=given).status == 200
    assert [each["user"] for each in history(port, "r/")] == [ann, ann]
    wire = port.connect()
    wire.send(request("GET", f"/chat/events/r/{asked}", Authorization=given))
    (_, hello), *_ = wire.events()
    assert json.loads(hello)["user"] == ann


@pytest.mark.parametrize(("method", "path", "body", "headers"), WAYS)
def test_an_expired_token_is_refused_by_every_way(
    port: Port, method: str, path: str, body: bytes, headers: dict[str, str]
) -> None:
    """An expired token is refused by every way."""
    port.world.wall = time() - 3_600
    minted: Minted = run(port.world.tokens.mint("42", seconds=60))
    port.world.wall = time()
    given = f"Bearer {minted.token}"
    answer = port.ask(method, path, body, **headers, Authorization=given)
    assert (answer.status, answer.code()) == (401, "token_expired")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("given", ["Bearer opaque", "Basic YTpi", "Bearer "])
def test_unknown_credentials_make_a_guest(port: Port, given: str) -> None:
    """A credential that no extension knows leaves the client a guest."""
    assert port.ask("GET", "/chat/history/r/", Authorization=given).status == 200
