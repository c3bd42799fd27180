"""Tells whether a socket's peer still acknowledges data."""

from __future__ import annotations

from fcntl import ioctl
from termios import TIOCOUTQ
from typing import Final

#: The longest time for a peer that takes something now and then, in multiples of the time in
#: which it must take something.
_MOST_TIMES: Final = 12


class Uptake:
    """
    Watches the data that the kernel has not delivered yet.

    @ivar checks: their number.
    """

    def __init__(self, fileno: int) -> None:
        self.checks = 0
        self._fileno = fileno
        self._idle = 0
        self._in_flight = self._unacknowledged()

    def goes_on(self, most_idle: int) -> bool:
        """
        Check once more.  Return False if the peer takes nothing any more, or is too slow.

        @param most_idle: the number of checks without a change after which it is taken for dead.
        """
        before, self._in_flight = self._in_flight, self._unacknowledged()
        self.checks += 1
        # A change may have come just after the last check.
        self._idle = self._idle + 1 if self._in_flight == before else 1
        return self._idle < most_idle and self.checks < _MOST_TIMES * most_idle

    def _unacknowledged(self) -> bytes:
        """Return the number of bytes that the peer has not acknowledged, as the kernel has it."""
        return ioctl(self._fileno, TIOCOUTQ, bytes(4))
