"""
The two kinds of connections to a Redis: one for commands, one for subscriptions.

hiredis parses, and txredisapi signs in.  Its own reconnecting is not used, because there
commands wait without a bound; nor are its replies, which cannot tell a subscription's
from a ping's.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, Protocol

import txredisapi
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from livechat.backends.redis.reconnecting import in_words

#: Seconds for the answer to a command, or to a ping.
REPLY: Final = 1.5

#: The answer to a ping without subscriptions.
_PONG: Final = b"PONG"
#: The words before a published message; the second one is of sharded channels.
_MESSAGES: Final = (b"message", b"smessage")
_SUBSCRIBED: Final = (b"subscribe", b"ssubscribe")
_UNSUBSCRIBED: Final = (b"unsubscribe", b"sunsubscribe")
# Redis 6 wraps an error in a script: "ERR Error running script ... @user_script: 9: -OOM ...".
_IN_SCRIPT: Final = re.compile(r"@user_script: *\d+: -?([A-Z]{2,}) ")


class UnansweredError(Exception):
    """
    A command was not answered.

    @ivar sent: it may have been carried out.
    """

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class RefusedError(Exception):
    """
    Redis answered with an error: the text is its own, and begins with its code.

    @ivar code: the first word, of an error within a script that of the script's.
    """

    @property
    def code(self) -> str:
        text = str(self)
        wrapped = _IN_SCRIPT.search(text)
        return wrapped[1] if wrapped else text.partition(" ")[0]


class RespOwner(Protocol):
    """Callbacks of a `RespProtocol`, and its user and password.  No callback raises."""

    @property
    def clock(self) -> IReactorTime: ...
    @property
    def user(self) -> str | None: ...
    @property
    def password(self) -> str | None: ...
    @property
    def database(self) -> int | None: ...

    def made(self, protocol: RespProtocol) -> None:
        """*protocol* has signed in."""

    def lost(self, protocol: RespProtocol, reason: str) -> None:
        """The connection of *protocol* has gone, signed in or not."""

    def give_up(self, protocol: RespProtocol, reason: str) -> None:
        """*protocol* is of no use any more."""

    def subscribed(self, channel: bytes) -> None:
        """The subscription holds: `published` gets every message of *channel*."""

    def unsubscribed(self, channel: bytes) -> None:
        """The subscription has ended, asked for or not."""

    def refused(self, protocol: RespProtocol, reason: str) -> None:
        """*protocol* may not listen to something, or there are too many connections."""

    def published(self, channel: bytes, payload: bytes) -> None:
        """*payload* was published."""


class RespProtocol(txredisapi.HiredisProtocol):  # type: ignore[misc]
    """
    Signs in as txredisapi does.  Takes replies as hiredis makes them: txredisapi goes through
    each once more.

    @ivar reason: why it was given up, or could not sign in; "" if neither.
    """

    transport: Any
    # txredisapi asks this of its factory, which is the connection itself here.
    isLazy = False

    def __init__(self, owner: RespOwner) -> None:
        super().__init__(
            charset=None,
            convertNumbers=False,
            username=owner.user,
            password=owner.password,
            dbid=owner.database,
        )
        self.factory = self
        self.owner = owner
        self.reason = ""
        self.signed_in = False
        self._signing_in: IDelayedCall | None = None
        self.whenConnected().addCallback(self._made)

    def connectionMade(self) -> Any:
        self._signing_in = self.owner.clock.callLater(REPLY, self._silent)
        return super().connectionMade()

    def _made(self, _: object) -> None:
        self._stop_waiting()
        self.signed_in = True
        self.owner.made(self)

    def _silent(self) -> None:
        self._signing_in = None
        self.owner.give_up(self, "it does not answer")

    def _stop_waiting(self) -> None:
        if self._signing_in is not None:
            self._signing_in.cancel()
            self._signing_in = None

    def stopTrying(self) -> None:
        """Go on trying even with a wrong password: an operator may correct it."""

    def connectionError(self, reason: str) -> None:
        """Note why txredisapi could not sign in: it closes the connection then."""
        self.reason = reason.removeprefix("Redis error: ")

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not False:
                self.replyReceived(reply)
        except txredisapi.InvalidData:
            self.owner.give_up(self, "it is no Redis, or one with TLS")

    def unexpected(self) -> None:
        """A reply came to nothing that was asked."""
        self.owner.give_up(self, "it is no Redis: it answers what was not asked")

    def connectionLost(self, reason: Failure) -> None:
        self._stop_waiting()
        self.owner.lost(self, self.reason or in_words(reason))
        super().connectionLost(reason)


class CommandProtocol(RespProtocol):
    """The connection for commands."""

    def __init__(self, owner: RespOwner) -> None:
        super().__init__(owner)
        self._unanswered: deque[tuple[float, Deferred[Any]]] = deque()
        self._overdue: IDelayedCall | None = None

    def send(self, *words: bytes) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        clock = self.owner.clock
        self._unanswered.append((clock.seconds() + REPLY, answer))
        if self._overdue is None:
            self._overdue = clock.callLater(REPLY, self._check_overdue)
        self.transport.write(command(words))
        return answer

    @property
    def waits(self) -> bool:
        """True while a command is not answered."""
        return bool(self._unanswered)

    def _check_overdue(self) -> None:
        """Check the first answer's deadline: answers come in the order of the commands."""
        self._overdue = None
        if not self._unanswered:
            return
        clock = self.owner.clock
        left = self._unanswered[0][0] - clock.seconds()
        if left <= 0:
            self.owner.give_up(self, "it does not answer")
        else:
            self._overdue = clock.callLater(left, self._check_overdue)

    def replyReceived(self, reply: Any) -> None:
        if not self._unanswered:
            if self.signed_in:
                self.unexpected()
            else:
                # The answer is to txredisapi's own command, to sign in.
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
        super().connectionLost(reason)
        unanswered, self._unanswered = self._unanswered, deque()
        for _, answer in unanswered:
            answer.errback(UnansweredError("the connection was lost", sent=True))


class SubscriptionProtocol(RespProtocol):
    """The connection on which Redis tells of published messages."""

    def __init__(self, owner: RespOwner) -> None:
        super().__init__(owner)
        self._pinged: float | None = None

    def send(self, *words: bytes) -> None:
        self.transport.write(command(words))

    def check_alive(self) -> None:
        """Ping, or see whether the last one was answered."""
        now = self.owner.clock.seconds()
        if self._pinged is None:
            self._pinged = now
            self.send(b"PING")
        elif now - self._pinged >= REPLY:
            self.owner.give_up(self, "it does not answer")

    def replyReceived(self, reply: Any) -> None:
        self._pinged = None
        kind = reply[0] if isinstance(reply, list) and len(reply) > 1 else None
        if kind in _MESSAGES:
            self.owner.published(reply[1], reply[2])
        elif kind in _SUBSCRIBED:
            self.owner.subscribed(reply[1])
        elif kind in _UNSUBSCRIBED:
            self.owner.unsubscribed(reply[1])
        elif not self.signed_in:
            super().replyReceived(reply)
        elif isinstance(reply, Exception):
            self.owner.refused(self, str(reply))
        elif kind != b"pong" and reply != _PONG:
            self.unexpected()


def command(words: Sequence[bytes]) -> bytes:
    """Encode a command in RESP: an array of bulk strings."""
    parts = [b"*%d\r\n" % len(words)]
    parts += [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
    return b"".join(parts)
