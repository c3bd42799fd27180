"""`livechat.backends.redis.messages`, with a real Redis."""

from __future__ import annotations

from twisted.logger import capturedLogs

from livechat.backends.redis.messages import UNREADABLE
from livechat.errors import ChatError, Kind
from tests.backends.redis.processes import ProcessesTest


class RedisMessageLogTest(ProcessesTest):
    """A history that cannot be read."""

    async def test_an_unreadable_room_is_told_to_each_reader_and_logged_once(self) -> None:
        """Each reader is told, and the log not each time."""
        self.server.ask("SET", "lc:{bad}:s", "no stream")
        with capturedLogs() as events:
            for _ in range(3 * int(UNREADABLE.burst)):
                reading = self.here.backend.messages.read("bad", 0, 1)
                error = await reading.addCallbacks(lambda _: None, lambda failure: failure.value)
                assert isinstance(error, ChatError)
                assert error.kind is Kind.UNAVAILABLE
        said = [event for event in events if "history cannot be read" in event["log_format"]]
        assert len(said) == UNREADABLE.burst
