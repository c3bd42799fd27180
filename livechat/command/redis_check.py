"""Looks at Redis as livechat would use it, and removes the keys of its trials."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace
from twisted.internet.defer import Deferred, TimeoutError  # noqa: A004

from livechat.backends.redis.address import Address, Login, parse
from livechat.backends.redis.cluster.slots import SLOTS, ClusterKeys, Place, View
from livechat.backends.redis.cluster.topology import Seed
from livechat.backends.redis.connection import Connection, RefusedError, UnansweredError
from livechat.backends.redis.endpoints import endpoint, host_endpoint
from livechat.backends.redis.health import check_role, settings, warnings
from livechat.backends.redis.keys import Keys
from livechat.backends.redis.once import connected_to
from livechat.backends.redis.rights import check_rights_on, knows_sharding
from livechat.backends.redis.tls import TLS, TLSFiles
from livechat.errors import StartError

if TYPE_CHECKING:
    from twisted.internet.interfaces import IStreamClientEndpoint
    from twisted.internet.posixbase import PosixReactorBase

#: Seconds for all checks of a Redis.
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
    # The import installs the reactor.
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


class Tried(Struct, frozen=True):
    """
    A key and a channel on which rights are tried.

    @ivar cluster: at a master of a cluster, which has the slot of both.
    """

    key: bytes
    channel: bytes
    cluster: bool = False


async def look_at(reactor: PosixReactorBase, url: str, files: TLSFiles, prefix: str) -> Found:
    """Look at one Redis, or one cluster."""
    try:
        address = parse(url)
    except ValueError as reason:
        return Found("--redis:", wrong=f"a URL {reason}")
    found = Found(address.name)
    try:
        if address.cluster:
            return await _look_at_cluster(reactor, address, files, prefix)
        there = endpoint(address, reactor, files)
    except StartError as reason:
        return replace(found, wrong=str(reason))
    keys = Keys(prefix, address.database or 0)
    tried = Tried(keys.trial, keys.trial_channel)
    return await _look_there(reactor, there, found, address, tried)


async def _look_there(
    reactor: PosixReactorBase,
    there: IStreamClientEndpoint,
    found: Found,
    address: Address,
    tried: Tried,
) -> Found:
    login = Login(address.user, address.password)

    async def look() -> Found:
        async with connected_to(there, reactor, login, database=address.database) as connection:
            return await _look(connection, found, tried)

    try:
        return await Deferred.fromCoroutine(look()).addTimeout(WITHIN, reactor)
    except TimeoutError:
        return replace(found, wrong="does not answer in time")
    except (UnansweredError, RefusedError) as reason:
        return replace(found, wrong=f"cannot be used: {reason}")


async def _look_at_cluster(
    reactor: PosixReactorBase, address: Address, files: TLSFiles, prefix: str
) -> Found:
    """
    Check all masters.  The first fault counts, and the oldest version.

    @raise StartError: a file cannot be used.
    """
    found, keys = Found(address.name), ClusterKeys(prefix)
    tls = TLS(files) if address.tls else None
    try:
        view = await _view(reactor, address, tls)
    except (UnansweredError, RefusedError) as reason:
        return replace(found, wrong=f"cannot be used: {reason}")
    covered = sum(map(len, view.masters.values()))
    if covered < SLOTS:
        return replace(found, wrong=f"has no master for {SLOTS - covered} of {SLOTS} slots")
    looked = []
    for (place, _), slots in view.masters.items():
        there = host_endpoint(reactor, *place, tls)
        slot = min(slots)
        tried = Tried(keys.trial_in(slot), keys.trial_channel_in(slot), cluster=True)
        each = await _look_there(reactor, there, Found(str(place)), address, tried)
        if each.wrong:
            return replace(found, wrong=f"has a master at {place} that {each.wrong}")
        looked.append(each)
    warned = tuple(f"{text} ({each.name})" for each in looked for text in each.warnings)
    furthest = max((each.ahead for each in looked), key=abs)
    oldest = min((each.version for each in looked), key=_numbers)
    return replace(found, version=oldest, ahead=furthest, warnings=warned)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


async def _view(reactor: PosixReactorBase, address: Address, tls: TLS | None) -> View:
    """
    Ask the nodes of the URL.

    @raise UnansweredError: none answers.
    @raise RefusedError: none is in a cluster.
    """
    login = Login(address.user, address.password)
    problem: UnansweredError | RefusedError | None = None
    for place in (Place(*each) for each in address.hosts):
        seed = Seed(host_endpoint(reactor, *place, tls), reactor, login)
        try:
            return (await seed.ask(place))[0]
        except (UnansweredError, RefusedError) as reason:
            problem = problem or reason
    assert problem is not None
    raise problem


async def _look(connection: Connection, found: Found, tried: Tried) -> Found:
    """
    @raise UnansweredError: Redis cannot be reached, or is lost.
    @raise RefusedError: the user lacks rights.
    """
    await check_role(connection)
    sharded = tried.cluster and await knows_sharding(connection, tried.channel)
    await check_rights_on(connection, tried.key, tried.channel, sharded=sharded)
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
