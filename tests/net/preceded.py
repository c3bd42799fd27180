"""Connections that begin with the PROXY protocol."""

from __future__ import annotations

import struct

from livechat.net.proxy_protocol import (
    _SIGNATURE,
)
from tests.net.peers import End


def second(command: int, family: int, rest: bytes) -> bytes:
    """A header of version 2."""
    return _SIGNATURE + struct.pack("!BBH", 0x20 | command, family, len(rest)) + rest


V4 = second(1, 0x11, bytes([203, 0, 113, 9, 192, 0, 2, 1]) + struct.pack("!HH", 5_000, 443))


class PrecededEnd(End):
    """Is told who its peer is."""

    def comes_from(self, address: str) -> None:
        self.told.append(f"comes from {address}")
