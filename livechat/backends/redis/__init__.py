"""
Rooms in Redis, or in several.

    backend        the backend: makes the parts, and says whether Redis can be used
    messages       the message log, of the next six
    publisher      acts on their way into Redis; `acts` are a message, an edit, a retraction;
                   `pacing` is how fast a room may go
    subscriptions  the rooms that this process listens to; `subscription` is one of them
    stream         what a process has seen of a room, without I/O
    entries        how Redis keeps and tells entries
    history        the entries that Redis has
    generation     what names the rooms' numberings
    presence       who is in the rooms, at which process
    registry       the processes, and their common secret
    maps           shared maps, each a `shared_map`; `map_store` reads and writes one, `map_version`
                   compares, and `shelf` is what a version before had in place of one
    sweep          the removal of old entries
    outbox         what receivers outside wait for; `receivers` are those, `entering` says in which
                   rooms something may wait, and `excess` bounds all of it
    connection     the connections to a Redis; `resp` is what goes over them, `reconnecting` keeps
                   them up, `address` and `endpoints` say where they go, `tls` and `trust` to whom
    health         whether Redis can be used, and what is logged of it; `rights` whether it lets us
    keys           the names of keys and channels; `layout` whether Redis has these
    sharding       several Redis
    cluster        a cluster; `base` is what its backend and that of one Redis have in common
    moving         exports and imports of rooms; `once` connects for those

Redis runs the scripts beside the modules, each with `history.lua` before it, those that store
with `writing.lua`, too, and the one that stores messages with `pacing.lua`; `changing.lua` is for
those that change entries, `holding.lua` for all that know of receivers outside, and `telling.lua`
for those that move their cursors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from livechat.backends.redis.address import Address, parse
from livechat.backends.redis.backend import RedisBackend
from livechat.backends.redis.cluster.backend import ClusterBackend
from livechat.backends.redis.cluster.slots import ClusterKeys
from livechat.backends.redis.endpoints import endpoint
from livechat.backends.redis.keys import PREFIX, Keys
from livechat.backends.redis.sharding import ShardedBackend
from livechat.backends.redis.tls import TLS, TLSFiles
from livechat.backends.retention import Retention
from livechat.errors import StartError
from livechat.interfaces import IBackend
from livechat.system import ending

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

    from livechat.config import Config


def load(config: Config, reactor: PosixReactorBase) -> IBackend:
    """
    The backend whose rooms are in the Redis, the cluster, or the several of them, of *config*.

    @raise livechat.errors.StartError: a URL is none, or a file cannot be used.
    """
    retention = Retention(config.history_limit, config.history_age, config.audit_age)
    files = TLSFiles(config.redis_ca, config.redis_certificate, config.redis_key)
    found: list[IBackend] = []
    for url in config.redis:
        make: Callable[..., IBackend] = connect_cluster if _parsed(url).cluster else connect
        found.append(
            make(
                url,
                reactor,
                retention,
                files,
                prefix=config.redis_prefix,
                refuse=lambda reason: ending.refuse(reactor, reason),
            )
        )
    return found[0] if len(found) == 1 else ShardedBackend(found)


def connect(
    url: str,
    reactor: PosixReactorBase,
    retention: Retention,
    files: TLSFiles = TLSFiles(),  # noqa: B008 - frozen
    *,
    prefix: str = PREFIX,
    refuse: Callable[[str], None] | None = None,
) -> RedisBackend:
    """
    Rooms in one Redis.  It need not be reachable yet.

    @param files: for TLS, where the URL asks for it.
    @param prefix: that of all keys and channels of the installation.
    @param refuse: ends the process, if it turns out that it must not run.
    @raise livechat.errors.StartError: as `load`.
    """
    address = _parsed(url)
    return RedisBackend(
        address.name,
        endpoint(address, reactor, files),
        reactor,
        retention,
        keys=Keys(prefix, address.database or 0),
        user=address.user,
        password=address.password,
        refuse=refuse,
    )


def connect_cluster(
    url: str,
    reactor: PosixReactorBase,
    retention: Retention,
    files: TLSFiles = TLSFiles(),  # noqa: B008 - frozen
    *,
    prefix: str = PREFIX,
    refuse: Callable[[str], None] | None = None,
) -> ClusterBackend:
    """Rooms in a cluster; otherwise as `connect`."""
    address = _parsed(url)
    tls = TLS(files) if address.tls else None
    keys = ClusterKeys(prefix)
    return ClusterBackend(address, tls, reactor, retention, keys=keys, refuse=refuse)


def _parsed(url: str) -> Address:
    try:
        return parse(url)
    except ValueError as reason:
        # The URL is left out, as it may have a password.
        raise StartError(f"--redis: a URL {reason}") from None
