"""
The listening sockets: made before anything else, adopted by the reactor later.

So a port that is taken is told before a file was made.
"""

from __future__ import annotations

import os
import socket
from errno import EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT
from typing import Final

from livechat.errors import StartError

#: Connections that the kernel keeps for us until we accept them.
BACKLOG: Final = 1024


def bind(interface: str, port: int) -> list[socket.socket]:
    """
    Listening sockets.

    @param interface: an IP address, or ``loopback`` for both of the loopback's.
    @param port: 0 for a free one, the same on all of them.
    @raise StartError: the port is taken, or no interface has the address.
    """
    if interface != "loopback":
        return [_listen(interface, port)]
    first = _listen("127.0.0.1", port)
    try:
        return [first, _listen("::1", first.getsockname()[1])]
    except _NoAddress:
        return [first]


class _NoAddress(StartError):
    """No interface of the machine has this address."""


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listening = socket.create_server(
            (address, port), family=family, backlog=BACKLOG, dualstack_ipv6=address == "::"
        )
        listening.setblocking(False)
        return listening
    except OSError as reason:
        if reason.errno in (EAFNOSUPPORT, EADDRNOTAVAIL):
            raise _NoAddress(f"--interface: this machine has no address {address}") from None
        if reason.errno == EADDRINUSE:
            raise StartError(
                f"--port: {port} is taken on {address}: something else listens there"
            ) from None
        raise StartError(
            f"--port: cannot listen on {address} port {port}: {os.strerror(reason.errno or 0)}"
        ) from None
