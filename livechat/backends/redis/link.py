"""
Two connections to one Redis, one for commands and one for what it tells by itself,
kept up for as long as the link is.

Nothing waits for a connection that is not there: a command fails at once, so that it
is not carried out behind the back of whoever gave up on it.  A connection on which an
answer is overdue, or that does not answer a ping, is given up: TCP would go on for a
quarter of an hour.  Then a new one is made, again and again, and when it is ready its
owner is told: nothing of the old one, no subscription either, is remembered here.

hiredis parses, and txredisapi signs in.  Its own reconnecting is not used, because there
commands wait without a bound; nor are its replies, which cannot tell a subscription's
from a ping's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from hashlib import sha1
from pathlib import Path
from random import uniform
from typing import Any, Final, Protocol

import txredisapi
from twisted.application.internet import ClientService, backoffPolicy
from twisted.internet.defer import Deferred, fail, gatherResults
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IDelayedCall,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from zope.interface import implementer

_DIRECTORY: Final = Path(__file__).parent

#: Seconds for the answer to a command, or to a ping.
REPLY: Final = 1.5
#: Seconds between two pings.
PING_EVERY: Final = 1.0
#: Seconds from one attempt to connect to the next one: a little more each time, and not
#: the same for all processes.
_RETRY: Final = backoffPolicy(
    initialDelay=0.05,
    maxDelay=1.0,
    factor=1.5,
    jitter=lambda: uniform(0, 0.1),  # noqa: S311 - no secret
)
#: Channels in one SUBSCRIBE.
_CHANNELS: Final = 512

_SUBSCRIPTIONS: Final = (b"subscribe", b"unsubscribe")


class LinkError(Exception):
    """
    A command was not answered.

    @ivar sent: it may have been carried out.
    """

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class RefusedError(Exception):
    """Redis answered with an error: the text is its own, and begins with its code."""

    @property
    def code(self) -> str:
        return str(self).partition(" ")[0]


class Script:
    """A Lua script that stands beside this module, `history.lua` before it."""

    def __init__(self, name: str) -> None:
        texts = [(_DIRECTORY / f"{part}.lua").read_text("utf-8") for part in ("history", name)]
        self.text = "\n".join(texts)
        self.digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Owner(Protocol):
    """Whom a link tells; all in the reactor's thread, none may raise."""

    def commands_made(self) -> None:
        """Commands can be given: only those that make it ready, until it is."""

    def unreachable(self, reason: str) -> None:
        """An attempt to connect, or to sign in, has failed; others follow."""

    def commands_lost(self, reason: str) -> None:
        """No more; those that were not answered have failed."""

    def subscriptions_made(self) -> None:
        """Nothing is subscribed yet."""

    def subscriptions_lost(self, reason: str) -> None:
        """Nothing is subscribed any more."""

    def subscribed(self, channel: bytes) -> None:
        """From now on, `told` gets what is published there."""

    def told(self, channel: bytes, payload: bytes) -> None:
        """Something was published."""


class _Parsing(txredisapi.HiredisProtocol):  # type: ignore[misc]
    """Takes replies as hiredis makes them: txredisapi goes through each once more."""

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            self.replyReceived(reply)


class _Commands(_Parsing):
    """The connection for commands."""

    factory: _Factory
    transport: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unanswered: deque[tuple[float, Deferred[Any]]] = deque()
        self._overdue: IDelayedCall | None = None
        self.whenConnected().addCallback(lambda _: self.factory.link.made(self))

    def send(self, *words: bytes) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        clock = self.factory.link.clock
        self._unanswered.append((clock.seconds() + REPLY, answer))
        if self._overdue is None:
            self._overdue = clock.callLater(REPLY, self._look)
        self.transport.write(_command(words))
        return answer

    def _look(self) -> None:
        """Answers come in the order of the commands, so the first one is due first."""
        self._overdue = None
        if not self._unanswered:
            return
        clock = self.factory.link.clock
        left = self._unanswered[0][0] - clock.seconds()
        if left <= 0:
            self.factory.link.give_up(self, "it does not answer")
        else:
            self._overdue = clock.callLater(left, self._look)

    def replyReceived(self, reply: Any) -> None:
        if not self._unanswered:
            # To what txredisapi asked to sign in.
            super().replyReceived(reply)
            return
        _, answer = self._unanswered.popleft()
        if isinstance(reply, Exception):
            answer.errback(RefusedError(str(reply)))
        else:
            answer.callback(reply)

    def connectionLost(self, reason: Failure) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
        self.factory.link.lost(self, reason)
        unanswered, self._unanswered = self._unanswered, deque()
        for _, answer in unanswered:
            answer.errback(LinkError("the connection was lost", sent=True))
        super().connectionLost(reason)


