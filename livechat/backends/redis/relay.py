"""A channel for news that processes tell each other and nobody keeps."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat.backends.redis.connection import Commands, RefusedError, UnansweredError
from livechat.backends.redis.keys import Keys


class RedisRelay:
    """
    Tells all other processes of one Redis.

    @ivar channel: to be subscribed to.
    """

    _log = Logger()

    def __init__(self, connection: Commands, keys: Keys, process: bytes) -> None:
        """
        @param process: this process's name in the registry, without blanks.
        """
        self.channel = keys.relay
        self._connection = connection
        self._process = process
        self._heard: Callable[[bytes], None] | None = None

    def listen(self, heard: Callable[[bytes], None]) -> None:
        """Call *heard* with the news of other processes."""
        self._heard = heard

    def tell(self, data: bytes) -> None:
        """Tell all others; lost if Redis is away."""
        told = self._connection.command(b"PUBLISH", self.channel, b"%b %b" % (self._process, data))
        told.addErrback(_lost)

    def published(self, payload: bytes) -> None:
        """A process, perhaps this one, tells something."""
        process, _, data = payload.partition(b" ")
        if process != self._process and self._heard is not None:
            try:
                self._heard(data)
            except Exception:  # noqa: BLE001 - it must not end the connection
                self._log.failure("A message of another process met a bug.")


def _lost(failure: Failure) -> None:
    failure.trap(UnansweredError, RefusedError)
