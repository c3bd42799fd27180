"""
The secrets of the embedded backend's file, and the epochs that follow from them.

An epoch is a keyed hash of the room's name, so that a room in which nothing was ever said has one
too and costs no row.  Three rows of `meta` decide:

    secret       made with the file
    numberings   random bytes, since the file was restored from a backup: all epochs are others
    guests       the secret by which guests were known elsewhere, since that was imported
    epoch:ROOM   an epoch that the room has brought along from elsewhere
"""

from __future__ import annotations

import secrets
import sqlite3
from base64 import urlsafe_b64encode
from functools import lru_cache
from hashlib import blake2b
from typing import Final

#: Rooms whose epochs are remembered.
KNOWN: Final = 4_096
_SECRET: Final = "secret"  # noqa: S105 - the name of a row
_NUMBERINGS: Final = "numberings"
_GUESTS: Final = "guests"
_EPOCH: Final = "epoch:"
#: A text that sorts behind all keys of epochs.
_AFTER_EPOCHS: Final = "epoch;"


class Numberings:
    """
    The secrets of one file.

    @ivar secret: random bytes that never leave the file.
    """

    def __init__(self) -> None:
        self.secret = b""
        self._key = b""
        self._guests = b""
        self._imported: dict[str, str] = {}
        self._hashed = lru_cache(KNOWN)(self._hash)

    def read(self, db: sqlite3.Connection) -> None:
        """Read the secrets of an opened file; a later call does nothing."""
        if self.secret:
            return
        named = dict(
            db.execute(
                "SELECT key, value FROM meta WHERE key IN (?, ?, ?)",
                (_SECRET, _NUMBERINGS, _GUESTS),
            ).fetchall()
        )
        self._imported = {
            key.removeprefix(_EPOCH): value.decode()
            for key, value in db.execute(
                "SELECT key, value FROM meta WHERE key > ? AND key < ?", (_EPOCH, _AFTER_EPOCHS)
            )
        }
        secret: bytes = named[_SECRET]
        word = named.get(_NUMBERINGS)
        self._key = secret if word is None else blake2b(word, key=secret, digest_size=32).digest()
        self._guests = named.get(_GUESTS, b"")
        self._hashed.cache_clear()
        self.secret = secret

    def epoch(self, room: str) -> str:
        """Name the numbering of *room*."""
        if self._imported and room in self._imported:
            return self._imported[room]
        return self._hashed(room)

    def _hash(self, room: str) -> str:
        digest = blake2b(room.encode(), key=self._key, digest_size=9).digest()
        return urlsafe_b64encode(digest).decode()

    def guests(self) -> bytes:
        """Return the secret that guests are known by: the same as long as the file is."""
        if self._guests:
            return self._guests
        return blake2b(key=self.secret, digest_size=32, person=b"secret").digest()


def begin_anew(db: sqlite3.Connection) -> None:
    """
    Give every room another epoch.

    After a restored backup other entries get numbers that were given before.  A client that has
    seen those must not be told that nothing is missing.
    """
    db.execute("DELETE FROM meta WHERE key > ? AND key < ?", (_EPOCH, _AFTER_EPOCHS))
    db.execute("REPLACE INTO meta VALUES (?, ?)", (_NUMBERINGS, secrets.token_bytes(16)))


def bring(db: sqlite3.Connection, room: str, epoch: str) -> None:
    """Give *room* an epoch from elsewhere."""
    db.execute("REPLACE INTO meta VALUES (?, ?)", (_EPOCH + room, epoch.encode()))


def know_guests_by(db: sqlite3.Connection, secret: bytes) -> None:
    """Have guests known by a secret from elsewhere, from the next start on."""
    db.execute("REPLACE INTO meta VALUES (?, ?)", (_GUESTS, secret))
