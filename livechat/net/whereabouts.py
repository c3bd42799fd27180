"""
The whereabouts of a running server: a file of its state directory.

A command on the same machine uses it to find the server, and to recognize its certificate.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from livechat.system import files

#: The file, in the state directory.
FILE: Final = "server.json"
_LARGEST: Final = 4_096


class Whereabouts(Struct, frozen=True):
    """
    @ivar host: an IP address that this machine can connect to; empty for a socket file.
    @ivar file: the path of a socket file.
    @ivar is_plain: True if it listens for proxies only, without TLS.
    @ivar fingerprint: the SHA-256 of the certificate, as hexadecimal digits.
    @ivar embedded: the rooms are in the state directory.
    @ivar prefix: the path below which everything is.
    """

    host: str
    port: int
    fingerprint: str
    embedded: bool = True
    prefix: str = ""
    file: str = ""
    is_plain: bool = False


_decoder: Final = msgspec.json.Decoder(Whereabouts)


def reachable(interface: str) -> str:
    """
    The address of a server on this machine.

    @param interface: the one that it listens on, or ``loopback``.
    """
    return {"loopback": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(  # noqa: S104
        interface, interface
    )


def write(state: Path, found: Whereabouts) -> None:
    """
    Write the file in the state directory.

    @raise OSError: the file was left as it was.
    """
    files.write(state / FILE, msgspec.json.encode(found), 0o600)


def read(state: Path) -> Whereabouts:
    """
    Read the file of the state directory.

    @raise OSError: it cannot be read.
    @raise ValueError: it is damaged.
    """
    return _decoder.decode(files.read(state / FILE, _LARGEST))
