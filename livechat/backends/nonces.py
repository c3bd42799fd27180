"""
The nonces that were used lately: of two acts in a room with the same one, only the first is
stored.  An act is a message, an edit or a retraction.

A nonce is remembered for `NONCE_LASTS`, with where its entry is and a digest of the act, since
another act is no repetition.

Of very many only `MOST` are.  Each counts as one of the address that it came from, and only an
address that has not few loses its oldest.  So strangers flush their own, however many users they
make up, and a retry of anybody else is known as one.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Container, Iterable, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from livechat.errors import ChatError, Kind
from livechat.protocol.messages import (
    Amended,
    Draft,
    Edit,
    Edited,
    Gone,
    Message,
    Redaction,
    Repeated,
    Retracted,
    Submission,
)

#: Seconds for which a nonce is remembered.
NONCE_LASTS: Final = 600
#: Nonces that are remembered at most: some 50 MB.
MOST: Final = 100_000
#: Nonces that are read after a restart at most: of a few addresses that send as fast as they may.
MOST_IN_FILE: Final = 5 * MOST
#: Bytes of a digest.
_DIGEST: Final = 16


class Known(NamedTuple):
    """
    @ivar key: of a room and a nonce.
    @ivar seq: the number of the entry.
    @ivar time: when it was stored, in milliseconds since 1970, UTC.
    @ivar digest: of the act.
    @ivar owner: names the address that it came from.
    """

    key: bytes
    seq: int
    time: int
    digest: bytes
    owner: bytes = b""

    @classmethod
    def of(cls, act: Submission, stored: Message | Amended, secret: bytes) -> Known:
        """
        @param secret: without it nobody finds out from which address it came, or what it said.
        """
        entry = stored if isinstance(stored, Message) else stored.event
        owner = blake2b(act.sender.encode(), key=secret, digest_size=8).digest()
        return cls(key(act), entry.seq, entry.time, digest(act, secret), owner)

    def row(self) -> tuple[bytes, int, int, bytes]:
        """The row that a file keeps."""
        return self.key + self.owner, self.seq, self.time, self.digest

    @classmethod
    def from_row(cls, key: bytes, seq: int, time: int, digest: bytes) -> Known:
        """Read the row of a file; one of an older livechat has no owner."""
        return cls(key[:_DIGEST], seq, time, digest, key[_DIGEST:])

    def answer(self, act: Submission, secret: bytes) -> Repeated | Amended | ChatError:
        """Return the result of *act*, which uses the nonce again."""
        if self.digest != digest(act, secret):
            return reused()
        return repeated(act, self.seq, self.time)


def key(act: Submission) -> bytes:
    """Name the nonce of *act*."""
    return blake2b(f"{act.room} {act.nonce}".encode(), digest_size=_DIGEST).digest()


def digest(act: Submission, secret: bytes) -> bytes:
    """
    The digest of an act's contents; equal for equal acts of all actors.

    @param secret: without it nobody finds out a phone number by trying them all.
    """
    if isinstance(act, Draft):
        text = act.message if act.original is None else act.original
        said: tuple[object, ...] = "message", text, act.reply_to, act.data
    elif isinstance(act, Edit):
        text = act.message if act.original is None else act.original
        said = "edit", act.ref, text, act.data
    elif isinstance(act, Redaction):
        said = "redact", act.changes
    else:
        said = "retract", act.refs
    return blake2b(msgspec.json.encode(said), key=secret, digest_size=_DIGEST).digest()


def repeated(act: Submission, seq: int, time: int) -> Repeated | Amended:
    """The result of an act that was stored before, as this entry."""
    if isinstance(act, Draft):
        return Repeated(act.message, seq, time, act.user, act.reply_to, act.data)
    if isinstance(act, Edit):
        return Amended(Edited(seq, time, act.ref, act.message, act.data), repeated=True)
    if isinstance(act, Redaction):
        return Amended(Gone(seq, time), repeated=True)
    return Amended(Retracted(seq, time, act.refs, "author"), repeated=True)


def reused() -> ChatError:
    """The refusal of an act whose nonce was used for another one."""
    return ChatError(Kind.NONCE_REUSED, "The nonce was used for another message.")


_NONE: Final = (None, 0.0)


class Nonces:
    """The nonces that one process remembers."""

    def __init__(self, elapsed: Callable[[], float], secret: Callable[[], bytes]) -> None:
        """
        @param elapsed: seconds since any moment, of a clock that cannot be set.
        @param secret: keys the digests.
        """
        self._elapsed = elapsed
        self._secret = secret
        # Nonces with the times at which they are forgotten, mostly the oldest first.
        self._known: OrderedDict[bytes, tuple[Known, float]] = OrderedDict()
        # The number of each address's nonces.
        self._counts: Counter[bytes] = Counter()

    def __len__(self) -> int:
        return len(self._known)

    def find(self, act: Submission) -> Repeated | Amended | ChatError | None:
        """Find the result of *act*; None if its nonce is new."""
        known, forgotten = self._known.get(key(act), _NONE)
        if known and self._elapsed() <= forgotten:
            return known.answer(act, self._secret())
        return None

    def look_up(
        self, acts: Sequence[Submission], skip: Container[int]
    ) -> tuple[dict[int, Repeated | Amended | ChatError], dict[int, int]]:
        """
        Find those of *acts* whose nonces were used: what becomes of them; and for those used
        in this very group, by which one first.

        @param skip: those that use none, whatever they say.
        """
        known: dict[int, Repeated | Amended | ChatError] = {}
        repeats: dict[int, int] = {}
        firsts: dict[bytes, int] = {}
        for index, act in enumerate(acts):
            if act.nonce is None or index in skip:
                continue
            found = self.find(act)
            if found is not None:
                known[index] = found
            elif (first := firsts.setdefault(key(act), index)) != index:
                repeats[index] = first
        return known, repeats

    def add(self, news: Iterable[Known], now: int) -> None:
        """
        Remember that these were used, in this order.

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
        Forget the oldest nonce of an address with at least half of the average number.  Other
        addresses have less than half of all together, so one in two is skipped on average.
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
