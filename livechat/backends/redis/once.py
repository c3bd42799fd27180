"""A connection to a Redis for commands that are given once, as a tool gives them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from livechat.backends.redis.address import Address
from livechat.backends.redis.connection import Connection, Script, UnansweredError
from livechat.backends.redis.endpoints import endpoint
from livechat.backends.redis.tls import TLSFiles

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase


@asynccontextmanager
async def connected(
    address: Address,
    reactor: PosixReactorBase,
    files: TLSFiles,
    scripts: Sequence[Script] = (),
) -> AsyncIterator[Connection]:
    """
    Connect, and disconnect at the end.

    @param files: for TLS, where *address* asks for it.
    @param scripts: those that will be called.
    @raise UnansweredError: it cannot be reached.
    @raise livechat.errors.StartError: a file cannot be used.
    """
    listener = _Listener()
    connection = Connection(
        endpoint(address, reactor, files),
        reactor,
        listener,
        scripts=scripts,
        user=address.user,
        password=address.password,
        database=address.database,
    )
    connection.start()
    try:
        await listener.connected
        yield connection
    finally:
        await connection.stop()


class _Listener:
    """Waits for the connection for commands."""

    def __init__(self) -> None:
        self.connected: Deferred[None] = Deferred()

    def commands_made(self) -> None:
        if not self.connected.called:
            self.connected.callback(None)

    def commands_lost(self, reason: str) -> None:
        if not self.connected.called:
            self.connected.errback(UnansweredError(reason, sent=False))

    def subscriptions_made(self) -> None:
        """No-op: nothing is subscribed."""

    def subscriptions_lost(self, reason: str) -> None:
        """No-op, as above."""

    def subscribed(self, channel: bytes) -> None:
        """No-op, as above."""

    def published(self, channel: bytes, payload: bytes) -> None:
        """No-op, as above."""
