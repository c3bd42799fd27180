"""Twisted and Autobahn: Twisted's TLS, and ``sendMessage`` for each member."""

from __future__ import annotations

from collections import defaultdict

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.types import ConnectionRequest
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString

from .options import options, ready, repeated

rooms: defaultdict[str, set[Member]] = defaultdict(set)


class Member(WebSocketServerProtocol):
    """A member's connection."""

    def onConnect(self, request: ConnectionRequest) -> None:
        self.room = rooms[request.path]

    def onOpen(self) -> None:
        self.room.add(self)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        message = repeated(payload).encode()
        for member in self.room:
            member.sendMessage(message)

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        if hasattr(self, "room"):
            self.room.discard(self)


def main() -> None:
    factory = WebSocketServerFactory()
    factory.protocol = Member
    listening = serverFromString(reactor, options().endpoint()).listen(factory)
    listening.addCallback(lambda _: ready())
    reactor.run()


main()
