"""
Who somebody is who has not signed in: a guest, with a name that anybody may have.

A guest's id is the connection's; or, for one who brings a *key*, which it has chosen at
random and tells to nobody else, a keyed hash of that: so it is the same each time, at
every process, and says nothing of the key.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import Final

from msgspec import Struct

from livechat.errors import ChatError, Kind
from livechat.wire import User

#: Characters of a name.
LONGEST_NAME: Final = 40
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
# Control and format characters, such as those that turn the direction of the text around
# them, surrogates, what is no character, and what ends lines or paragraphs.
_BANNED: Final = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})
# Emoji and some scripts are written with them, between others.
_JOINING: Final = frozenset("\u200c\u200d")
# They are letters and symbols, and nobody sees them.
_UNSEEN: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")


class Visitor(Struct, frozen=True):
    """
    A connection, and whose it is.

    @ivar connection: names it; nobody else has it.
    @ivar returns: the user will be the same when it comes back.
    """

    connection: str
    user: User
    returns: bool


def checked_name(name: str) -> str:
    """
    *name*, if somebody may be called so.

    @raise ChatError: nobody may.
    """
    if (
        not 1 <= len(name) <= LONGEST_NAME
        or not all(map(_is_written, name))
        or not any(map(_is_seen, name))
    ):
        raise ChatError(
            Kind.BAD_QUERY,
            f"A name has 1 to {LONGEST_NAME} characters, and no control characters.",
        )
    return name


def _is_written(character: str) -> bool:
    return character in _JOINING or unicodedata.category(character) not in _BANNED


def _is_seen(character: str) -> bool:
    return not (character.isspace() or character in _JOINING or character in _UNSEEN)


def checked_key(key: str) -> str:
    """
    *key*, if it may be a guest's.

    @raise ChatError: it may not.
    """
    if _KEY.fullmatch(key) is None:
        raise ChatError(Kind.BAD_QUERY, "A client's key has 16 to 64 characters of A-Z a-z 0-9 _ -")
    return key


def passer_by(name: str | None = None) -> Visitor:
    """A guest who will be somebody else next time."""
    connection = secrets.token_urlsafe(9)
    return Visitor(connection, User(connection, name or _made_up(connection)), returns=False)


def regular(secret: bytes, key: str, name: str | None = None) -> Visitor:
    """
    The guest whose *key* this is.

    @param secret: at most 64 bytes, which all processes have.
    """
    digest = blake2b(key.encode(), key=secret, digest_size=12, person=b"guest").digest()
    known_as = urlsafe_b64encode(digest).decode()
    connection = secrets.token_urlsafe(9)
    return Visitor(connection, User(known_as, name or _made_up(known_as)), returns=True)


def _made_up(known_as: str) -> str:
    return f"guest-{blake2b(known_as.encode(), digest_size=2).hexdigest()}"
