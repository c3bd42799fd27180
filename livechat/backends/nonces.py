"""
The nonces that were used lately: of two messages of a room with the same one, only the
first is stored.

A nonce is remembered for `LASTS`, and of very many only the newest `MOST` are; with each
one where its message is, and a digest of its text, since another text is no repetition.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

from livechat.errors import ChatError, Kind
from livechat.wire import Draft, Message, Repeated

#: Seconds for which a nonce is remembered.
LASTS: Final = 600
#: Nonces that are: some 30 MB.
MOST: Final = 100_000


class Known(NamedTuple):
    """
    @ivar key: of a room and a nonce.
    @ivar seq: the number of the message.
    @ivar time: when it was stored, in milliseconds since 1970, UTC.
    @ivar digest: of its text.
    """

    key: bytes
    seq: int
    time: int
    digest: bytes

    @classmethod
    def of(cls, draft: Draft, message: Message) -> Known:
        return cls(key(draft), message.seq, message.time, digest(draft.message))

    def answer(self, draft: Draft) -> Repeated | ChatError:
        """What becomes of *draft*, which uses it again."""
        if self.digest != digest(draft.message):
            return reused()
        return Repeated(draft.message, self.seq, self.time, draft.user)


def key(draft: Draft) -> bytes:
    """What names the nonce of *draft*."""
    return blake2b(f"{draft.room} {draft.nonce}".encode(), digest_size=16).digest()


def digest(text: str) -> bytes:
    """What tells a text from others."""
    return blake2b(text.encode(), digest_size=16).digest()


def reused() -> ChatError:
    """What becomes of a message whose nonce was used for another one."""
    return ChatError(Kind.NONCE_REUSED, "The nonce was used for another message.")


_NONE: Final = (None, 0.0)


class Nonces:
    """Those of one process."""

    def __init__(self, elapsed: Callable[[], float]) -> None:
        """
        @param elapsed: seconds since any moment; it is no time of day, which may be set.
        """
        self._elapsed = elapsed
        # With the moments at which they are forgotten; the oldest one comes first.
        self._known: dict[bytes, tuple[Known, float]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def find(self, draft: Draft) -> Repeated | ChatError | None:
        """What becomes of *draft*; None if its nonce is new."""
        known, forgotten = self._known.get(key(draft), _NONE)
        return known.answer(draft) if known and self._elapsed() <= forgotten else None

    def look_up(
        self, drafts: Sequence[Draft], skip: Container[int]
    ) -> tuple[dict[int, Repeated | ChatError], dict[int, int]]:
        """
        Find those of *drafts* whose nonces were used: what becomes of them; and for those used
        in this very group, by which one first.

        @param skip: those that use none, whatever they say.
        """
        known: dict[int, Repeated | ChatError] = {}
        repeats: dict[int, int] = {}
        firsts: dict[bytes, int] = {}
        for index, draft in enumerate(drafts):
            if draft.nonce is None or index in skip:
                continue
            found = self.find(draft)
            if found is not None:
                known[index] = found
            elif (first := firsts.setdefault(key(draft), index)) != index:
                repeats[index] = first
        return known, repeats

    def add(self, news: Iterable[Known], now: int) -> None:
        """
        These were used, in this order.

        @param now: in milliseconds since 1970, UTC.
        """
        moment = self._elapsed()
        for each in news:
            age = max(0, now - each.time) / 1000
            self._known.pop(each.key, None)
            self._known[each.key] = each, moment + LASTS - age
        while self._known:
            oldest, forgotten = next(iter(self._known.values()))
            if len(self._known) <= MOST and moment <= forgotten:
                return
            del self._known[oldest.key]
