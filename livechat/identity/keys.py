"""
Keys of back ends: ``lck_<id>_<secret>``.

Keys are in a map that all processes share, by id: a name, rights by room, and the hash of the
secret.  The secret itself is shown once, when the key is made.  It has 256 random bits, so its hash
needs neither salt nor slowness.

A key acts for itself, or, with the option ``as``, for users that it names.  It has a rate of its
own.  Two keys of one name may exist at a time, so that one can replace the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from hmac import compare_digest
from secrets import token_hex, token_urlsafe
from typing import Final, Literal

import msgspec
from msgspec import Struct, field

from livechat.errors import ChatError, Kind
from livechat.identity.actor import ALL_GRANTS
from livechat.identity.local_key import LOCAL, RANDOM_PART, SECRET_BYTES
from livechat.identity.rights import Grants, grants_of
from livechat.interfaces import IBackend, ISharedMap
from livechat.system.time import Time

#: The beginning of a credential that is a key.
PREFIX: Final = "lck_"
#: The most keys.
MOST_KEYS: Final = 1_000
#: The most keys of one name at a time.
MOST_OF_A_NAME: Final = 2
#: The default rate of a key, in acts a second.
USUAL_RATE: Final = 1_000.0
#: The most bytes of a key in the map.
_LARGEST: Final = 20_000
#: Random bytes of an id.
_ID_BYTES: Final = 6
_KEY: Final = re.compile(rf"{PREFIX}([a-z0-9]{{1,32}})_({RANDOM_PART})", re.ASCII)

#: A scope besides the rights: to read ``/metrics``.
Scope = Literal["metrics"]


class Record(Struct, frozen=True, omit_defaults=True):
    """
    A key, as the map has it.

    @ivar secret: the hash of its secret.
    @ivar made: when it was made, in seconds since 1970.
    @ivar as_users: whether it may name users, and mint tokens for them.
    @ivar rate: acts a second, in place of those of its address and its connection.
    @ivar expires: when it ends, in seconds since 1970; None: never.
    """

    name: str
    secret: str
    rooms: Mapping[str, Sequence[str]]
    made: int
    as_users: bool = field(default=False, name="as")
    rate: float = USUAL_RATE
    expires: int | None = None
    scope: Scope | None = None


class Key(Struct, frozen=True):
    """
    A valid key.

    @ivar grants: its rights by pattern.
    """

    id: str
    record: Record
    grants: Grants


#: Unknown ids are compared with this hash, so that they take as long.
_NOBODY: Final = Key("", Record("", "0" * 64, {}, 0), {})


class Keys:
    """The keys of back ends."""

    def __init__(self, shared: ISharedMap, time: Time, local: str | None = None) -> None:
        """
        @param shared: `keys_map`.
        @param local: the local key (`livechat.identity.local_key`).
        """
        self._map = shared
        self._time = time
        self._local = _NOBODY if local is None else _local(local)
        # Decoded keys, with the values that they were decoded from.
        self._read: dict[str, tuple[bytes, Key]] = {}

    def find(self, credential: str, *, here: bool) -> Key:
        """
        Find the key of *credential*.

        An unknown id costs the same work as a wrong secret, and gets the same answer.

        @param here: whether it comes from this machine, and not through a proxy.
        @raise ChatError: ``unauthorized``.
        """
        parts = _KEY.fullmatch(credential)
        if parts is None:
            raise _refused()
        known_as, secret = parts.groups()
        key = self._key(known_as)
        fits = compare_digest(hash_of(secret), key.record.secret)
        if not fits or key is _NOBODY or (known_as == LOCAL and not here):
            raise _refused()
        return key

    def _key(self, known_as: str) -> Key:
        if known_as == LOCAL:
            return self._local
        value = self._map.get(known_as)
        if value is None:
            return _NOBODY
        before, key = self._read.get(known_as, (b"", _NOBODY))
        if before != value:
            key = _key_of(known_as, value)
            if len(self._read) >= 2 * MOST_KEYS:
                self._read.clear()
            self._read[known_as] = value, key
        return key

    def all(self) -> list[Key]:
        """All keys but the local one, by name and age."""
        found = [_key_of(known_as, value) for known_as, value in self._map.items()]
        found = [key for key in found if key is not _NOBODY]
        return sorted(found, key=lambda key: (key.record.name, key.record.made, key.id))

    async def add(
        self,
        name: str,
        rooms: Mapping[str, Sequence[str]],
        *,
        as_users: bool = False,
        rate: float = USUAL_RATE,
        expires: int | None = None,
        scope: Scope | None = None,
    ) -> tuple[Key, str]:
        """
        Make a key; return it and its credential, which is not kept.

        @raise ChatError: ``too_many_keys``; or as `livechat.interfaces.ISharedMap.put`.
        """
        if self._of(name) >= MOST_OF_A_NAME:
            raise _too_many(name)
        known_as, secret = token_hex(_ID_BYTES), token_urlsafe(SECRET_BYTES)
        now = int(self._time.wall())
        made = Record(name, hash_of(secret), rooms, now, as_users, rate, expires, scope)
        await self._map.put(known_as, msgspec.json.encode(made), expires)
        await self._map.catch_up()
        if self._of(name) > MOST_OF_A_NAME:
            # Another process has made one at the same time.
            await self._map.drop(known_as)
            raise _too_many(name)
        return Key(known_as, made, grants_of(rooms)), f"{PREFIX}{known_as}_{secret}"

    def _of(self, name: str) -> int:
        return sum(key.record.name == name for key in self.all())

    async def drop(self, known_as: str) -> Key:
        """
        Drop a key, at all processes within a second; return it.

        @raise ChatError: ``not_found``; or as `livechat.interfaces.ISharedMap.drop`.
        """
        value = self._map.get(known_as)
        if value is None:
            raise ChatError(Kind.NOT_FOUND, "There is no key with this id.")
        await self._map.drop(known_as)
        return _key_of(known_as, value)


def keys_map(backend: IBackend) -> ISharedMap:
    """The map of keys."""
    return backend.shared_map("keys", most=MOST_KEYS, largest=_LARGEST)


def hash_of(secret: str) -> str:
    """The hash that is stored for a secret."""
    return blake2b(secret.encode(), person=b"livechat key", digest_size=32).hexdigest()


def _key_of(known_as: str, value: bytes) -> Key:
    """Decode a key; None if another version wrote it in a form unknown here."""
    try:
        record = msgspec.json.decode(value, type=Record)
        return Key(known_as, record, grants_of(record.rooms))
    except (msgspec.MsgspecError, ValueError):
        return _NOBODY


def _local(credential: str) -> Key:
    parts = _KEY.fullmatch(credential)
    assert parts is not None
    assert parts[1] == LOCAL
    record = Record(LOCAL, hash_of(parts[2]), {"*": ("*",)}, 0, as_users=True)
    return Key(LOCAL, record, ALL_GRANTS)


def _refused() -> ChatError:
    return ChatError(Kind.UNAUTHORIZED, "This key is unknown, or its secret is wrong.")


def _too_many(name: str) -> ChatError:
    return ChatError(
        Kind.TOO_MANY_KEYS,
        f"There are {MOST_OF_A_NAME} keys called {name}: drop one before you make another.",
    )
