"""
Guests: users with any name that is not reserved.

A guest's id is that of its connection.  A guest with a *key*, random and secret, has a keyed hash
of the key instead: the same each time, at every process.  The hash does not reveal the key.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import Final

from livechat.errors import ChatError, Kind
from livechat.protocol.looks import UNSEEN, UNSEEN_END, is_reserved, seen, trimmed
from livechat.protocol.messages import User

#: Characters of a name.
LONGEST_NAME: Final = 40
#: Pattern of the key by which a guest is the same user each time.
KEY: Final = r"[A-Za-z0-9_-]{16,64}"
_KEY: Final = re.compile(KEY, re.ASCII)
# Characters forbidden in names, as ranges: control and format characters, such as those that turn
# the direction of text (but not those that join emoji and some scripts), ends of lines and
# paragraphs, surrogates, and code points that are no characters.
_BANNED: Final = (
    r"\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b\u200e\u200f"
    r"\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff"
    # These are written in the pattern only: JavaScript and Python write them differently.
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e007f"
    + "".join(chr((plane << 16) + last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF))
)
#: A regular expression for names, which begin and end with a visible character. It cannot express
#: all rules for marks, and for characters that shape the one before them.
NAME: Final = (
    f"[^{_BANNED}{UNSEEN}](?:[^{_BANNED}]{{0,{LONGEST_NAME - 2}}}[^{_BANNED}{UNSEEN_END}])?"
)
_NAME: Final = re.compile(NAME)
_BANNED_ONES: Final = re.compile(f"[{_BANNED}]+")
#: Characters that are read of a site's name for a user.
_LOOKED_AT: Final = 1_000


def checked_name(name: str) -> str:
    """
    Return *name*, if it is allowed.

    @raise ChatError: it is not.
    """
    if _NAME.fullmatch(name) is None or not trimmed(name):
        raise ChatError(
            Kind.BAD_QUERY,
            f"A name has 1 to {LONGEST_NAME} characters and no control characters, and begins and"
            " ends with something that is to be seen.",
        )
    return name


def cleaned_name(name: str) -> str | None:
    """
    Make *name* an allowed one: drop characters and cut it short.

    @return: None if nothing is left.
    """
    left = " ".join(_BANNED_ONES.sub("", name[:_LOOKED_AT]).split())[:LONGEST_NAME]
    while left and (_NAME.fullmatch(left) is None or not trimmed(left)):
        left = left[:-1] if seen(left[0]) else left[1:]
    return left or None


def checked_key(key: str) -> str:
    """
    Return *key*, if a guest can have it.

    @raise ChatError: no guest can.
    """
    if _KEY.fullmatch(key) is None:
        raise ChatError(Kind.BAD_QUERY, "A client's key has 16 to 64 characters of A-Z a-z 0-9 _ -")
    return key


def passer_by(connection: str, name: str | None = None) -> User:
    """
    Make a guest without a key: the next visit is another user.

    @param connection: the name of its connection, which is its id as well.
    """
    return User(connection, called(name, connection))


def regular(secret: bytes, key: str, name: str | None = None) -> User:
    """
    Make the guest with this *key*, the same user each time.

    @param secret: at most 64 bytes, which all processes have.
    """
    digest = blake2b(key.encode(), key=secret, digest_size=12, person=b"guest").digest()
    known_as = urlsafe_b64encode(digest).decode()
    return User(known_as, called(name, known_as))


def called(name: str | None, known_as: str) -> str:
    """Return *name* if a guest may have it, else one that is made up from *known_as*."""
    if name is not None and not is_reserved(name):
        return name
    return f"guest-{blake2b(known_as.encode(), digest_size=2).hexdigest()}"
