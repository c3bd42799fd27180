"""
The listening sockets: made before anything else, adopted by the reactor later.

So a port that is taken is told before a file was made.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from errno import EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT
from typing import Final

from livechat.errors import StartError

#: Connections that the kernel keeps for us until we accept them.
BACKLOG: Final = 1024


def bind(interface: str, port: int, *, shared: bool = False) -> list[socket.socket]:
    """
    Listening sockets.

    @param interface: an IP address, or ``loopback`` for both of the loopback's.
    @param port: 0 for a free one, the same on all of them.
    @param shared: others of the same user, who ask for the same, may listen there too;
        the kernel spreads the connections over them.
    @raise StartError: the port is taken, or no interface has the address.
    """
    return _on_each(interface, port, lambda *where: _listen(*where, shared=shared))


def reserve(interface: str, port: int) -> list[socket.socket]:
    """
    Sockets that have a port for those who `bind` it ``shared``, and get no connections.

    Nobody else listens there then: who shares a port would not be told of others.

    @raise StartError: as `bind`.
    """
    found = bind(interface, port)
    port = found[0].getsockname()[1]
    for each in found:
        each.close()
    return _on_each(interface, port, _reserve)


def _on_each(
    interface: str, port: int, make: Callable[[str, int], socket.socket]
) -> list[socket.socket]:
    if interface != "loopback":
        return [make(interface, port)]
    first = make("127.0.0.1", port)
    try:
        return [first, make("::1", first.getsockname()[1])]
    except _NoAddress:
        return [first]


class _NoAddress(StartError):
    """No interface of the machine has this address."""


def _listen(address: str, port: int, *, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listening = socket.create_server(
            (address, port),
            family=family,
            backlog=BACKLOG,
            reuse_port=shared,
            dualstack_ipv6=address == "::",
        )
        listening.setblocking(False)
        return listening
    except OSError as reason:
        raise _explained(reason, address, port) from None


def _reserve(address: str, port: int) -> socket.socket:
    reserved = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if reserved.family == socket.AF_INET6:
            reserved.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address != "::")
        reserved.bind((address, port))
        return reserved
    except OSError as reason:
        reserved.close()
        raise _explained(reason, address, port) from None


def _explained(reason: OSError, address: str, port: int) -> StartError:
    if reason.errno in (EAFNOSUPPORT, EADDRNOTAVAIL):
        return _NoAddress(f"--interface: this machine has no address {address}")
    if reason.errno == EADDRINUSE:
        return StartError(f"--port: {port} is taken on {address}: something else listens there")
    return StartError(
        f"--port: cannot listen on {address} port {port}: {os.strerror(reason.errno or 0)}"
    )
