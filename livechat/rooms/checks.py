"""Checks of the shape of messages, the same for every way in."""

from __future__ import annotations

from hashlib import blake2b

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.protocol.looks import seen


def check_text(text: str, most: int) -> None:
    """
    Check that *text* can be a message.

    @param most: bytes of UTF-8.
    @raise ChatError: the text is too long, or not Unicode.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ChatError(
            Kind.BAD_MESSAGE, "The message holds half a surrogate pair, which is not Unicode."
        ) from None
    if size > most:
        raise ChatError(
            Kind.MESSAGE_TOO_LONG,
            f"The message has {size} bytes of UTF-8; at most {most} are allowed.",
        )


def check_seen(text: str) -> None:
    """
    @raise ChatError: nothing of *text* is to be seen, so that it would be an empty line.
    """
    if not seen(text):
        raise ChatError(Kind.EMPTY_MESSAGE, "There is nothing to be seen in this message.")


def scoped(actor: Actor, nonce: str) -> str:
    """
    Make *nonce* unique among all actors.

    A guest without a key is another user at its next request.  So such guests share their nonces,
    and a repeated request is recognized by its nonce alone.
    """
    return blake2b(nonce.encode(), key=_key(actor.scope), digest_size=12).hexdigest()


def _key(scope: str) -> bytes:
    """*scope* as a key of BLAKE2, which has at most 64 bytes."""
    key = scope.encode()
    return key if len(key) <= blake2b.MAX_KEY_SIZE else blake2b(key).digest()
