"""The pauses between attempts to tell a receiver."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

#: Seconds before the second attempt, and at most before any.
FIRST: Final = 0.1
LONGEST: Final = 300.0
#: Seconds at most that a receiver can ask for.
LONGEST_ASKED: Final = 3_600.0
#: Share by which a pause is longer or shorter, so that servers do not come back all at once.
JITTER: Final = 0.25
#: A power of two beyond `LONGEST`; a larger one need not be computed.
_ENOUGH: Final = 16


def pause(failures: int, random: Callable[[], float]) -> float:
    """
    Return the seconds until the next attempt: 0.1, 1, 2, 4 … 300, more or less.

    @param failures: in a row, at least one.
    @param random: returns numbers from 0 to 1.
    """
    usual = FIRST if failures <= 1 else 2.0 ** min(failures - 2, _ENOUGH)
    return min(LONGEST, usual * (1 + JITTER * (2 * random() - 1)))


def asked_for(retry_after: str, wall: float) -> float | None:
    """
    Read a receiver's ``Retry-After``: seconds, or a date.  None without one that can be read, and
    of one that is over.

    @param wall: the second since 1970.
    """
    if retry_after.isascii() and retry_after.isdigit():
        seconds = float(retry_after[:10])
    else:
        try:
            date = parsedate_to_datetime(retry_after)
            seconds = date.replace(tzinfo=date.tzinfo or UTC).timestamp() - wall
        except (ValueError, TypeError, OverflowError):
            return None
    return min(seconds, LONGEST_ASKED) if seconds > 0 else None
