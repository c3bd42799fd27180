"""The pace of a room, as `publish.lua` is told of it and says that a message comes too soon."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from livechat.backends.pacing import too_many, too_soon
from livechat.backends.redis.keys import Keys
from livechat.errors import ChatError
from livechat.protocol.messages import Draft

#: Verdicts of the script.
TOO_SOON: Final = 4
TOO_MANY: Final = 5


def paces(drafts: Sequence[Draft], names: Keys, keys: list[bytes], secret: bytes) -> bytes:
    """
    Return a word for each of *drafts*, which are of one room; nothing if none has a throttle.

    @param keys: of the script; those of the words are added.
    @param secret: without it nobody finds out who is slowed down.
    """
    if all(draft.throttle is None for draft in drafts):
        return b""
    places: dict[bytes, int] = {}

    def place(key: bytes) -> int:
        if key not in places:
            keys.append(key)
            places[key] = len(keys)
        return places[key]

    words = []
    for draft in drafts:
        throttle = draft.throttle
        if throttle is None:
            words.append(b"-")
            continue
        slow, rate = throttle.slow, throttle.rate
        last = place(names.last_of(draft.room, _mark(throttle.key, secret))) if slow else 0
        due = place(names.rate(draft.room)) if rate else 0
        words.append(b"%d/%d/%d/%d" % (slow, last, rate, due))
    return b" ".join(words)


def refusal(draft: Draft, wait: int, verdict: int) -> ChatError:
    """
    Make the error for a *draft* beyond its room's pace.

    @param wait: milliseconds until it may be sent.
    """
    assert draft.throttle is not None
    return too_soon(wait) if verdict == TOO_SOON else too_many(wait, draft.throttle.rate)


def _mark(key: str, secret: bytes) -> str:
    # A key may be any text, lone surrogates included.
    text = key.encode(errors="surrogatepass")
    return blake2b(text, key=secret, digest_size=12, person=b"pace").hexdigest()
