"""WebSocket frames (RFC 6455), as either end writes them."""

from __future__ import annotations


def server_frame(data: bytes) -> tuple[int, bytes, bytes]:
    """The first unmasked, whole frame in *data*: opcode, payload, and what comes after."""
    assert data[0] & 0x80, "not the last frame of its message"
    size, start = data[1], 2
    if size == 126:
        size, start = int.from_bytes(data[2:4], "big"), 4
    elif size == 127:
        size, start = int.from_bytes(data[2:10], "big"), 10
    assert len(data) >= start + size, "half a frame"
    return data[0] & 0x0F, data[start : start + size], data[start + size :]


def client_frame(
    payload: bytes, opcode: int = 1, *, fin: bool = True, mask: bytes = b"\x01\x02\x03\x04"
) -> bytes:
    """A masked frame as a client sends it (RFC 6455, section 5.2)."""
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 1 << 16:
        head += b"\xfe" + size.to_bytes(2, "big")
    else:
        head += b"\xff" + size.to_bytes(8, "big")
    # As one large number: byte by byte takes a hundred times as long.
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return head + mask + (int.from_bytes(payload, "big") ^ key).to_bytes(size, "big")
