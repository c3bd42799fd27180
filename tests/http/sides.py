"""
Two connections that get the same bytes, at a site with a short way and at one without.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any, Final

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from livechat.errors import ChatError, Kind
from livechat.http.access_log import AccessLog
from livechat.http.call import Call
from livechat.http.endpoint import Endpoint
from livechat.http.origins import Origins
from livechat.http.request import Request
from livechat.http.response import Response, Upgrade
from livechat.http.rules import Audience, Rules
from livechat.http.short import ShortWay
from livechat.http.site import Site
from livechat.http.whole import WholeRequest
from livechat.limits.connections import Connections
from livechat.limits.rates import Rate
from livechat.net.proxies import Proxies
from livechat.option_values import STANDARD_LOG
from livechat.web.api import short as beginnings
from tests.support import HANDSHAKE, Wire, request

MOST: Final = 200
PROXY: Final = "192.0.2.7"
DATE: Final = re.compile(rb"Date: [^\r]*\r\n")
WHEN: Final = re.compile(r"\[[^]]*\]")


class Successor:
    """A protocol that follows a handshake, and records its data."""

    admission: Any = None

    def __init__(self, heard: list[object]) -> None:
        self.heard = heard

    def open(self, transport: Any, key: str, subprotocol: str | None = None) -> None:
        transport.write(f"opened {key}".encode())

    def dataReceived(self, data: bytes) -> None:
        self.heard.append(data)

    def abandon(self) -> None:
        self.heard.append("abandoned")

    def connectionLost(self, reason: object) -> None:
        self.heard.append("lost")


class Side:
    """A connection to a site, with or without a short way."""

    def __init__(self, *, short: bool, address: str = "192.0.2.1") -> None:
        self.clock = Clock()
        self.clock.advance(1_000)
        self.calls: list[object] = []
        self.taken = 0
        self.waiting: list[Deferred[None]] = []
        self.site = self._site(short)
        channel = self.site.buildProtocol(IPv4Address("TCP", address, 50_000))
        assert channel is not None
        self.channel: Any = channel
        self.wire = Wire(channel, self.clock)

    def _site(self, short: bool) -> Site:
        tree = Endpoint({"GET": self._answer}, Audience("any"))
        for path in (
            "/chat/send/",
            "/chat/send/{room}/",
            "/chat/actions/",
            "/chat/actions/{room}/",
        ):
            tree.put(path, Endpoint({"POST": self._answer, "GET": self._answer}))
        tree.put("/ws/chat/{room}/", Endpoint({"GET": self._upgrade}))
        origins = Origins(frozenset({"https://friend.example"}), lambda: ("localhost",), self.clock)
        return Site(
            tree,
            Request,
            clock=self.clock,
            rules=Rules(origins, lambda _: (("X-Promise", "1"),), lambda: ("localhost",)),
            rate=Rate.of(0),
            connections=Connections(0, 0),
            max_body=MOST,
            access=AccessLog(STANDARD_LOG),
            proxies=Proxies([ip_network(PROXY)]),
            back_in=lambda: 1_000,
            spares=lambda *_: False,
            short=ShortWay(beginnings(""), self._make) if short else None,
        )

    def _make(self, *whole: Any) -> WholeRequest:
        self.taken += 1
        return WholeRequest(*whole)

    async def _known(self, call: Call) -> None:
        source = call.source.address, call.proxied, call.asked
        said = call.method, call.path, call.query_text, dict(call.headers), call.body
        self.calls.append((said, dict(call.names), source))
        if "wait" in call.query_text:
            self.waiting.append(Deferred())
            await self.waiting[-1]
        if "refuse" in call.query_text:
            raise ChatError(Kind.RATE_LIMITED, "Not now.", retry_after=3)
        if "bug" in call.query_text:
            raise ZeroDivisionError

    async def _answer(self, call: Call) -> Response:
        await self._known(call)
        headers = (("X-Frame-Options", "SAMEORIGIN"),) if "frame" in call.query_text else ()
        return Response(200, b"" if "empty" in call.query_text else b"done", headers)

    async def _upgrade(self, call: Call) -> Upgrade:
        if not call.lists("upgrade", "websocket"):
            raise ChatError(Kind.UPGRADE_REQUIRED, "This is a WebSocket.")

        async def enter() -> Successor:
            await self._known(call)
            return Successor(self.calls)

        if "told" in call.query_text:
            return Upgrade(enter, "key", refused=lambda _: Successor(self.calls))
        return Upgrade(enter, "key")

    def send(self, data: bytes) -> None:
        # A transport that was aborted delivers nothing.
        if not self.wire.aborted:
            self.wire.send(data)

    def answered(self) -> None:
        """The endpoint that has waited longest goes on."""
        if self.waiting:
            self.waiting.pop(0).callback(None)

    def stop(self) -> None:
        self.site.stopping = True
        for channel in tuple(self.site.channels):
            channel.retire()

    def fill(self) -> None:
        self.wire.transport.full = True

    def drain(self) -> None:
        self.wire.transport.full = False
        if self.wire.transport.producer is not None and not self.wire.closing:
            self.wire.resume()

    def state(self) -> dict[str, object]:
        """Collect all that both sides must have in common."""
        channel, transport = self.channel, self.wire.transport
        known: Any = vars(channel)
        return {
            "written": DATE.sub(b"", transport.value()),
            "calls": self.calls,
            "waiting": len(self.waiting),
            "transport": (transport.disconnecting, transport.aborted, transport.producerState),
            "stage": channel._stage,
            "deadline": channel._deadline and channel._deadline.getTime(),
            "flags": (channel.closing, channel._begun, channel._handlingRequest),
            "persistent": bool(channel.persistent),
            "unread": (channel._unread is None, channel._waitingForTransport, channel.stalled),
            "bytes": (bytes(channel._buffer), b"".join(channel._dataBuffer)),
            "parser": (bool(channel.line_mode), channel.length, channel.max_body),
            "lines": (channel._HTTPChannel__first_line, channel._receivedHeaderSize),
            "head": (channel._command, channel._path, known.get("_HTTPChannel__header", b"")),
            "requests": len(channel.requests),
            "known": (channel in self.site.channels, len(self.site.connections)),
            "source": channel.source.address,
        }


STEPS: Final[dict[str, Callable[[Side], None]]] = {
    "answered": Side.answered,
    "stop": Side.stop,
    "full": Side.fill,
    "drain": Side.drain,
    "second": lambda side: side.clock.advance(1),
    "minute": lambda side: side.clock.advance(31),
    "gone": lambda side: side.wire.hang_up(),
    "proxied": lambda side: side.channel.comes_from("198.51.100.9"),
}


def run(side: Side, steps: list[bytes | str]) -> list[object]:
    """Take all steps; return the state after each, and the lines of the log."""
    states: list[object] = []
    with capturedLogs() as logged:
        for step in steps:
            if side.wire.transport.connected:
                if isinstance(step, bytes):
                    side.send(step)
                else:
                    STEPS[step](side)
            states.append(side.state() | {"calls": list(side.calls)})
        for _ in range(3):
            side.answered()
        side.wire.hang_up()
    states.append(side.state())
    lines = [WHEN.sub("", each.get("line", "")) or each["log_format"] for each in logged]
    return [*states, lines]


def compare(*steps: bytes | str, address: str = "192.0.2.1") -> Side:
    """Take the same steps on both sides, which must agree; return the one with the short way."""
    short, long = Side(short=True, address=address), Side(short=False, address=address)
    assert run(short, list(steps)) == run(long, list(steps))
    assert long.taken == 0
    return short


def post(target: str = "/chat/send/", body: bytes = b"hello", /, **headers: str) -> bytes:
    return request("POST", target, body, **headers)


def shake(target: str = "/ws/chat/r/", /, **headers: str) -> bytes:
    return request("GET", target, **{**HANDSHAKE, **headers})
