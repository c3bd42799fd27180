"""A connection to a Redis for commands that are given once, as a tool gives them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint

from livechat.backends.redis.address import Address, Login
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
    there = endpoint(address, reactor, files)
    login = Login(address.user, address.password)
    async with connected_to(there, reactor, login, scripts, address.database) as connection:
        yield connection


@asynccontextmanager
async def connected_to(
    there: IStreamClientEndpoint,
    clock: IReactorTime,
    login: Login,
    scripts: Sequence[Script] = (),
    database: int | None = None,
) -> AsyncIterator[Connection]:
    """
    The same, to an endpoint.

    @raise UnansweredError: it cannot be reached.
    """
    listener = _Listener()
    connection = Connection(
        there,
        clock,
        listener,
        scripts=scripts,
        user=login.user,
        password=login.password,
        database=database,
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

    def unsubscribed(self, channel: bytes) -> None:
        """No-op, as above."""

    def subscription_refused(self, reason: str) -> bool:
        """No-op, as above."""
        return False

    def published(self, channel: bytes, payload: bytes) -> None:
        """No-op, as above."""
