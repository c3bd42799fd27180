"""The named cases of hostile WebSockets, with a real daemon: test names end with them."""

from __future__ import annotations

import json
import ssl
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from livechat.http.connection import _Stage
from livechat.protocol.wire import wire_limit
from tests.live.daemon import TWISTD, Daemon, eventually, rest
from tests.live.siege import Raw, siege
from tests.support import HANDSHAKE, client_frame, request

pytestmark = pytest.mark.alone

LIMIT = wire_limit(16_384)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with its usual limits."""
    directory = tmp_path_factory.mktemp("daemon")
    # A fork would share memory, which is measured here.
    with Daemon(directory, "--max-connections-per-ip=0", twistd=TWISTD) as running:
        yield running


@pytest.fixture(autouse=True)
def under_siege(daemon: Daemon) -> Iterator[None]:
    with siege(daemon):
        yield


def ends(daemon: Daemon, data: bytes, **headers: str) -> int | None:
    """Send *data* on a WebSocket, and return the code with which it is closed."""
    raw = Raw(daemon, headers=headers)
    raw.send(data)
    return raw.end()


def head(first: int, size: int, *, masked: bool = True) -> bytes:
    """A frame's head that announces *size* bytes in 63 bits."""
    return bytes([first, (0x80 if masked else 0) | 127]) + size.to_bytes(8, "big") + b"mask"


def test_message_limit_w2(daemon: Daemon) -> None:
    """W-2: as many bytes as a message may have; one more; frames that announce far more."""
    fits, over = ("x" * 16_384, "x" * 16_385)
    with daemon.socket("w2") as member:
        member.send(json.dumps({"message": fits}))
        assert json.loads(member.recv())["message"] == fits
        member.send(json.dumps({"message": over}))
        assert json.loads(member.recv())["error"]["code"] == "message_too_long"
    assert ends(daemon, client_frame(b" " * LIMIT) + client_frame(b"", opcode=8)) == 1005
    assert ends(daemon, client_frame(b" " * (LIMIT + 1))) == 1009
    for size in (LIMIT + 1, 1 << 40, (1 << 63) - 1):
        assert ends(daemon, head(0x81, size)) == 1009
    # The first of 64 bits must be 0 (RFC 6455, section 5.2).
    assert ends(daemon, head(0x81, 1 << 63)) == 1002


@pytest.mark.parametrize(
    ("piece", "count"), [(b"x" * 16_384, 200), (b"", 65), (b"x", 70_000)],
    ids=["16 KiB", "empty", "1 byte"],
)  # fmt: skip
def test_endless_fragments_w3(daemon: Daemon, piece: bytes, count: int) -> None:
    """W-3: a message in pieces without end is ended, at its size or at their number."""
    data = client_frame(b"x", fin=False) + client_frame(piece, opcode=0, fin=False) * count
    # Memory left behind by the first is used again by the others.
    assert ends(daemon, data) == 1009
    before = daemon.memory()
    assert ends(daemon, data) == 1009
    assert daemon.memory() - before < 2 << 20


@pytest.mark.parametrize("how", ["whole", "in two frames", "after another"])
def test_compression_bomb_w4(daemon: Daemon, how: str) -> None:
    """W-4: nothing is decompressed: compression is offered in vain, and refused where used."""
    packer = zlib.compressobj(9, wbits=-15)
    bomb = packer.compress(b" " * (64 << 20)) + packer.flush(zlib.Z_SYNC_FLUSH)
    offered = {"Sec_WebSocket_Extensions": "permessage-deflate; client_max_window_bits"}
    raw = Raw(daemon, headers=offered)
    assert b"extensions" not in raw.head.lower()
    before = daemon.memory()
    if how == "whole":
        raw.send(b"\xc1" + client_frame(bomb)[1:])
    elif how == "in two frames":
        half = len(bomb) // 2
        raw.send(b"\x41" + client_frame(bomb[:half], fin=False)[1:])
        raw.send(client_frame(bomb[half:], opcode=0))
    else:
        raw.send(client_frame(b'{"message":"x"}') + b"\xc1" + client_frame(bomb)[1:])
    assert raw.end() == 1002
    assert daemon.memory() - before < 2 << 20


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1" + client_frame(b"\x01\x02\xff\xff")[1:],
        client_frame(b"x", fin=False) + b"\xc0" + client_frame(b"x")[1:],
    ],
    ids=["corrupt", "RSV1 on a continuation"],
)
def test_corrupt_deflate_w5(daemon: Daemon, data: bytes) -> None:
    """W-5: without compression its bit is an error of the protocol."""
    assert ends(daemon, data, Sec_WebSocket_Extensions="permessage-deflate") == 1002


