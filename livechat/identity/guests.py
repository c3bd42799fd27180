"""
Who somebody is: a guest, with a name that anybody may have, but for those that are reserved;
or an operator.

A guest's id is the connection's; or, for one who brings a *key*, which it has chosen at
random and tells to nobody else, a keyed hash of that: so it is the same each time, at
every process, and says nothing of the key.  An operator's has a colon, which no guest's has.
"""

from __future__ import annotations

import re
import secrets
from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import Final

from msgspec import Struct

from livechat.errors import ChatError, Kind
from livechat.protocol.looks import UNSEEN, UNSEEN_END, is_reserved, trimmed
from livechat.protocol.messages import User

#: Characters of a name.
LONGEST_NAME: Final = 40
#: Pattern of the key by which a guest is the same user each time.
KEY: Final = r"[A-Za-z0-9_-]{16,64}"
_KEY: Final = re.compile(KEY, re.ASCII)
# What is not written in names, as ranges: control and format characters, such as those that turn
# the direction of the text around them (but not those by which emoji and some scripts are joined),
# what ends lines or paragraphs, surrogates, and what never is a character.
_BANNED: Final = (
    r"\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b\u200e\u200f"
    r"\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff"
    # JavaScript writes these in another way than Python does, so they are not written but there.
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e007f"
    + "".join(chr((plane << 16) + last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF))
)
#: A regular expression for what somebody may be called: it begins and ends with something that is
#: to be seen.  More than that it cannot say of marks, and of what shapes the character before it.
NAME: Final = (
    f"[^{_BANNED}{UNSEEN}](?:[^{_BANNED}]{{0,{LONGEST_NAME - 2}}}[^{_BANNED}{UNSEEN_END}])?"
)
_NAME: Final = re.compile(NAME)
#: Author of messages sent from the admin page: operators share one password, and so one user.
OPERATOR: Final = User("livechat:operator", "Operator", "operator")


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
    if _NAME.fullmatch(name) is None or not trimmed(name):
        raise ChatError(
            Kind.BAD_QUERY,
            f"A name has 1 to {LONGEST_NAME} characters and no control characters, and begins and"
            " ends with something that is to be seen.",
        )
    return name


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
    return Visitor(connection, User(connection, _called(name, connection)), returns=False)


def regular(secret: bytes, key: str, name: str | None = None) -> Visitor:
    """
    The guest whose *key* this is.

    @param secret: at most 64 bytes, which all processes have.
    """
    digest = blake2b(key.encode(), key=secret, digest_size=12, person=b"guest").digest()
    known_as = urlsafe_b64encode(digest).decode()
    connection = secrets.token_urlsafe(9)
    return Visitor(connection, User(known_as, _called(name, known_as)), returns=True)


def _called(name: str | None, known_as: str) -> str:
    """*name*, if a guest may have it; else one that is made up, and stays while *known_as* does."""
    if name is not None and not is_reserved(name):
        return name
    return f"guest-{blake2b(known_as.encode(), digest_size=2).hexdigest()}"
