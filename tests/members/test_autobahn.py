"""
`livechat.members.autobahn`: the short way in says what Autobahn's own way says.

Three connections get the same bytes in the same pieces.  Two may take the short way, in Python
and in C; the other is Autobahn as it comes, but for its log.  Whatever is sent, all must hear the
same messages, be told the same and end in the same state.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any, Final

import pytest
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.protocol import WebSocketProtocol
from hypothesis import example, given, settings
from hypothesis import strategies as st

from livechat.members import autobahn
from livechat.members.autobahn import Protocol
from livechat.net import _slow
from livechat.net.dispatch import MOST_AT_ONCE
from tests.net.wires import native
from tests.support import client_frame
from tests.support.example_counts import examples

MOST: Final = 70_000
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
#: A message at which the server closes.
LEAVE: Final = b"leave"


@dataclass
class Transport:
    """Remembers what was done with it."""

    written: list[bytes] = field(default_factory=list)
    lost: bool = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def loseConnection(self) -> None:
        self.lost = True

    def abortConnection(self) -> None:
        self.lost = True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nagle's delay does not exist in memory: no-op."""

    def unregisterProducer(self) -> None:
        """Producers are not registered here: no-op."""


class Short(Protocol):
    """
    May take the short way.

    @ivar heard: messages, and whether they are binary; None of pongs.
    @ivar shortcuts: what came by the short way.
    """

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[bytes, bool | None]] = []
        self.shortcuts = 0

    def frames_received(self, frames: Iterable[bytes | None], rest: bytes) -> None:
        frames = list(frames)
        self.shortcuts += len(frames)
        super().frames_received(frames, rest)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.state == self.STATE_OPEN:
            self.heard.append((bytes(payload), isBinary))
            if payload == LEAVE:
                self.sendCloseFrame(1_000)

    def onPong(self, payload: bytes) -> None:
        if self.state == self.STATE_OPEN:
            self.heard.append((payload, None))

    def pong_received(self) -> None:
        self.onPong(b"")

    def held_up(self) -> None:
        self.go_on()


class Long(Short):
    """Autobahn's own way in."""

    def dataReceived(self, data: bytes) -> None:
        self._dataReceived(data)

    def consumeData(self) -> None:
        WebSocketProtocol.consumeData(self)


@cache
def of_a_factory(kind: type[Short]) -> tuple[WebSocketServerFactory, Any]:
    """A factory and the class of its connections, which thousands here share."""
    factory = WebSocketServerFactory()
    factory.setProtocolOptions(
        maxFramePayloadSize=MOST,
        maxMessagePayloadSize=MOST,
        failByDrop=False,
        echoCloseCodeReason=True,
        openHandshakeTimeout=0,
        closeHandshakeTimeout=0,
    )
    return factory, kind.with_options(factory)


def opened(kind: type[Short]) -> Short:
    factory, makes = of_a_factory(kind)
    made: Any = makes()
    made.factory = factory
    made.open(Transport(), "dGhlIHNhbXBsZSBub25jZQ==")
    made.transport.written.clear()
    socket: Short = made
    return socket


#: Autobahn's state that is for clients, for its tests, for handshakes that it reads itself, and for
#: pieces that it sends later.
UNUSED: Final = {
    "http_response_data", "is_open", "send_queue", "websocket_extensions",
    "websocket_extensions_in_use", "websocket_protocols", "_results", "_transport_details",
    "_valid_events", "_wskey",
}  # fmt: skip