@pytest.mark.parametrize(
    "data",
    [
        client_frame(b"x", opcode=9, fin=False), client_frame(b"x" * 126, opcode=9),
        client_frame(b"x", opcode=3), client_frame(b"x", opcode=11),
        b"\xa1" + client_frame(b"x")[1:], b"\x91" + client_frame(b"x")[1:],
        b"\x81\x01x", b"\x89\x00", client_frame(b"x", opcode=0),
        client_frame(b"x", fin=False) + client_frame(b"x"),
        # A length that would have fitted into fewer bytes.
        b"\x81\xfe\x00\x01maskx", b"\x81\xff" + (126).to_bytes(8, "big") + b"mask" + b"x" * 126,
    ],
    ids=["fragmented ping", "long ping", "opcode 3", "opcode 11", "RSV2", "RSV3", "unmasked text",
         "unmasked ping", "continues nothing", "interrupts", "16 bits for 1", "63 bits for 126"],
)  # fmt: skip
def test_bad_control_frames_w6(daemon: Daemon, data: bytes) -> None:
    """W-6: frames that RFC 6455 forbids end the connection."""
    assert ends(daemon, data) == 1002


@pytest.mark.parametrize(
    "text", [b"\x80", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc3", b"a\xff"],
    ids=["80", "C0 80", "ED A0 80", "F5", "cut off", "a FF"],
)  # fmt: skip
def test_invalid_utf8_w7(daemon: Daemon, text: bytes) -> None:
    """W-7: what is no UTF-8 ends the connection, and at once where it can be seen at once."""
    assert ends(daemon, client_frame(text)) == 1007
    if text != b"\xc3":
        assert ends(daemon, client_frame(text, fin=False)) == 1007
    surrogate = client_frame(b"\xed", fin=False) + client_frame(b"\xa0\x80", opcode=0, fin=False)
    assert ends(daemon, surrogate) == 1007


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        *((struct.pack("!H", each), 1002) for each in (0, 999, 1004, 1005, 1006, 1016, 2999, 5000)),
        (b"x", 1002), (b"\x03\xe8\xff", 1007),
        *((struct.pack("!H", each) + b"bye", each) for each in (1000, 1001, 3000, 4000, 4999)),
        (b"", 1000),
    ],
)  # fmt: skip
def test_close_codes_w8(daemon: Daemon, payload: bytes, code: int) -> None:
    """W-8: a close frame that may not be is refused, one that may be is answered with its code."""
    found = ends(daemon, client_frame(payload, opcode=8))
    assert found == code or (not payload and found in (1000, 1005))


@pytest.mark.parametrize(
    "frame",
    [client_frame(b"x" * 125, opcode=9), client_frame(b"", opcode=10)],
    ids=["ping", "pong"],
)
def test_ping_flood_w9(daemon: Daemon, frame: bytes) -> None:
    """W-9: pings in masses, whose pongs nobody reads, are a flood."""
    raw = Raw(daemon)
    raw.send(frame * 20_000)
    assert raw.end() == 1008


