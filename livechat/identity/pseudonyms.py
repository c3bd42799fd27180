"""
Pseudonyms: stand-ins for people who were forgotten.

A pseudonym is a keyed hash of the person, which cannot be traced back without the secret of the
rooms.  The same person always has the same pseudonym, so a ban still holds.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from livechat.errors import ChatError
from livechat.protocol.messages import User

#: The beginning of a forgotten person's id; the name is the word alone.
PREFIX: Final = "forgotten-"
NAME: Final = "forgotten"


class Pseudonyms:
    """Makes pseudonyms, the same at every process."""

    def __init__(self, secret: Callable[[], Deferred[bytes]]) -> None:
        """
        @param secret: reads the secret of these rooms
            (`livechat.interfaces.IProcessRegistry.secret`), at most 64 bytes.
        """
        self._secret = secret
        self._known = b""

    async def find(self, subject: str) -> User:
        """
        Return the user that stands for *subject* (`User.subject`), of the same kind.

        @raise ChatError: the secret cannot be read now.
        """
        self._known = await self._secret()
        return _user(subject, self._known)

    def of(self, subject: str) -> str | None:
        """
        Return the subject that stands for *subject*.

        @return: None until the secret has been read, before which nobody is let in.
        """
        if not self._known:
            self._secret().addCallbacks(self._learn, _unread)
        return _user(subject, self._known).subject if self._known else None

    def _learn(self, secret: bytes) -> None:
        self._known = secret


def is_pseudonym(subject: str) -> bool:
    """Tell whether *subject* stands for a forgotten person."""
    return subject.partition(":")[2].startswith(PREFIX)


def _user(subject: str, secret: bytes) -> User:
    digest = blake2b(subject.encode(), key=secret, digest_size=15, person=b"forgotten").digest()
    known_as = f"{PREFIX}{urlsafe_b64encode(digest).decode()}"
    return User(known_as, NAME, verified=subject.startswith("u:"))


def _unread(failure: Failure) -> None:
    if not isinstance(failure.value, ChatError):
        failure.raiseException()
