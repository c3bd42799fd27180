"""
One plain client's state, with no I/O in it: what it sends goes in, calls of
`livechat.chat` and replies come out.

A client that misbehaves is told so, frame by frame, and stays.  But telling
costs as much as sending does, so there is a budget for it, which no option
switches off:

    a frame that was refused, or is no message    one of `NOISE_RATE`
    a continuation of a fragmented message        one of `FRAGMENT_RATE`

Who overdraws it is a flood, and is closed with 1008.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat import wire
from livechat.chat import Chat, Sender
from livechat.errors import ChatError, Kind, internal
from livechat.interfaces import IClient
from livechat.limits import Bucket, Rate

#: Malformed and control frames of one connection, and messages over its rate.
NOISE_RATE: Final = Rate(per_second=20, burst=200)
#: Continuation frames of one connection: 16 KiB in pieces of 1 KiB, 20 times a
#: second, is well below it.
FRAGMENT_RATE: Final = Rate(per_second=500, burst=1_000)


class Session:
    """A plain client in a room."""

    __slots__ = ("_chat", "_client", "_clock", "_fragments", "_noise", "_sender", "room")

    _log = Logger()

    def __init__(
        self, chat: Chat, clock: IReactorTime, room: str, client: IClient, sender: Sender
    ) -> None:
        self._chat = chat
        self._clock = clock
        self._client = client
        self._sender = sender
        self._noise = Bucket(NOISE_RATE)
        self._fragments = Bucket(FRAGMENT_RATE)
        self.room = room

    async def open(self) -> None:
        """
        Enter the room.

        @raise ChatError: the room cannot be entered now.
        """
        await self._chat.join(self.room, self._client)

    def close(self) -> None:
        """The connection is gone, or going: leave the room."""
        self._chat.leave(self.room, self._client)

    def text_received(self, data: bytes) -> None:
        """A whole text message came; its UTF-8 is valid."""
        try:
            text = wire.decode_plain(data)
            stored = self._chat.send(self._sender, self.room, text)
        except ChatError as error:
            self._refuse(error)
        else:
            stored.addErrback(self._failed)

    def binary_received(self) -> None:
        """A whole binary message came."""
        self._refuse(ChatError(Kind.NOT_TEXT, "Send text frames; this one was binary."))

    def control_received(self) -> None:
        """A ping or pong came."""
        self._spend(self._noise)

    def fragment_received(self) -> None:
        """A frame came that continues a message."""
        self._spend(self._fragments)

    def _failed(self, failure: Failure) -> None:
        # Not the client's fault, so it costs nothing of its budget.
        error = failure.value
        if not isinstance(error, ChatError):
            self._log.failure("A message could not be sent.", failure)
            error = internal()
        self._client.write(wire.error_frame(error))

    def _refuse(self, error: ChatError) -> None:
        if self._spend(self._noise):
            self._client.write(wire.error_frame(error))

    def _spend(self, bucket: Bucket) -> bool:
        if not bucket.take(self._clock.seconds()):
            return True
        self._client.flooded("too many frames that were refused or carry no message")
        return False
