"""
The listening sockets: made before anything else, adopted by the reactor later.

So a taken port is reported before any file is made.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from errno import EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT
from pathlib import Path
from typing import Literal

from msgspec import Struct

from livechat.addresses import LOOPBACK, Address
from livechat.errors import StartError
from livechat.net.activation import Inherited
from livechat.net.socket_files import BACKLOG, SocketFile

_Make = Callable[[Address, str, int], socket.socket]


class Listening(Struct, frozen=True):
    """
    A socket that listens, or has a port for others who do.

    @ivar address: with the port that it has.
    @ivar file: the socket's, which is removed at the end; None if there is none, or it is another
        process's.
    """

    address: Address
    socket: socket.socket
    file: SocketFile | None = None

    def close(self) -> None:
        """Close the socket, and remove its file."""
        self.socket.close()
        if self.file is not None:
            self.file.remove()


def listen(addresses: Sequence[Address], *, shared: bool = False) -> list[Listening]:
    """
    Listen on all *addresses*.

    @param shared: others of the same user, who ask for the same, may listen on the ports too; the
        kernel spreads the connections over them.
    @raise StartError: one is taken, no interface has it, or a file cannot be made.
    """
    return _all(addresses, lambda each: _made(each, lambda *where: _listen(*where, shared=shared)))


def adopted(given: Sequence[Inherited]) -> list[Listening]:
    """
    Take over sockets that another process keeps.

    One that is named `http`, or has a file, is for proxies; on all others TLS is spoken.
    """
    found = []
    for name, each in given:
        where = each.getsockname()
        if each.family == socket.AF_UNIX:
            address = Address("unix", path=Path(os.fsdecode(where)))
        else:
            kind: Literal["http", "tls"] = "http" if name == "http" else "tls"
            address = Address(kind, *where[:2])
        found.append(Listening(address, each))
    return found


def reserve(addresses: Sequence[Address]) -> list[Listening]:
    """
    Make sockets that have the ports for processes that `listen` there ``shared``, and get no
    connections; those with files listen, for the same processes.

    Then no other program can listen there: sharers of a port are not told of each other.

    @raise StartError: as `listen`.
    """

    def make(each: Address) -> Iterator[Listening]:
        if each.path is not None:
            yield from _made(each, _reserve)
            return
        found = listen([each])
        for one in found:
            one.close()
        yield from _made(each.at(found[0].address.port), _reserve)

    return _all(addresses, make)


def _all(
    addresses: Sequence[Address], make: Callable[[Address], Iterator[Listening]]
) -> list[Listening]:
    found: list[Listening] = []
    try:
        for each in addresses:
            found += make(each)
    except BaseException:
        for one in found:
            one.close()
        raise
    return found


def _made(address: Address, make: _Make) -> Iterator[Listening]:
    """Make the sockets of an address."""
    if address.path is not None:
        file = SocketFile(address)
        yield Listening(address, file.socket, file)
        return
    hosts = ("127.0.0.1", "::1") if address.interface == LOOPBACK else (address.interface,)
    port = address.port
    for host in hosts:
        try:
            made = make(address, host, port)
        except _NoAddress:
            # A loopback may have no address of version 6.
            if host == hosts[0]:
                raise
            continue
        port = made.getsockname()[1]
        yield Listening(address.at(port), made)


class _NoAddress(StartError):
    """Raised if no interface of the machine has the address."""


def _listen(address: Address, host: str, port: int, *, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server(
            (host, port),
            family=family,
            backlog=BACKLOG,
            reuse_port=shared,
            dualstack_ipv6=host == "::",
        )
        listening.setblocking(False)
        return listening
    except OSError as reason:
        raise _explained(reason, address, host, port) from None


def _reserve(address: Address, host: str, port: int) -> socket.socket:
    reserved = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if reserved.family == socket.AF_INET6:
            reserved.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
        reserved.bind((host, port))
        return reserved
    except OSError as reason:
        reserved.close()
        raise _explained(reason, address, host, port) from None


def _explained(reason: OSError, address: Address, host: str, port: int) -> StartError:
    interface, option = ("--listen", "--listen") if address.given else ("--interface", "--port")
    if reason.errno in (EAFNOSUPPORT, EADDRNOTAVAIL):
        return _NoAddress(f"{interface}: this machine has no address {host}")
    if reason.errno == EADDRINUSE:
        return StartError(f"{option}: {port} is taken on {host}: something else listens there")
    return StartError(
        f"{option}: cannot listen on {host} port {port}: {os.strerror(reason.errno or 0)}"
    )
