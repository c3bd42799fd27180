"""`livechat.net.stream_port`."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from livechat.net.stream_port import LOG_FULL_EVERY
from livechat.net.tls_port import TLSPort
from tests.net.peers import PortTest, lines


class FullTest(PortTest):
    """No more connections can be accepted."""

    def test_no_more_files(self) -> None:
        """Twisted's long report for each connection becomes one line, rate limited."""
        clock = Clock()
        port = TLSPort(clock, self.ends, self.port.context)  # type: ignore[arg-type]
        client = ("192.0.2.1", 50_000)
        with capturedLogs() as events:
            for _ in range(50):
                port._not_accepted({"log_format": "EMFILE"})
                port._not_accepted({"log_format": "Closed {address}", "address": client})
            clock.advance(LOG_FULL_EVERY)
            port._not_accepted({"log_format": "{acceptError}", "acceptError": "ENFILE"})
        assert lines(events) == [
            "Connections are turned away: Too many open files.",
            "Connections are turned away: Too many open files in system.",
        ]
