"""
Two connections to one Redis, one for commands and one for what it tells by itself,
kept up (`livechat.backends.redis.reconnecting`) from `Connection.start` to `Connection.stop`.

Nothing waits for a connection that is not there: a command fails at once, so that it
is not carried out behind the back of whoever gave up on it.  A connection on which an
answer is overdue, to the password too, or that does not answer a ping, is given up: TCP
would go on for a quarter of an hour.  Then a new one is made, again and again, and when it
is ready its listener is told: nothing of the old one, no subscription either, is remembered here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from functools import cached_property
from hashlib import sha1
from pathlib import Path
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred, fail, gatherResults
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from livechat import metrics
from livechat.backends.redis.reconnecting import Keeper
from livechat.backends.redis.resp import (
    CommandProtocol,
    RefusedError,
    RespProtocol,
    SubscriptionProtocol,
    UnansweredError,
)

__all__ = [
    "Commands",
    "Connection",
    "ConnectionListener",
    "RefusedError",
    "Script",
    "UnansweredError",
    "answers",
]

_DIRECTORY: Final = Path(__file__).parent

#: Seconds between two pings.
PING_EVERY: Final = 1.0
#: Channels in one SUBSCRIBE.
_CHANNELS: Final = 512


class Script:
    """A Lua script that stands beside this module, `history.lua` and *others* before it."""

    def __init__(self, name: str, *others: str, told_by: str = "PUBLISH") -> None:
        """
        @param told_by: the command in place of PUBLISH.
        """
        self._parts = name, *others
        parts = ("history", *others, name)
        texts = [(_DIRECTORY / f"{part}.lua").read_text("utf-8") for part in parts]
        self.text = "\n".join(texts).replace("'PUBLISH'", f"'{told_by}'")
        self.digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    @cached_property
    def sharded(self) -> Script:
        """Return the same script for sharded pub/sub, where a node publishes only to its own."""
        return Script(*self._parts, told_by="SPUBLISH")


class Commands(Protocol):
    """A connection to a Redis, or the connections to a cluster, as parts of a backend use it."""

    def command(self, *words: bytes) -> Deferred[Any]:
        """
        Fails with `UnansweredError` or `RefusedError`.  Commands with the same key, which is the
        second of the words, are carried out in the order of the calls.
        """

    def call(self, script: Script, keys: Sequence[bytes], args: Sequence[bytes]) -> Deferred[Any]:
        """The same, for a script: all of it happens, and nothing else meanwhile."""

    def subscribe(self, channels: Sequence[bytes]) -> None:
        """Listen to *channels*.  Without a connection, their owner asks again later."""

    def unsubscribe(self, channels: Sequence[bytes]) -> None:
        """Listen no longer."""

    def time(self, seconds: float, key: bytes) -> int:
        """
        The time, in milliseconds, of the clock of the Redis that has *key*, when ours says
        *seconds*; or a little less.
        """


class ConnectionListener(Protocol):
    """Callbacks of a connection.  Called in the reactor's thread; must not raise."""

    def commands_made(self) -> None:
        """The command connection is made.  Until it is ready, it takes only commands for that."""

    def commands_lost(self, reason: str) -> None:
        """The command connection was lost, its unanswered commands with it; or was not made."""

    def subscriptions_made(self) -> None:
        """The connection for subscriptions is made, without any subscription yet."""

    def subscriptions_lost(self, reason: str) -> None:
        """The connection for subscriptions was lost, all of these with it; or was not made."""

    def subscribed(self, channel: bytes) -> None:
        """The subscription holds: `published` gets every message of the channel."""

    def unsubscribed(self, channel: bytes) -> None:
        """The subscription has ended, asked for or not."""

    def subscription_refused(self, reason: str) -> bool:
        """A subscription was refused.  Return True if the connection can be used all the same."""

    def published(self, channel: bytes, payload: bytes) -> None:
        """A message was published."""


class _Factory(Factory):
    """Makes one of the two connections."""

    noisy = False

    def __init__(self, owner: Connection, protocol: type[RespProtocol]) -> None:
        self._owner = owner
        self._protocol = protocol

    def buildProtocol(self, _: object) -> Any:
        return self._protocol(self._owner)


