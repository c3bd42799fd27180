"""
One master of a cluster: its two connections, its health, and its abilities.

It tells only those who listen at it, if it knows SPUBLISH (7.0 and later): PUBLISH would be passed
on to all nodes.  Which of both is in use at a slot is its master's to say, so all processes
agree, in a cluster of several versions too.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import choice
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint

from livechat.backends.redis.acts import Nodes
from livechat.backends.redis.address import Login
from livechat.backends.redis.base import LOST, SCRIPTS
from livechat.backends.redis.cluster.slots import ELSEWHERE, ClusterKeys, Master
from livechat.backends.redis.connection import Connection, RefusedError, Script
from livechat.backends.redis.health import (
    COMMANDS,
    SUBSCRIPTIONS,
    Health,
    check_role,
    find_nodes,
)
from livechat.backends.redis.rights import check_rights_on, knows_sharding

#: Channels in one SUBSCRIBE; in one SSUBSCRIBE all must be of one slot.
_PLAIN: Final = 512
_SHARDED: Final = 1


class NodeOwner(Protocol):
    """Callbacks of a master.  None of them raises."""

    def commands_made(self, node: Node) -> None:
        """The command connection is made.  Until it is ready, it takes only commands for that."""

    def commands_lost(self, node: Node) -> None:
        """The command connection was lost, or was not made."""

    def subscriptions_made(self, node: Node) -> None:
        """The connection for subscriptions is made, without any subscription yet."""

    def subscriptions_lost(self, node: Node) -> None:
        """The connection for subscriptions was lost, all of these with it; or was not made."""

    def subscribed(self, node: Node, channel: bytes) -> None:
        """Messages on *channel* come from this node."""

    def unsubscribed(self, node: Node, channel: bytes) -> None:
        """The subscription has ended, asked for or not."""

    def not_subscribed(self, node: Node) -> None:
        """A subscription was refused: the slot is elsewhere."""

    def published(self, channel: bytes, payload: bytes) -> None:
        """A message was published."""


class Node:
    """
    A master, from `start` to `stop`.

    @ivar slots: those that it has, as far as is known.
    @ivar ready: it takes commands, and has its data.
    @ivar made: how often its connection for commands was made.
    @ivar sharded: it knows SPUBLISH; None until it was asked.
    @ivar hears: it can be told what to listen to.
    """

    def __init__(
        self,
        master: Master,
        endpoint: IStreamClientEndpoint,
        clock: IReactorTime,
        owner: NodeOwner,
        login: Login,
    ) -> None:
        self.place, self.id = master
        self.slots: set[int] = set()
        self.ready = self.hears = False
        self.made = 0
        self.sharded: bool | None = None
        self._owner = owner
        self._unheard = 0
        self._stopped = False
        self._tried_in: int | None = None
        self.health = Health(f"Redis at {self.place}", clock)
        self.connection = Connection(
            endpoint,
            clock,
            self,
            scripts=SCRIPTS,
            user=login.user,
            password=login.password,
            name=str(self.place),
        )

    def start(self) -> None:
        self.connection.start()

    def stop(self) -> Deferred[Any]:
        self._stopped = True
        self.ready = self.hears = False
        return self.connection.stop()

    @property
    def writable(self) -> bool:
        """The master takes changes, and this process would hear of them."""
        return self.ready and self._unheard <= LOST

    def command(self, words: Sequence[bytes], *, asking: bool = False) -> Deferred[Any]:
        if asking:
            self._ask()
        if self.sharded and words[0] == b"PUBLISH":
            words = b"SPUBLISH", *words[1:]
        return self.connection.command(*words)

    def call(
        self, script: Script, keys: Sequence[bytes], args: Sequence[bytes], *, asking: bool = False
    ) -> Deferred[Any]:
        if asking:
            self._ask()
        return self.connection.call(script.sharded if self.sharded else script, keys, args)

    def _ask(self) -> None:
        # If ASKING is refused, so is the command behind it.
        self.connection.command(b"ASKING").addErrback(lambda _: None)

    def subscribe(self, channels: Sequence[bytes]) -> None:
        if self.sharded:
            self.connection.tell_subscriptions(b"SSUBSCRIBE", channels, _SHARDED)
        else:
            self.connection.tell_subscriptions(b"SUBSCRIBE", channels, _PLAIN)

    def unsubscribe(self, channels: Sequence[bytes]) -> None:
        if self.sharded:
            self.connection.tell_subscriptions(b"SUNSUBSCRIBE", channels, _SHARDED)
        else:
            self.connection.tell_subscriptions(b"UNSUBSCRIBE", channels, _PLAIN)

    async def prepare(self, keys: ClusterKeys) -> Nodes:
        """
        See what is at the other end, and whether it can be used.  Fails as `Commands.command`.

        @return: how it keeps streams.
        """
        await check_role(self.connection)
        await self._check_id()
        slot = self._slot()
        before, self.sharded = self.sharded, await self._is_sharded(keys.trial_channel_in(slot))
        if before not in (None, self.sharded):
            # Another version of Redis was here, with subscriptions by its own commands.
            self.connection.drop_subscriptions("it is another version")
        await self.connection.load_scripts(sharded=self.sharded)
        await check_rights_on(
            self.connection,
            keys.trial_in(slot),
            keys.trial_channel_in(slot),
            sharded=self.sharded,
        )
        await self.connection.ask_time()
        return await find_nodes(self.connection)

    async def _is_sharded(self, channel: bytes) -> bool:
        try:
            return await knows_sharding(self.connection, channel)
        except RefusedError as reason:
            if reason.code in ELSEWHERE:
                # The slot is being moved to another node.
                self._tried_in = None
            raise

    async def _check_id(self) -> None:
        """Check that the node is still the same: its address may be another's by now."""
        try:
            found = await self.connection.command(b"CLUSTER", b"MYID")
        except RefusedError:
            return
        if self.id and found.decode() != self.id:
            raise RefusedError(f"MOVED another node is at {self.place}")

    async def check_rights(self, keys: ClusterKeys) -> None:
        """Try all that is done there.  Fails as `Commands.command`."""
        if not self.slots:
            return
        slot = self._slot()
        key, channel = keys.trial_in(slot), keys.trial_channel_in(slot)
        try:
            await check_rights_on(self.connection, key, channel, sharded=bool(self.sharded))
        except RefusedError as reason:
            if reason.code not in ELSEWHERE:
                raise
            self._tried_in = None

    def _slot(self) -> int:
        """Choose a slot of the node to try rights in, the same as before while it has that one."""
        if self._tried_in not in self.slots:
            self._tried_in = choice(tuple(self.slots) or (0,))  # noqa: S311 - no secret
        assert self._tried_in is not None
        return self._tried_in

    def check_listening(self, keys: ClusterKeys) -> None:
        """Try all that is done with subscriptions."""
        if self.slots:
            channel = keys.trial_channel_in(self._slot())
            self.subscribe([channel])
            self.unsubscribe([channel])

    def wrong(self, part: str, reason: str) -> None:
        if not self._stopped:
            self.health.wrong(part, reason)

    # As the listener of its connection.

    def commands_made(self) -> None:
        self.made += 1
        self._owner.commands_made(self)

    def commands_lost(self, reason: str) -> None:
        self.ready = False
        self.wrong(COMMANDS, reason)
        self._owner.commands_lost(self)

    def subscriptions_made(self) -> None:
        self.hears = True
        self._owner.subscriptions_made(self)

    def subscriptions_lost(self, reason: str) -> None:
        self.hears = False
        self._unheard += 1
        self.wrong(SUBSCRIPTIONS, reason)
        self._owner.subscriptions_lost(self)

    def subscribed(self, channel: bytes) -> None:
        self._unheard = 0
        self.health.fine(SUBSCRIPTIONS)
        self._owner.subscribed(self, channel)

    def unsubscribed(self, channel: bytes) -> None:
        self._owner.unsubscribed(self, channel)

    def subscription_refused(self, reason: str) -> bool:
        if reason.partition(" ")[0] in ELSEWHERE:
            self._owner.not_subscribed(self)
            return True
        return False

    def published(self, channel: bytes, payload: bytes) -> None:
        self._owner.published(channel, payload)
