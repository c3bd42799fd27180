"""Plain mode: a session that sends and gets ``{"message": "text"}``."""

from __future__ import annotations

from livechat import metrics
from livechat.errors import ChatError
from livechat.members.base import BaseSession
from livechat.protocol.plain import decode_plain, error_frame


class PlainSession(BaseSession):
    """A client that sends and gets ``{"message": "text"}``."""

    __slots__ = ()

    async def open(self) -> None:
        await super().open()
        if self._visit.history:
            replay = self._chat.replay(self.room, self._client)
            self._start_replay(replay.newest(self._visit.history))

    def text_received(self, data: bytes) -> None:
        try:
            text = decode_plain(data)
            stored = self._chat.send(self._source, self.room, text, user=self._visitor.user)
        except ChatError as error:
            self._refuse(error)
        else:
            stored.addErrback(self._failed)

    def announce_restart(self, retry_ms: int) -> None:
        """No-op: plain mode has no frame for it."""

    def _send_error(self, error: ChatError, nonce: str | None) -> None:
        metrics.refused(error.kind.code)
        # Refusals often come in masses: the next one may go out with this one.
        self._client.write_soon(error_frame(error))
