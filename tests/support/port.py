"""The port on the core, with connections in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

from twisted.internet.address import IPv4Address

from livechat.http.access_log import AccessLog
from livechat.http.origins import Origins
from livechat.http.request import Request
from livechat.http.response import Headers
from livechat.http.rules import Rules
from livechat.http.short import ShortWay
from livechat.http.site import Site
from livechat.http.tree import Place
from livechat.http.whole import WholeRequest
from livechat.limits.connections import Connections
from livechat.members.backpressure import Backpressure
from livechat.members.base import reconnect_ms
from livechat.members.event_stream import Feeds
from livechat.members.websocket import SocketFactory
from livechat.net.certificates import Certificate, Shown
from livechat.net.proxies import Proxies
from livechat.protocol.wire import wire_limit
from livechat.system.day import Day
from livechat.web import root
from livechat.web.api import is_told_by_code
from livechat.web.api import short as beginnings
from livechat.web.back_ends import body_limit
from livechat.web.html import Templates
from livechat.web.monitors import Access
from livechat.web.refusals import Refusals
from livechat.web.server import Limit, Server
from tests.support.requests import HANDSHAKE, Answer, request
from tests.support.wire import Wire
from tests.support.world import World

#: The default of --max-unsent.
MAX_UNSENT = 1_048_576
#: For all ports: compiling them takes longer than most tests do.
TEMPLATES = Templates()
CERTIFICATE = Certificate(
    chain=Path("livechat.crt"),
    key=Path("livechat.key"),
    names=("localhost", "chat.example"),
    expires=datetime(2030, 1, 31, tzinfo=UTC),
    self_signed=True,
)


class Port:
    """The port's connections, on transports in memory."""

    def __init__(
        self,
        world: World,
        *,
        origins: Iterable[str] = (),
        most: int = 0,
        most_per_address: int = 0,
        access: AccessLog | None = None,
        headers: Headers = (),
        proxies: Iterable[str] = (),
        names: Iterable[str] = ("*",),
        monitors: Access | None = None,
        mounts: Mapping[str, object] | None = None,
        short: bool = True,
        prefix: str = "",
    ) -> None:
        self.world = world
        self.wires: list[Wire] = []
        self.day = Day()
        limit = wire_limit(world.chat.max_message)
        self.connections = Connections(most, most_per_address)
        self.backpressure = Backpressure(world.clock, max_frame=limit, max_unsent=MAX_UNSENT)
        chat = world.chat
        self.sockets = SocketFactory(
            chat, world.clock, self.backpressure, max_frame=limit, tracing=world.tracing
        )
        self.feeds = Feeds(chat, world.clock, self.backpressure, world.tracing)
        known = Origins(frozenset(origins), lambda: tuple(names), world.clock)
        self._templates = Templates(prefix) if prefix else TEMPLATES
        self.tree = self._tree(known, monitors or Access(), mounts or {})
        render = Refusals(self._templates).answer
        rules = Rules(known, lambda _: headers, lambda: tuple(names), render, prefix)
        self.factory = Site(
            self.tree,
            Request,
            clock=world.clock,
            rules=rules,
            rate=world.rate,
            connections=self.connections,
            max_body=limit,
            access=access or AccessLog(None),
            proxies=Proxies(map(ip_network, proxies)),
            back_in=lambda: reconnect_ms(len(self.sockets.sockets)),
            spares=is_told_by_code,
            body_limit=body_limit(world.keys, limit),
            short=ShortWay(beginnings(prefix), WholeRequest) if short else None,
            prefix=prefix,
        )

    def _tree(self, origins: Origins, monitors: Access, mounts: Mapping[str, object]) -> Place:
        return root(
            self.world.chat,
            door=self.world.door,
            keys=self.world.keys,
            tokens=self.world.tokens,
            feeds=self.feeds,
            sockets=self.sockets,
            operators=self.world.operators,
            server=self._server(),
            templates=self._templates,
            time=self.world.time,
            origins=origins,
            monitors=monitors,
            tracing=self.world.tracing,
            receivers=self.world.board,
            mounts=mounts.items(),
        )

    def _server(self) -> Server:
        return Server(
            started=self.world.clock.seconds(),
            connections=self.connections,
            backend="a test's",
            shown=Shown(CERTIFICATE),
            limits=(Limit("Message", "16,384 bytes", "--max-message"),),
            day=self.day,
            receivers=self.world.board.states,
        )

    def connect(self, address: str = "192.0.2.1") -> Wire:
        """A new connection from *address*; it must be let in."""
        channel = self.factory.buildProtocol(IPv4Address("TCP", address, 50_000))
        assert channel is not None
        self.wires.append(Wire(channel, self.world.clock))
        return self.wires[-1]

    def ask(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        /,
        *,
        _from: str = "192.0.2.1",
        **headers: str,
    ) -> Answer:
        """Send a request on a connection of its own, and return the answer."""
        wire = self.connect(_from)
        wire.send(request(method, target, body, **headers))
        answer = wire.answer(method)
        wire.hang_up()
        return answer

    def socket(self, room: str = "r", *, early: bytes = b"") -> Wire:
        """An open WebSocket; *early* is sent in one piece with its handshake."""
        wire = self.connect()
        wire.send(request("GET", f"/ws/chat/{room}/", **HANDSHAKE) + early)
        assert wire.answer("GET").status == 101
        return wire