@pytest.mark.parametrize("subprotocol", [None, "livechat.v1"])
def test_a_connection_that_has_opened(subprotocol: str | None) -> None:
    """A handshake is answered as by Autobahn, and in the same state, which a release may change."""
    ours: Any = opened(Short)
    ours.transport.written.clear()
    again: Any = type(ours)()
    again.factory = ours.factory
    again.open(ours.transport, "dGhlIHNhbXBsZSBub25jZQ==", subprotocol)
    theirs: Any = WebSocketServerProtocol()
    theirs.factory, theirs.transport = ours.factory, Transport()
    theirs._connectionMade()
    theirs._wskey, theirs.websocket_version = "dGhlIHNhbXBsZSBub25jZQ==", 13
    theirs.websocket_protocols, theirs.websocket_extensions = ["livechat.v1"], []
    theirs.succeedHandshake(subprotocol)
    assert b"".join(again.transport.written) == b"".join(theirs.transport.written)
    passed_over = {*UNUSED, *WebSocketServerProtocol.CONFIG_ATTRS, "factory", "transport"}
    for name, value in vars(theirs).items():
        if name not in passed_over:
            plain = value is None or isinstance(value, bool | int | float | str | bytes)
            mine = getattr(again, name)
            assert mine == value if plain else type(mine) is type(value), name


def test_connections_share_no_state() -> None:
    """Counts and checks of one connection are not another's."""
    one, other = opened(Short), opened(Short)
    one.dataReceived(client_frame(b"x", BINARY))
    assert one.trafficStats.incomingWebSocketFrames == 1
    assert other.trafficStats.incomingWebSocketFrames == 0
    assert one.utf8validator is not other.utf8validator
    assert one.is_closed is not other.is_closed


def outcome(socket: Short) -> object:
    transport: Transport = socket.transport
    return socket.heard, b"".join(transport.written), transport.lost, socket.state


def compare(pieces: list[bytes]) -> Short:
    """Give all the same; return the one whose short way is in C."""
    long = said(Long, pieces)
    pure, short = (said(Short, pieces, part) for part in (_slow, native()))
    assert outcome(pure) == outcome(long)
    assert outcome(short) == outcome(long)
    assert pure.shortcuts == short.shortcuts
    assert long.shortcuts == 0
    return short


def said(kind: type[Short], pieces: list[bytes], part: Any = _slow) -> Short:
    """A connection whose client has sent *pieces*."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(autobahn, "take", part.take)
        socket = opened(kind)
        for piece in pieces:
            if not socket.transport.lost:
                socket.dataReceived(piece)
        return socket


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in pairwise(edges) if end > start]


MASKS = st.one_of(st.just(b"\0\0\0\0"), st.binary(min_size=4, max_size=4))
TEXTS = st.one_of(
    st.text(max_size=40).map(str.encode),
    st.just(LEAVE),
    st.sampled_from([b"", b"x" * 125, b"x" * 126, b"x" * 127, b"\xc3\xa9" * 80, b"x" * 65_535]),
    st.sampled_from([b"x" * 65_536, b"x" * MOST, b"x" * (MOST + 1)]),
    # Not UTF-8, or not all of it.
    st.sampled_from([b"\xff", b"ok\xc0\x80", b"\xed\xa0\x80", b"\xf0\x9f", b"ab\x80cd"]),
)
FRAMES = st.one_of(
    # Most frames are what clients send.
    st.builds(client_frame, TEXTS, st.just(TEXT), mask=MASKS),
    st.builds(client_frame, st.just(b""), st.just(PONG), mask=MASKS),
    st.one_of(
        st.builds(
            client_frame,
            TEXTS,
            st.sampled_from([0, TEXT, BINARY, 3, CLOSE, PING, PONG, 11]),
            fin=st.booleans(),
            mask=MASKS,
        ),
        # Lengths that do not need so many bytes, no mask, reserved bits.
        st.sampled_from(
            [
                b"\x81\xfe\x00\x01\x01\x02\x03\x04\x79",
                b"\x81\xff\x00\x00\x00\x00\x00\x00\x00\x01\x01\x02\x03\x04\x79",
                b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04",
                b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04",
                b"\x81\x01x",
                b"\x81\x7e\x00\x80" + b"x" * 128,
                b"\xc1" + client_frame(b"x")[1:],
                b"\xa1" + client_frame(b"x")[1:],
                b"\x91" + client_frame(b"x")[1:],
                client_frame(b"\x03\xe8bye", CLOSE),
                client_frame(b"\x03", CLOSE),
            ]
        ),
    ),
    st.binary(max_size=20),
)


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(FRAMES, max_size=8), st.lists(st.integers(0, 2_000), max_size=8))
@example([client_frame(b"hi")] * 3, [])
@example([client_frame(b"hi")] * (MOST_AT_ONCE - 1) + [client_frame(b"", CLOSE)], [])
@example([client_frame(b"", PING)] * (MOST_AT_ONCE + 1), [])
@example([client_frame(b"", PONG), client_frame(b"hi")] * MOST_AT_ONCE, [])
@example([client_frame(b"hi"), client_frame(LEAVE), client_frame(b"not heard")], [])
@example([client_frame(LEAVE), client_frame(b"", PONG)], [])
@example([client_frame(LEAVE), client_frame(b"\xff"), client_frame(b"", CLOSE)], [])
@example([client_frame(b"", PING), client_frame(b"hi")] * MOST_AT_ONCE, [])
def test_both_framings_agree_on_any_frames(frames: list[bytes], places: list[int]) -> None:
    """Our framing and Autobahn's agree on any frames, however they are cut."""
    compare(cut(b"".join(frames), places))


