"""
The requests that tell a receiver of events.

    {"type":"events","timestamp":"2026-11-27T18:00:00.123Z","data":[{"event":"message",…},…]}
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b

from msgspec import Struct

from livechat.protocol.signing import signed

#: Bytes of an id, which is a digest.
_DIGEST = 16


class Outgoing(Struct, frozen=True):
    """
    A request, not signed yet.

    @ivar known_as: its id: the same for the same events, so that a receiver that has heard them
        knows them again.
    """

    known_as: str
    body: bytes

    def headers(self, secrets: Sequence[bytes], wall: float) -> dict[str, str]:
        """Sign it at the second *wall* since 1970."""
        return signed(secrets, self.known_as, int(wall), self.body)


def make_request(
    ids: Sequence[str], encoded: Sequence[bytes], time_ms: int, round_: str = ""
) -> Outgoing:
    """
    Make the request of a batch.

    @param ids: those of the events.
    @param encoded: the events as JSON.
    @param time_ms: when the newest of them was, in milliseconds since 1970.
    @param round_: names what is told anew: a receiver must not take that for a repetition.
    """
    digest = blake2b("\n".join((round_, *ids)).encode(), digest_size=_DIGEST)
    head = f'{{"type":"events","timestamp":"{_written(time_ms)}","data":['.encode()
    return Outgoing(f"msg_{digest.hexdigest()}", b"".join((head, b",".join(encoded), b"]}")))


def _written(time_ms: int) -> str:
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
