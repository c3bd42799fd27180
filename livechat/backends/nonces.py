"""
The nonces that were used lately: of two messages of a room with the same one, only the
first is stored.

A nonce is remembered for `NONCE_LASTS`, with where its message is and a digest of its text, since
another text is no repetition.

Of very many only `MOST` are.  Each counts as one of the address that it came from, and only an
address that has not few loses its oldest.  So strangers flush their own, however many users they
make up, and a retry of anybody else is known as one.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Container, Iterable, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

from livechat.errors import ChatError, Kind
from livechat.protocol.messages import Draft, Message, Repeated

#: Seconds for which a nonce is remembered.
NONCE_LASTS: Final = 600
#: Nonces that are: some 50 MB.
MOST: Final = 100_000
#: Those that are looked at after a restart: of a few addresses that send as fast as they may.
MOST_IN_FILE: Final = 5 * MOST
#: Bytes of a digest.
_DIGEST: Final = 16


class Known(NamedTuple):
    """
    @ivar key: of a room and a nonce.
    @ivar seq: the number of the message.
    @ivar time: when it was stored, in milliseconds since 1970, UTC.
    @ivar digest: of its text.
    @ivar owner: names the address that it came from.
    """

    key: bytes
    seq: int
    time: int
    digest: bytes
    owner: bytes = b""

    @classmethod
    def of(cls, draft: Draft, message: Message, secret: bytes = b"") -> Known:
        """
        @param secret: without it nobody finds out by which address an owner is named.
        """
        owner = blake2b(draft.sender.encode(), key=secret, digest_size=8).digest()
        return cls(key(draft), message.seq, message.time, digest(draft.message), owner)

    def row(self) -> tuple[bytes, int, int, bytes]:
        """The row that a file keeps."""
        return self.key + self.owner, self.seq, self.time, self.digest

    @classmethod
    def from_row(cls, key: bytes, seq: int, time: int, text: bytes) -> Known:
        """Read the row of a file; one of an older livechat has no owner."""
        return cls(key[:_DIGEST], seq, time, text, key[_DIGEST:])

    def answer(self, draft: Draft) -> Repeated | ChatError:
        """What becomes of *draft*, which uses it again."""
        if self.digest != digest(draft.message):
            return reused()
        return Repeated(draft.message, self.seq, self.time, draft.user)


def key(draft: Draft) -> bytes:
    """What names the nonce of *draft*."""
    return blake2b(f"{draft.room} {draft.nonce}".encode(), digest_size=_DIGEST).digest()


def digest(text: str) -> bytes:
    """What tells a text from others."""
    return blake2b(text.encode(), digest_size=_DIGEST).digest()


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
        # With the moments at which they are forgotten; the oldest ones come first, as a rule.
        self._known: OrderedDict[bytes, tuple[Known, float]] = OrderedDict()
        # How many each address has.
        self._counts: Counter[bytes] = Counter()

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
        while self._known:
            oldest, (_, forgotten) = next(iter(self._known.items()))
            if moment <= forgotten:
                break
            self._forget(oldest)
        for each in news:
            age = max(0, now - each.time) / 1000
            if each.key in self._known:
                self._forget(each.key)
            self._known[each.key] = each, moment + NONCE_LASTS - age
            self._counts[each.owner] += 1
            if len(self._known) > MOST:
                self._make_room()

    def _make_room(self) -> None:
        """
        Forget the oldest one of an address that has at least half of the average.  All others
        have less than half of all together: on average one in two is passed over.
        """
        while True:
            oldest, (known, _) = next(iter(self._known.items()))
            if 2 * self._counts[known.owner] * len(self._counts) >= len(self._known):
                self._forget(oldest)
                return
            self._known.move_to_end(oldest)

    def _forget(self, key: bytes) -> None:
        known, _ = self._known.pop(key)
        self._counts[known.owner] -= 1
        if not self._counts[known.owner]:
            del self._counts[known.owner]