def test_a_thousand_pings_a_second_w9(daemon: Daemon) -> None:
    """W-9: nor does it matter if they come in time."""
    raw = Raw(daemon)
    before, began = daemon.memory(), time.monotonic()
    pings = client_frame(b"x" * 125, opcode=9) * 50
    for number in range(20):
        raw.send(pings)
        time.sleep(max(0, began + 0.05 * (number + 1) - time.monotonic()))
    assert raw.end() == 1008
    assert daemon.memory() - before < 2 << 20


def test_a_message_too_many_w10(daemon: Daemon) -> None:
    """W-10: one more a second than are allowed is refused, again and again, and nothing worse."""
    refused = 0
    with daemon.socket("w10") as member:
        first = began = time.monotonic()
        for number in range(45 + 3 * 21):
            member.send('{"message": "x"}')
            refused += "rate_limited" in member.recv()
            if number >= 45:
                time.sleep(max(0, began + (number - 44) / 21 - time.monotonic()))
            else:
                began = time.monotonic()
        # A burst of 40, and 20 a second, however long it took to say all that.
        allowed = 40 + 20 * (time.monotonic() - first)
        member.send('{"message": "still here"}')
        assert member.recv()
    # On a machine that is slow enough, nothing was too many.
    assert 45 + 3 * 21 - allowed - 1 <= refused < 20


def test_message_flood_w10(daemon: Daemon) -> None:
    """W-10: messages over the rate are refused, and in masses a flood; the room goes on."""
    with daemon.socket("w10") as member:
        raw = Raw(daemon, "w10")
        raw.send(client_frame(b'{"message":"x"}') * 10_000)
        assert raw.end() == 1008
        heard = 0
        member.send('{"message": "end"}')
        while json.loads(member.recv())["message"] != "end":
            heard += 1
        assert heard < 100


def test_half_handshake_w13(daemon: Daemon) -> None:
    """W-13: who stops anywhere in a handshake is gone within its time."""
    whole = request("GET", "/ws/chat/w13/", **HANDSHAKE)
    with ExitStack() as stack:
        began = time.monotonic()
        cuts = range(1, len(whole), len(whole) // 20)
        halves = [stack.enter_context(daemon.raw(whole[:cut])) for cut in cuts]
        dripping = stack.enter_context(daemon.raw())
        dripping_began = time.monotonic()
        # A byte does not begin the ten seconds anew.
        for byte in whole[: int(_Stage.HEAD.value / 0.25)]:
            with suppress(ConnectionError, ssl.SSLError):
                dripping.sendall(bytes([byte]))
            time.sleep(0.25)
        # Ten seconds for the head, and those in which the answer may be read.
        for half in halves:
            rest(half)
        assert time.monotonic() - began < 17
        rest(dripping)
        assert time.monotonic() - dripping_began < 17


def test_early_frames(daemon: Daemon) -> None:
    """Frames in one piece with the handshake are not lost."""
    raw = Raw(daemon, "early", early=client_frame(b'{"message":"early"}'))
    raw.send(client_frame(b"\x03\xe8", opcode=8))
    assert raw.end() == 1000
    # The goodbye does not wait for the message to be stored.
    eventually(lambda: [each["message"] for each in daemon.history("early/")] == ["early"])


@pytest.mark.parametrize("byte", [0x00, 0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x7F, 0x85, 0x0D])
def test_bytes_that_parsers_read_differently(daemon: Daemon, byte: int) -> None:
    """A header with a byte at which some split lines, and others do not, is refused."""
    for name in ("X_Other", "Origin", "Sec_WebSocket_Protocol"):
        data = request("GET", "/ws/chat/r/", **HANDSHAKE, **{name: f"a{chr(byte)}b"})
        connection = daemon.raw(data)
        status = connection.recv(65_536)[:12]
        assert status in (b"HTTP/1.1 400", b"HTTP/1.1 403"), (name, status)
        connection.close()
