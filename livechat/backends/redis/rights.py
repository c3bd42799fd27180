"""
The rights that livechat needs at a Redis, and the check that it has them.

A right that is missing shows in the middle of a script otherwise: a message is stored, and
nobody may be told of it.  So all of it is tried, at each new connection and in each beat.
Redis 6 cannot be asked (``ACL DRYRUN`` is newer), and other servers have no users at all.
"""

from __future__ import annotations

from typing import Any, Final

from livechat.backends.redis.connection import Connection, RefusedError, Script
from livechat.backends.redis.keys import Keys

RIGHTS: Final = Script("rights")


async def check_rights(connection: Connection, keys: Keys) -> None:
    """
    Try all that is done with commands.

    @raise UnansweredError: as `Connection.command`.
    @raise RefusedError: something may not be done, or Redis takes nothing.
    """
    await check_rights_on(connection, keys.trial, keys.trial_channel)


async def check_rights_on(
    connection: Connection, key: bytes, channel: bytes, *, sharded: bool = False
) -> None:
    """
    The same, on this key and channel.

    @param sharded: as of `Connection.load_scripts`.
    """
    # A script that is missing from Redis's cache is sent whole, by another command.
    await connection.command(b"EVAL", b"return 0", b"0")
    script = RIGHTS.sharded if sharded else RIGHTS
    refused = await connection.call(script, [key], [channel])
    if not isinstance(refused, list):
        raise RefusedError(f"ERR it is no Redis: it answers {_shown(refused)} to a script")
    if refused:
        command, reason = (part.decode() for part in refused)
        code, _, text = reason.partition(" ")
        # A script gets "ERR" for a missing right, and for an unknown command.
        raise RefusedError(f"{'NOPERM' if code == 'ERR' else code} {command}: {text}")


async def knows_sharding(connection: Connection, channel: bytes) -> bool:
    """
    Tell whether a node of a cluster can tell only those who listen there (7.0 and later).

    @param channel: nobody listens to it.
    @raise UnansweredError: as `Connection.command`.
    @raise RefusedError: it may not be tried, or not there.
    """
    try:
        await connection.command(b"SPUBLISH", channel, b"")
    except RefusedError as reason:
        if reason.code != "ERR":
            raise
        # The server does not know the command.
        return False
    return True


def try_subscribing(connection: Connection, keys: Keys) -> None:
    """Try all that is done with subscriptions.  A refusal ends the connection with its reason."""
    connection.subscribe([keys.control, keys.trial_channel])
    connection.unsubscribe([keys.trial_channel])


def _shown(answer: Any) -> str:
    return repr(answer)[:100]