@pytest.mark.parametrize("before", [b"", client_frame(b"first"), client_frame(b"p", PING)])
@pytest.mark.parametrize("size", [0, 1, 5, 125, 126, 300])
def test_a_frame_cut_anywhere_is_heard_whole(before: bytes, size: int) -> None:
    """A text frame that is cut anywhere, into any two pieces, is heard whole."""
    data = before + client_frame(b"y" * size) + client_frame(b"last")
    for place in range(len(data) + 1):
        short = compare([piece for piece in (data[:place], data[place:]) if piece])
        assert short.heard[-1] == (b"last", False)


def test_a_frame_is_heard_byte_by_byte() -> None:
    """Nor does it matter if each byte comes alone."""
    data = b"".join(
        [
            client_frame("né".encode()),
            client_frame(b"fra", fin=False),
            client_frame(b"p", PING),
            client_frame(b"gment", 0),
            client_frame(b"x" * 130),
            client_frame(b"\x0f\xa0", CLOSE),
        ]
    )
    short = compare([data[at : at + 1] for at in range(len(data))])
    assert [payload for payload, _ in short.heard] == ["né".encode(), b"fragment", b"x" * 130]


def test_whole_text_frames_go_the_short_way() -> None:
    """The short way is what whole text frames go, alone and many together."""
    texts = [b"", b"a", b"x" * 125, b"x" * 126, "ü".encode() * 500, b"x" * 65_535]
    short = compare([client_frame(text) for text in texts] + [client_frame(b"b") * 50])
    assert short.shortcuts == len(texts) + 50


def test_empty_pongs_go_the_short_way() -> None:
    """So do empty pongs, among texts too, and do not those with something in them."""
    pong = client_frame(b"", PONG)
    assert compare([pong, pong + client_frame(b"a") + pong]).shortcuts == 4
    assert compare([client_frame(b"x", PONG)]).shortcuts == 0
    assert compare([client_frame(b"a", fin=False), pong, client_frame(b"b", 0)]).shortcuts == 0


def test_it_is_not_taken() -> None:
    """Inside of a message, and behind a frame that is not whole, Autobahn goes on."""
    for pieces in (
        [client_frame(b"a", fin=False), client_frame(b"b"), client_frame(b"c")],
        [client_frame(b"whole")[:4], client_frame(b"whole")[4:]],
        [client_frame(b"x" * 65_536)],
        [client_frame(b"x", BINARY)],
        [client_frame(b"\xff")],
    ):
        assert compare(pieces).shortcuts == 0


def test_closing_among_texts() -> None:
    """Frames behind a close frame are ignored."""
    data = client_frame(b"a") + client_frame(b"\x03\xe8", CLOSE) + client_frame(b"b")
    assert compare([data]).heard == [(b"a", False)]