class _Subscriptions(_Parsing):
    """The connection on which Redis tells what is published."""

    factory: _Factory
    transport: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pinged: float | None = None
        self.whenConnected().addCallback(lambda _: self.factory.link.made(self))

    def send(self, *words: bytes) -> None:
        self.transport.write(_command(words))

    def look(self) -> None:
        """Ping, or see whether the last one was answered."""
        now = self.factory.link.clock.seconds()
        if self._pinged is None:
            self._pinged = now
            self.send(b"PING")
        elif now - self._pinged >= REPLY:
            self.factory.link.give_up(self, "it does not answer")

    def replyReceived(self, reply: Any) -> None:
        self._pinged = None
        if not isinstance(reply, list):
            super().replyReceived(reply)
            return
        kind = reply[0]
        if kind == b"message":
            self.factory.link.owner.told(reply[1], reply[2])
        elif kind == b"subscribe":
            self.factory.link.owner.subscribed(reply[1])
        elif kind not in _SUBSCRIPTIONS and kind != b"pong":
            super().replyReceived(reply)

    def connectionLost(self, reason: Failure) -> None:
        self.factory.link.lost(self, reason)
        super().connectionLost(reason)


class _Factory(Factory):
    """Makes one of the two connections; what else is here, txredisapi's protocols ask for."""

    noisy = False
    isLazy = False

    def __init__(self, link: Link, protocol: type[Any]) -> None:
        self.link = link
        self._protocol = protocol

    def buildProtocol(self, _: object) -> Any:
        made = self._protocol(
            charset=None,
            convertNumbers=False,
            username=self.link.user,
            password=self.link.password,
            dbid=self.link.database,
        )
        made.factory = self
        return made

    def stopTrying(self) -> None:
        """Not because of a password: it may be mended meanwhile."""

    def connectionError(self, reason: str) -> None:
        self.link.owner.unreachable(reason)


@implementer(IStreamClientEndpoint)
class _Watched:
    """Tells a link why it could not connect, which is asked of nobody else."""

    def __init__(self, endpoint: IStreamClientEndpoint, link: Link) -> None:
        self._endpoint = endpoint
        self._link = link

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        return self._endpoint.connect(factory).addErrback(self._failed)

    def _failed(self, failure: Failure) -> Failure:
        self._link.owner.unreachable(failure.getErrorMessage())
        return failure