class Connection:
    """
    The connection to one Redis, which is two: its listener is told when each is there, and
    when it is not.
    """

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        clock: IReactorTime,
        listener: ConnectionListener,
        *,
        scripts: Iterable[Script],
        user: str | None = None,
        password: str | None = None,
        database: int | None = None,
        name: str | None = None,
    ) -> None:
        """
        @param name: the name of this Redis in the figures; None for no figures.
        """
        self.clock = clock
        self._name = name
        self._listener = listener
        self.user = user
        self.password = password
        self.database = database
        self._scripts = tuple(scripts)
        self._commands: CommandProtocol | None = None
        self._subscriptions: SubscriptionProtocol | None = None
        # Milliseconds by which Redis's clock is ahead of ours.
        self._ahead = 0
        self._keepers = (
            Keeper(endpoint, _Factory(self, CommandProtocol), clock, listener.commands_lost),
            Keeper(
                endpoint, _Factory(self, SubscriptionProtocol), clock, listener.subscriptions_lost
            ),
        )
        self._pinging = LoopingCall(self._ping)
        self._pinging.clock = clock

    def start(self) -> None:
        for keeper in self._keepers:
            keeper.startService()
        self._pinging.start(PING_EVERY, now=False)

    def stop(self) -> Deferred[Any]:
        if self._pinging.running:
            self._pinging.stop()
        stopped = [keeper.stopService() for keeper in self._keepers]
        # All commands are answered.  An orderly close would need a peer that still reads.
        self.drop("it is not needed any more")
        return gatherResults(stopped)

    def command(self, *words: bytes) -> Deferred[Any]:
        """Implement `Commands.command`, for any keys."""
        if self._commands is None:
            return fail(UnansweredError("it is not connected", sent=False))
        return self._commands.send(*words)

    def call(self, script: Script, keys: Sequence[bytes], args: Sequence[bytes]) -> Deferred[Any]:
        """Implement `Commands.call`."""
        digest, count = script.digest.encode(), b"%d" % len(keys)
        called = self.command(b"EVALSHA", digest, count, *keys, *args)

        def not_there(failure: Failure) -> Any:
            error = failure.value
            if not isinstance(error, RefusedError) or error.code != "NOSCRIPT":
                return failure
            # The script is missing from Redis's cache.  EVAL loads it again.
            return self.command(b"EVAL", script.text.encode(), count, *keys, *args)

        return called.addErrback(not_there)

    def ask_time(self) -> Deferred[None]:
        """Learn what its clock says."""
        asked = self.clock.seconds()

        def answered(told: list[bytes]) -> None:
            self._ahead = int(told[0]) * 1000 + int(told[1]) // 1000 - self._now()
            if self._name is not None:
                ahead = int(told[0]) + int(told[1]) / 1_000_000 - time.time()
                metrics.redis_answered(self._name, self.clock.seconds() - asked, ahead)

        return self.command(b"TIME").addCallback(answered)

    def time(self, seconds: float, _: bytes = b"") -> int:
        """Implement `Commands.time`."""
        return int(1000 * seconds) + self._ahead

    def _now(self) -> int:
        return int(1000 * self.clock.seconds())

    def load_scripts(self, *, sharded: bool = False) -> Deferred[Any]:
        """
        @param sharded: `Script.sharded` of each.
        """
        scripts = [each.sharded if sharded else each for each in self._scripts]
        return answers(self.command(b"SCRIPT", b"LOAD", each.text.encode()) for each in scripts)

    def subscribe(self, channels: Sequence[bytes]) -> None:
        """Nothing, while there is no connection: its owner is told of the next one."""
        self.tell_subscriptions(b"SUBSCRIBE", channels)

    def unsubscribe(self, channels: Sequence[bytes]) -> None:
        self.tell_subscriptions(b"UNSUBSCRIBE", channels)

    def tell_subscriptions(
        self, word: bytes, channels: Sequence[bytes], most: int = _CHANNELS
    ) -> None:
        """
        @param word: the command.
        @param most: channels of one.
        """
        if self._subscriptions is not None:
            for start in range(0, len(channels), most):
                self._subscriptions.send(word, *channels[start : start + most])

    def drop(self, reason: str) -> None:
        """Give both connections up, and make new ones."""
        for each in (self._commands, self._subscriptions):
            if each is not None:
                self.give_up(each, reason)

    def drop_subscriptions(self, reason: str) -> None:
        """The same, for subscriptions alone."""
        if self._subscriptions is not None:
            self.give_up(self._subscriptions, reason)

    def give_up(self, protocol: RespProtocol, reason: str) -> None:
        protocol.reason = protocol.reason or reason
        protocol.transport.abortConnection()

    @property
    def connected(self) -> bool:
        """Commands can be given."""
        return self._commands is not None

    @property
    def waits(self) -> bool:
        """Commands were given that are not answered yet."""
        return self._commands is not None and self._commands.waits

    def usable(self) -> None:
        """Commands do all that they are for: the next loss is not for the reason of the last."""
        self._keepers[0].pace.usable()

    def made(self, protocol: RespProtocol) -> None:
        if isinstance(protocol, CommandProtocol):
            self._commands = protocol
            self._listener.commands_made()
        elif isinstance(protocol, SubscriptionProtocol):
            self._subscriptions = protocol
            self._listener.subscriptions_made()

    def lost(self, protocol: RespProtocol, reason: str) -> None:
        if isinstance(protocol, CommandProtocol):
            self._commands = None
            self._listener.commands_lost(reason)
        else:
            self._subscriptions = None
            self._listener.subscriptions_lost(reason)

    def subscribed(self, channel: bytes) -> None:
        # Subscriptions work now, so their next loss has another reason.
        self._keepers[1].pace.usable()
        self._listener.subscribed(channel)

    def unsubscribed(self, channel: bytes) -> None:
        self._listener.unsubscribed(channel)

    def refused(self, protocol: RespProtocol, reason: str) -> None:
        if not self._listener.subscription_refused(reason):
            self.give_up(protocol, reason)

    def published(self, channel: bytes, payload: bytes) -> None:
        self._listener.published(channel, payload)

    def _ping(self) -> None:
        if self._commands is not None:
            self.ask_time().addErrback(lambda _: None)
        if self._subscriptions is not None:
            self._subscriptions.check_alive()


def answers(asked: Iterable[Deferred[Any]]) -> Deferred[list[Any]]:
    """The answers to several commands; or the error of the first that had one."""

    def first(failure: Failure) -> Any:
        error: Any = failure.value
        return error.subFailure

    found: Deferred[list[Any]] = gatherResults(list(asked), consumeErrors=True)
    return found.addErrback(first)
