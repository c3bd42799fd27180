"""Plain mode: a session that sends and gets ``{"message": "text"}``."""

from __future__ import annotations

from zope.interface import implementer

from livechat import metrics
from livechat.errors import ChatError
from livechat.interfaces import IReceiver
from livechat.members.base import BaseSession
from livechat.protocol.messages import Message
from livechat.protocol.plain import decode_plain, error_frame
from livechat.protocol.v1 import ServerFrame


@implementer(IReceiver)
class PlainSession(BaseSession):
    """A client that sends and gets ``{"message": "text"}``."""

    __slots__ = ()

    async def open(self) -> None:
        replay = refusal = None
        if self._request.history:
            try:
                replay = self._chat.replay(self._actor, self.room, self._client)
            except ChatError as error:
                refusal = error
        await self._enter(reads=replay is not None)
        if replay is not None:
            self._start_replay(replay.newest(self._request.history))
        elif refusal is not None:
            self._send_error(refusal, None)
        self._know_name()
        self._stay()

    def text_received(self, data: bytes) -> None:
        try:
            self._chat.say(self._actor, self.room, decode_plain(data), self)
        except ChatError as error:
            self._refuse(error)

    def stored(self, result: Message) -> None:
        """No-op: the client gets its own message as all others do."""

    def expiring(self) -> None:
        """No-op, as `announce_restart`."""

    def rights_changed(self) -> None:
        """No-op, as `announce_restart`."""

    def tell(self, frame: ServerFrame) -> None:
        """No-op, as `announce_restart`."""

    def announce_restart(self, retry_ms: int) -> None:
        """No-op: plain mode has no frame for it."""

    def _send_error(self, error: ChatError, nonce: str | None) -> None:
        metrics.refused(error.kind.code)
        # Refusals often come in masses, so that several go out together.
        self._client.write_soon(error_frame(error))
