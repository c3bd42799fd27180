"""
Autobahn, with shortcuts past the parts that chat does not need.

Autobahn speaks the WebSocket protocol (RFC 6455) whole and well.  But most of what
a chat server does with it is always the same, and there its generality costs more
than all the rest:

    opening       the HTTP server has checked the handshake already: it is answered
                  here, without being written down and parsed again
    state         of its sixty attributes all but a few are the same for each connection that
                  has just opened: they are the class's, until they change
    options       are read from the class, not copied to each connection and
                  formatted for a log that nobody keeps
    reading       whole, small, masked text frames and empty pongs, which are nearly all
                  that clients send, are taken by `livechat.net.fast`, often with those of
                  other connections (`livechat.net.dispatch`); everything else, and
                  whatever follows it in the same piece, goes to Autobahn untouched
    logging       Autobahn colours the arguments of messages that nobody logs

And Autobahn reads on as long as there is data, which takes long if a piece consists of thousands of
tiny frames.  Here connections take turns.

The shortcuts use undocumented attributes of Autobahn, in this module only.  These were read in
Autobahn 26.10.2.  ``tests/members/test_autobahn.py`` compares the shortcuts with Autobahn's own
ways, and so notices a release that changes them.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from base64 import b64encode
from collections.abc import Iterable
from functools import cached_property
from hashlib import sha1
from types import NoneType
from typing import Any, Final, Self

from autobahn.nvx import Utf8Validator
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.protocol import TrafficStats, WebSocketProtocol
from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from txaio.tx import make_logger

from livechat.net.dispatch import MOST_AT_ONCE
from livechat.net.fast import Wire, take

_OPEN: Final = WebSocketProtocol.STATE_OPEN
_CLOSING: Final = WebSocketProtocol.STATE_CLOSING
_CLOSED: Final = WebSocketProtocol.STATE_CLOSED
_ACCEPT: Final = "Sec-WebSocket-Accept: "
#: Types of state that connections can share, since it never changes.
_SHARED: Final = (NoneType, bool, int, float, bytes)


class Protocol(WebSocketServerProtocol, metaclass=ABCMeta):
    """
    A server's end of a WebSocket, whose handshake was checked before.

    Its factory's options are those that `with_options` was given.

    @ivar wire: the transport, as far as it is read and written to past this protocol; one that
        is never used where the transport is none.
    """

    # Autobahn logs clients' errors with the data that they sent. Unless the level is this low, it
    # colours the arguments even of messages that are not logged.
    log = make_logger("critical")
    CONFIG_ATTRS: Any = ()
    _frames = MOST_AT_ONCE
    _preamble: str

    transport: Any
    data: bytes
    maxFramePayloadSize: int
    wire: Wire

    @classmethod
    def with_options(cls, factory: WebSocketServerFactory) -> type[Self]:
        """Make a class with the present options of *factory*."""
        options = {name: getattr(factory, name) for name in WebSocketServerProtocol.CONFIG_ATTRS}
        return type(cls.__name__, (cls,), _opened(factory, options) | options)

    def __init__(self) -> None:
        # Autobahn's is skipped: the class has its attributes already, and nothing awaits the
        # opening.
        self.is_closed = Deferred()

    @cached_property
    def trafficStats(self) -> TrafficStats:  # type: ignore[override]
        """Counts frames, for those that go Autobahn's way."""
        return TrafficStats()

    @cached_property
    def utf8validator(self) -> Utf8Validator:  # type: ignore[override]
        """Checks texts, of those that go Autobahn's way."""
        return Utf8Validator()

    def open(self, transport: Any, key: str, subprotocol: str | None = None) -> None:
        """
        Answer the handshake; the connection is open then.

        @param transport: the connection it came on.
        @param key: its ``Sec-WebSocket-Key``.
        @param subprotocol: the chosen one of those that it offered.
        """
        self.makeConnection(transport)
        self.factory.countConnections += 1
        self.websocket_protocol_in_use = subprotocol
        self.state = _OPEN
        self.wire = transport if isinstance(transport, Wire) else Wire()
        transport.write(self._answer(key, subprotocol))
        self.onOpen()
        self._offer()

    def _answer(self, key: str, subprotocol: str | None) -> bytes:
        """Answer a handshake (RFC 6455, section 4.2.2)."""
        spoken = "" if subprotocol is None else f"Sec-WebSocket-Protocol: {subprotocol}\r\n"
        accepted = b64encode(sha1(key.encode() + self._WS_MAGIC).digest()).decode()  # noqa: S324
        return f"{self._preamble}{spoken}{_ACCEPT}{accepted}\r\n\r\n".encode()

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)

    def _onOpen(self) -> None:
        self.onOpen()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # The server class's method is skipped: it only counts and logs.
        WebSocketProtocol._connectionLost(self, reason)  # type: ignore[arg-type]  # noqa: SLF001
        self.factory.countConnections -= 1

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        # *sync* and *chopsize* are for test suites of the protocol, and never asked for here.
        self.transport.write(data)

    def dataReceived(self, data: bytes) -> None:
        self.frames_received(*take(data, MOST_AT_ONCE, self.wire.longest))

    def frames_received(self, frames: Iterable[bytes | None], rest: bytes) -> None:
        """
        Receive what `take` has made of data.

        @param frames: text messages, and None for each empty pong.
        @param rest: the data behind them.
        """
        self._frames = MOST_AT_ONCE
        for text in frames:
            # A message may have been a reason to close.
            if self.state != _OPEN:
                break
            self._frames -= 1
            if text is None:
                self.pong_received()
            else:
                self.onMessage(text, False)
        if rest and self.state != _CLOSED:
            self._dataReceived(rest)
            self._offer()
            if not self._frames and self.data:
                self.held_up()

    def _offer(self) -> None:
        """Have the next whole frames taken, if the next byte begins one."""
        between = self.current_frame is None and not (self.inside_message or self.data)
        self.wire.longest = self.maxFramePayloadSize if between and self.state == _OPEN else 0

    @abstractmethod
    def pong_received(self) -> None:
        """Receive an empty pong."""

    @abstractmethod
    def held_up(self) -> None:
        """
        Schedule `go_on` for another turn, and receive nothing until then: this connection has had
        its turn, and has more to read.
        """

    def go_on(self) -> None:
        """Read on after `held_up`."""
        data, self.data = self.data, b""
        self._offer()
        self.dataReceived(data)

    def consumeData(self) -> None:
        while self._frames and self.state in (_OPEN, _CLOSING) and self.processData():
            # Autobahn reports more data between a head and its payload, too: an empty payload would
            # then wait for the next data.
            if self.current_frame is None:
                self._frames -= 1


class _Nowhere:
    """A transport that drops all writes."""

    def write(self, data: bytes) -> None:
        """Drop *data*."""


def _opened(factory: WebSocketServerFactory, options: dict[str, Any]) -> dict[str, Any]:
    """
    Return the state of a connection just opened by Autobahn, as far as all share it; and the
    beginning of the answer to its handshake.
    """
    # Autobahn formats the options that it copies for its log, which takes longer than all else.
    sample: Any = type("Sample", (WebSocketServerProtocol,), options | {"CONFIG_ATTRS": ()})()
    sample.log = make_logger("critical")
    sample.factory, sample.transport = factory, _Nowhere()
    # No timers are started for it.
    sample.openHandshakeTimeout = sample.autoPingInterval = 0
    WebSocketProtocol._connectionMade(sample)  # noqa: SLF001
    sample._wskey, sample.websocket_version = "", 13  # noqa: SLF001
    sample.websocket_protocols, sample.websocket_extensions = [], []
    sample.succeedHandshake(None)
    state = {name: value for name, value in vars(sample).items() if isinstance(value, _SHARED)}
    return state | {"_preamble": sample.http_response_data.partition(_ACCEPT)[0]}
