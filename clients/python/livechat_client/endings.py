"""The end of a connection, and the time to come back."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

#: Seconds after which a client comes back that the server wants later, if it does not say when;
#: and at most.
LATER: Final = 10.0
LATEST: Final = 3_600.0
#: Bounds of the random time before the first attempt and before later ones.
FIRST_RETRY: Final = 1.0
LONGEST_RETRY: Final = 30.0
#: Seconds after which a connection was a good one, and attempts are counted from the first again.
GOOD: Final = 10.0

#: Close codes that stand for errors after which a client does not come back as it is.
_CODES: Final = {
    "token_expired": 4100, "token_revoked": 4101, "banned": 4403, "room_closed": 4404,
}  # fmt: skip
_STATUSES: Final = {401: 4401, 403: 4403, 429: 4200, 500: 4002, 503: 1013}
_DICE: Final = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class End:
    """
    The end of a connection.

    @ivar wait: seconds that the server wants the client to stay away.
    @ivar exact: the server has chosen that at random already.
    @ivar final: not to come back.
    """

    reason: str = ""
    code: int | None = None
    wait: float = 0.0
    exact: bool = False
    final: bool = False


def closed(code: int, reason: str) -> End:
    """Make the end that a close *code* means; docs/protocol.md, "Close codes"."""
    found = re.match(r"(?:retry_ms=(\d+) ?)?(.*)", reason, re.DOTALL)
    assert found
    hint, text = found.groups()
    later = LATER if code in {1008, 1013} or code // 100 == 42 else 0.0
    wait = later if hint is None else seconds(hint) or 0.0
    # The 4100s ask for new credentials, which the caller may have.
    return End(text, code, wait, final=code // 100 in {41, 44})


def refused(status: int, headers: Mapping[str, str], body: bytes) -> End:
    """Make the end of a handshake that was answered by an HTTP *status*."""
    problem = _problem(headers.get("Content-Type", ""), body)
    if problem is None:
        # Somebody between here and the server.
        return End(f"The answer was {status}, and not the server's.", wait=0.0)
    known, after = _CODES.get(problem["code"]), headers.get("Retry-After", "")
    wait = float(after) if after.isdecimal() else None
    never = wait is None and status < 500 and status != 408
    code = known or _STATUSES.get(status, 4400)
    final = known is not None or never
    return End(str(problem.get("detail", "")), code, min(wait or 0.0, LATEST), final=final)


def _problem(media_type: str, body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body) if media_type.startswith("application/problem+json") else None
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("code"), str) else None


def seconds(milliseconds: object) -> float | None:
    """Read *milliseconds* that somebody else has chosen, if a client can wait that long."""
    try:
        number = float(str(milliseconds)) / 1_000
    except ValueError:
        return None
    return min(number, LATEST) if number >= 0 else None


class Backoff:
    """Waits longer and longer between attempts, at random."""

    def __init__(self) -> None:
        self._attempts = 0

    def lasted(self, lifetime: float) -> None:
        """A connection lasted so many seconds."""
        if lifetime > GOOD:
            self._attempts = 0

    def wait(self, end: End) -> float:
        """Return seconds until the next attempt."""
        # All clients that were thrown off together must not come back together.
        longest = min(LONGEST_RETRY, FIRST_RETRY * 2.0 ** min(self._attempts, 30))
        spread = 0.0 if end.exact and not self._attempts else _DICE.uniform(0, longest)
        self._attempts += 1
        return end.wait + spread
