"""A producer that counts how often it is stopped."""

from __future__ import annotations

MIB = 1024**2


class Stoppable:
    """A producer that counts how often it is stopped."""

    stopped = 0

    def stopProducing(self) -> None:
        self.stopped += 1

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass
