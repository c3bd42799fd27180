"""`livechat.http.proxied`: requests that come without TLS, from proxies."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from livechat.http.proxied import ProxiedSite
from tests.support import HANDSHAKE, Answer, Port, Wire, World, request

FILE = UNIXAddress(None)
LOCAL = IPv4Address("TCP", "127.0.0.1", 50_000)
LOCAL6 = IPv6Address("TCP", "::1", 50_000)
TRUSTED = IPv4Address("TCP", "10.0.0.7", 50_000)
STRANGER = IPv4Address("TCP", "192.0.2.66", 50_000)
#: Headers as a proxy sends them.
SAID = {"X_Forwarded_For": "203.0.113.9", "X_Forwarded_Proto": "https"}


@pytest.fixture
def proxied(port: Port, world: World) -> Port:
    return Port(world, proxies=["10.0.0.0/8"], names=["chat.example"], most_per_address=2)


def connect(port: Port, peer: Any) -> Wire:
    channel = ProxiedSite(port.factory).buildProtocol(peer)
    assert channel is not None
    return Wire(channel, port.world.clock)


def ask(
    port: Port, peer: Any, method: str, target: str, body: bytes = b"", /, **headers: str
) -> Answer:
    wire = connect(port, peer)
    wire.send(request(method, target, body, **({"Host": "chat.example"} | headers)))
    answer = wire.answer(method)
    wire.hang_up()
    return answer


@pytest.mark.parametrize("headers", [{}, SAID, {"X_Forwarded_For": "127.0.0.1"}])
def test_a_peer_that_is_no_proxy_is_refused(proxied: Port, headers: dict[str, str]) -> None:
    """A peer that is no proxy is refused, with any headers and any request."""
    answer = ask(proxied, STRANGER, "GET", "/healthz", **headers)
    assert (answer.status, answer.code()) == (403, "forbidden")
    assert "--trust-proxy" in answer.json()["detail"]
    handshake = HANDSHAKE | {"Sec_WebSocket_Protocol": "livechat.v1"} | headers
    assert ask(proxied, STRANGER, "GET", "/ws/chat/r/", **handshake).status == 403


@pytest.mark.parametrize("peer", [FILE, LOCAL, LOCAL6, TRUSTED])
@pytest.mark.parametrize(
    "forwarded",
    [
        None,
        "",
        " , ",
        "unknown",
        "203.0.113.9, unknown",
        "203.0.113.9, ",
        "<b>",
        "%",
        "[",
        "1",
    ],
)
def test_a_request_without_a_client_is_refused(
    proxied: Port, peer: Any, forwarded: str | None
) -> None:
    """A request without a client's address is refused, at every path."""
    given = {"X_Forwarded_Proto": "https"}
    if forwarded is not None:
        given["X_Forwarded_For"] = forwarded
    for target in ("/healthz", "/metrics", "/", "/nothing", "/ws/chat/r/"):
        assert ask(proxied, peer, "GET", target, **given).status == 400
    assert "X-Forwarded-For" in ask(proxied, peer, "GET", "/healthz", **given).json()["detail"]


@pytest.mark.parametrize(
    ("forwarded", "source"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 10.1.1.1", "203.0.113.9"),
        ("203.0.113.9:5000", "203.0.113.9"),
        ("[2001:db8::1]:5000", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%eth0]:5000", "fe80::1"),
        ("fe80::1%<b>", "fe80::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        # The loopback is believed as a peer, and is a proxy in between only where it is named.
        ("203.0.113.9, 127.0.0.1", "127.0.0.1"),
    ],
)
def test_requests_are_of_the_named_client(proxied: Port, forwarded: str, source: str) -> None:
    """Requests are of the client that the proxy names, without what may be any text."""
    wire = connect(proxied, FILE)
    wire.send(request("GET", "/healthz", Host="chat.example", X_Forwarded_For=forwarded))
    assert wire.answer().status == 200
    assert wire.channel.source.address == source


def test_no_proxied_request_is_local(proxied: Port) -> None:
    """A request never counts as one of this machine, whomever it is said to be from."""
    given = {"Host": "localhost", "X_Forwarded_For": "127.0.0.1", "X_Forwarded_Proto": "https"}
    for peer in (FILE, LOCAL):
        assert ask(proxied, peer, "GET", "/metrics", **given).status == 403


def test_limits_are_the_clients(proxied: Port) -> None:
    """Connections count for their clients, not for the proxy."""

    def member(client: str) -> int:
        wire = connect(proxied, FILE)
        given = {"Host": "chat.example", "X_Forwarded_For": client}
        wire.send(request("GET", "/ws/chat/r/", **(HANDSHAKE | given)))
        return wire.answer().status

    assert [member("203.0.113.9") for _ in range(3)] == [101, 101, 429]
    assert member("203.0.113.10") == 101


@pytest.mark.parametrize("scheme", [{}, {"X_Forwarded_Proto": "http"}])
def test_without_https_there_is_no_admin_page(proxied: Port, scheme: dict[str, str]) -> None:
    """Without https at the proxy there is no admin page, and pages have addresses of http."""
    given = {"X_Forwarded_For": "203.0.113.9"} | scheme
    for target in ("/admin/", "/admin/sign-in/", "/admin/events"):
        answer = ask(proxied, LOCAL, "GET", target, **given)
        assert answer.status == 403
        assert b"only over https" in answer.body
        assert "set-cookie" not in answer.headers
    page = ask(proxied, LOCAL, "GET", "/developers/", **given)
    assert b" ws://chat.example/" in page.body
    send = given | {"Content_Type": "application/json", "Origin": "http://chat.example"}
    body = b'{"message": "hi"}'
    assert ask(proxied, LOCAL, "POST", "/chat/send/r/", body, **send).status == 200
    # A proxy that says the name says for which scheme.
    send |= {"Origin": "https://chat.example", "X_Forwarded_Host": "chat.example"}
    assert ask(proxied, LOCAL, "POST", "/chat/send/r/", body, **send).status == 403


def test_with_https_there_is_an_admin_page(proxied: Port) -> None:
    """Behind https at the proxy there is an admin page, a secure cookie, and addresses of https."""
    answer = ask(proxied, LOCAL, "GET", "/admin/sign-in/", **SAID)
    assert answer.status == 200
    assert "Secure" in answer.headers["set-cookie"]
    assert b"wss://chat.example/" in ask(proxied, LOCAL, "GET", "/developers/", **SAID).body
    send = SAID | {"Content_Type": "application/json", "Origin": "https://chat.example"}
    body = b'{"message": "hi"}'
    assert ask(proxied, LOCAL, "POST", "/chat/send/r/", body, **send).status == 200


def test_a_header_beyond_the_bound_is_refused(proxied: Port) -> None:
    """A header of 64 KB is refused, and its connection closed."""
    wire = connect(proxied, FILE)
    wire.send(request("GET", "/healthz", Host="chat.example", X_Forwarded_For="1, " * 22_000))
    assert wire.answer().status == 400
    assert wire.closing


def test_connections_of_proxies_are_bounded(proxied: Port) -> None:
    """In the end even proxies are not let in."""
    limited = ProxiedSite(Port(proxied.world, most=1).factory)
    assert [limited.buildProtocol(FILE) for _ in range(200)][-1] is None


def test_ports_tell_the_factory_of_begin_and_end(proxied: Port) -> None:
    """Ports tell it that they begin and end."""
    site = ProxiedSite(proxied.factory)
    site.doStart()
    site.doStop()