class Link:
    """Its owner is told when a connection is there, and when it is not."""

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        clock: IReactorTime,
        owner: Owner,
        *,
        scripts: Iterable[Script],
        user: str | None = None,
        password: str | None = None,
        database: int | None = None,
    ) -> None:
        self.clock = clock
        self.owner = owner
        self.user = user
        self.password = password
        self.database = database
        self._scripts = tuple(scripts)
        self._commands: _Commands | None = None
        self._subscriptions: _Subscriptions | None = None
        self._reasons: dict[object, str] = {}
        # Milliseconds between its clock and ours.
        self._ahead = 0
        self._services = [
            ClientService(
                _Watched(endpoint, self),
                _Factory(self, protocol),
                retryPolicy=_RETRY,
                clock=clock,
            )
            for protocol in (_Commands, _Subscriptions)
        ]
        self._pinging = LoopingCall(self._ping)
        self._pinging.clock = clock

    def start(self) -> None:
        for service in self._services:
            service.startService()
        self._pinging.start(PING_EVERY, now=False)

    def stop(self) -> Deferred[Any]:
        if self._pinging.running:
            self._pinging.stop()
        return gatherResults([service.stopService() for service in self._services])

    def command(self, *words: bytes) -> Deferred[Any]:
        """
        Fails with `LinkError` or `RefusedError`.  Commands are carried out in the order
        of the calls.
        """
        if self._commands is None:
            return fail(LinkError("it is not connected", sent=False))
        return self._commands.send(*words)

    def call(self, script: Script, keys: Sequence[bytes], args: Sequence[bytes]) -> Deferred[Any]:
        """The same, for a script: all of it happens, and nothing else meanwhile."""
        digest, count = script.digest.encode(), b"%d" % len(keys)
        called = self.command(b"EVALSHA", digest, count, *keys, *args)

        def not_there(failure: Failure) -> Any:
            error = failure.value
            if not isinstance(error, RefusedError) or error.code != "NOSCRIPT":
                return failure
            # Somebody has emptied the cache of scripts.  This loads it again.
            return self.command(b"EVAL", script.text.encode(), count, *keys, *args)

        return called.addErrback(not_there)

    def ask_time(self) -> Deferred[None]:
        """Learn what its clock says."""

        def answered(time: list[bytes]) -> None:
            self._ahead = int(time[0]) * 1000 + int(time[1]) // 1000 - self._now()

        return self.command(b"TIME").addCallback(answered)

    def time(self, seconds: float) -> int:
        """What its clock says when ours says *seconds*, in milliseconds, or a little less."""
        return int(1000 * seconds) + self._ahead

    def _now(self) -> int:
        return int(1000 * self.clock.seconds())

    def load_scripts(self) -> Deferred[Any]:
        return answers(
            self.command(b"SCRIPT", b"LOAD", each.text.encode()) for each in self._scripts
        )

    def subscribe(self, channels: Sequence[bytes]) -> None:
        """Nothing, while there is no connection: its owner is told of the next one."""
        self._in_pieces(b"SUBSCRIBE", channels)

    def unsubscribe(self, channels: Sequence[bytes]) -> None:
        self._in_pieces(b"UNSUBSCRIBE", channels)

    def _in_pieces(self, word: bytes, channels: Sequence[bytes]) -> None:
        if self._subscriptions is not None:
            for start in range(0, len(channels), _CHANNELS):
                self._subscriptions.send(word, *channels[start : start + _CHANNELS])

    def drop(self, reason: str) -> None:
        """Give both connections up, and make new ones."""
        for each in (self._commands, self._subscriptions):
            if each is not None:
                self.give_up(each, reason)

    def give_up(self, connection: _Commands | _Subscriptions, reason: str) -> None:
        """It is of no use any more."""
        self._reasons[connection] = reason
        connection.transport.abortConnection()

    def made(self, connection: _Commands | _Subscriptions) -> None:
        if isinstance(connection, _Commands):
            self._commands = connection
            self.owner.commands_made()
        else:
            self._subscriptions = connection
            self.owner.subscriptions_made()

    def lost(self, connection: _Commands | _Subscriptions, failure: Failure) -> None:
        reason = self._reasons.pop(connection, "") or (
            "it closed the connection"
            if isinstance(failure.value, ConnectionDone)
            else failure.getErrorMessage()
        )
        if connection is self._commands:
            self._commands = None
            self.owner.commands_lost(reason)
        elif connection is self._subscriptions:
            self._subscriptions = None
            self.owner.subscriptions_lost(reason)

    def _ping(self) -> None:
        if self._commands is not None:
            self.ask_time().addErrback(lambda _: None)
        if self._subscriptions is not None:
            self._subscriptions.look()


def _command(words: Sequence[bytes]) -> bytes:
    """As Redis wants it (RESP: an array of bulk strings)."""
    parts = [b"*%d\r\n" % len(words)]
    parts += [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
    return b"".join(parts)


def answers(asked: Iterable[Deferred[Any]]) -> Deferred[list[Any]]:
    """The answers to several commands; or the error of the first that had one."""

    def first(failure: Failure) -> Any:
        error: Any = failure.value
        return error.subFailure

    found: Deferred[list[Any]] = gatherResults(list(asked), consumeErrors=True)
    return found.addErrback(first)
