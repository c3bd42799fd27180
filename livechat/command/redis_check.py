"""Looks at Redis as livechat would use it; what it tries there, it removes again."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace
from twisted.internet.defer import Deferred, TimeoutError  # noqa: A004

from livechat.backends.redis.address import parse
from livechat.backends.redis.connection import Connection, RefusedError, UnansweredError
from livechat.backends.redis.health import check_role, settings, warnings
from livechat.backends.redis.keys import Keys
from livechat.backends.redis.once import connected
from livechat.backends.redis.rights import check_rights
from livechat.backends.redis.tls import TLSFiles
from livechat.errors import StartError

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

#: Seconds for all of one Redis.
WITHIN: Final = 10.0
_VERSION: Final = re.compile(rb"^(?:valkey|redis)_version:(\S+)", re.MULTILINE)


class Found(Struct, frozen=True):
    """
    A Redis, as it answers.

    @ivar name: its URL without secrets.
    @ivar ahead: seconds by which its clock is ahead of ours.
    @ivar wrong: why it cannot be used; empty if it can.
    @ivar warnings: what its operator should see to.
    """

    name: str
    version: str = "not told"
    ahead: float = 0.0
    wrong: str = ""
    warnings: tuple[str, ...] = ()


def look_at_all(urls: Sequence[str], files: TLSFiles, prefix: str) -> list[Found]:
    """
    Look at each Redis.  Runs Twisted's reactor, which runs once in a process.

    @param files: as ``--redis-ca`` and its neighbours.
    @param prefix: as ``--redis-prefix``.
    """
    # Importing it installs it.
    from twisted.internet import reactor as installed  # noqa: PLC0415

    reactor: Any = installed
    done: list[Any] = []

    async def look() -> None:
        try:
            done.extend([await look_at(reactor, url, files, prefix) for url in urls])
        finally:
            reactor.stop()

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(look()))
    reactor.run()
    if len(done) != len(urls):
        raise KeyboardInterrupt
    return done


async def look_at(reactor: PosixReactorBase, url: str, files: TLSFiles, prefix: str) -> Found:
    """Look at one Redis."""
    try:
        address = parse(url)
    except ValueError as reason:
        return Found("--redis:", wrong=f"a URL {reason}")
    found = Found(address.name)
    keys = Keys(prefix, address.database or 0)

    async def look() -> Found:
        async with connected(address, reactor, files) as connection:
            return await _look(connection, found, keys)

    try:
        return await Deferred.fromCoroutine(look()).addTimeout(WITHIN, reactor)
    except StartError as reason:
        return replace(found, wrong=str(reason))
    except TimeoutError:
        return replace(found, wrong="does not answer in time")
    except (UnansweredError, RefusedError) as reason:
        return replace(found, wrong=f"cannot be used: {reason}")


async def _look(connection: Connection, found: Found, keys: Keys) -> Found:
    """
    @raise UnansweredError: it cannot be reached, or is lost.
    @raise RefusedError: it lets us do too little.
    """
    await check_role(connection)
    await check_rights(connection, keys)
    seconds, _ = await connection.command(b"TIME")
    ahead = int(seconds) - time.time()
    version = found.version
    warned: tuple[str, ...] = ("does not let its settings be read (CONFIG GET)",)
    try:
        told = _VERSION.search(await connection.command(b"INFO", b"server"))
        version = version if told is None else told[1].decode()
        warned = tuple(warnings(await settings(connection)))
    except RefusedError:
        pass
    return replace(found, version=version, ahead=ahead, warnings=warned)
