"""Runs exports and imports of rooms that are in Redis."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from livechat.backends.redis.address import parse
from livechat.backends.redis.cluster.once import connected_cluster
from livechat.backends.redis.cluster.slots import ClusterKeys
from livechat.backends.redis.connection import RefusedError, UnansweredError
from livechat.backends.redis.keys import Keys
from livechat.backends.redis.moving import SCRIPTS, OneRedis, Part, Rooms
from livechat.backends.redis.once import connected
from livechat.backends.redis.tls import TLSFiles
from livechat.command.output import CommandError
from livechat.config import Config
from livechat.errors import StartError

Result = TypeVar("Result")


def with_redis(config: Config, call: Callable[[Rooms], Awaitable[Result]]) -> Result:
    """
    Connect to each Redis of *config*, and return what *call* does of its rooms.

    Runs Twisted's reactor, which runs once in a process.

    @raise CommandError: a Redis cannot be reached, or refuses something.
    """
    # The import installs the reactor.
    from twisted.internet import reactor as installed  # noqa: PLC0415

    reactor: Any = installed
    done: list[Result] = []
    failed: list[BaseException] = []

    async def run() -> None:
        try:
            done.append(await called(reactor, config, call))
        except Exception as reason:  # noqa: BLE001 - it is raised below
            failed.append(reason)
        finally:
            reactor.stop()

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(run()))
    reactor.run()
    if failed:
        raise failed[0]
    if not done:
        raise KeyboardInterrupt
    return done[0]


async def called(
    reactor: Any, config: Config, call: Callable[[Rooms], Awaitable[Result]]
) -> Result:
    """Call like `with_redis`, in a reactor that runs."""
    try:
        async with AsyncExitStack() as stack:
            files = TLSFiles(config.redis_ca, config.redis_certificate, config.redis_key)
            parts = [await _part(stack, reactor, url, files, config) for url in config.redis]
            return await call(Rooms(parts))
    except (UnansweredError, RefusedError) as reason:
        raise CommandError(f"Redis: {reason}") from None
    except (StartError, ValueError) as reason:
        raise CommandError(f"--redis: {reason}") from None


async def _part(
    stack: AsyncExitStack, reactor: Any, url: str, files: TLSFiles, config: Config
) -> Part:
    address = parse(url)
    if address.cluster:
        keys = ClusterKeys(config.redis_prefix)
        cluster = await stack.enter_async_context(connected_cluster(address, reactor, files, keys))
        return Part(
            cluster, keys, reactor, lambda: [each.connection for each in cluster.nodes.values()]
        )
    one = await stack.enter_async_context(connected(address, reactor, files, SCRIPTS))
    await one.load_scripts()
    return OneRedis(one, Keys(config.redis_prefix, address.database or 0), reactor)
