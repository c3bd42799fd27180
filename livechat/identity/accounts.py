"""
Accounts: operators with a name, a password and rights of their own.

Accounts are in a map that all processes share:

    NAME    {"hash": "$argon2id$…", "rooms": {"lobby": ["join", "history"]}, "version": "…"}

A change gives an account another version.  Sessions know the version that they began with, so a
change ends the earlier ones (`livechat.identity.sessions`).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Final, get_args

import msgspec
from msgspec import Struct

from livechat.errors import ChatError, Kind
from livechat.identity.rights import READERS_RIGHTS, Grants, Right, Rights, grants_of
from livechat.interfaces import IBackend, ISharedMap

#: The most accounts.
MOST_ACCOUNTS: Final = 1_000
#: The most bytes of an account: a hundred patterns of usual length.
LARGEST_ACCOUNT: Final = 8_192
#: Characters of a name.
LONGEST_NAME: Final = 64
#: Pattern of a name: in lower case, so that no two look alike, and written in one way in a URL.
NAME: Final = rf"[a-z0-9][a-z0-9._@+-]{{0,{LONGEST_NAME - 1}}}"
_NAME: Final = re.compile(NAME, re.ASCII)
#: The audit's name for operators with the shared password.
SHARED: Final = "operator"
#: Random bytes of a version.
_VERSION_BYTES: Final = 9


class _Value(Struct, frozen=True):
    hash: str
    rooms: dict[str, list[str]]
    version: str


_decoder: Final = msgspec.json.Decoder(_Value)


class Account(Struct, frozen=True):
    """
    @ivar hash: the password's argon2id hash.
    @ivar version: another one after each change.
    """

    name: str
    grants: Grants
    hash: str
    version: str


def accounts_map(backend: IBackend) -> ISharedMap:
    """The map of accounts."""
    return backend.shared_map("accounts", most=MOST_ACCOUNTS, largest=LARGEST_ACCOUNT)


def account_name(name: str) -> str:
    """
    Return *name*, if an account can have it.

    @raise ChatError: no account can.
    """
    if _NAME.fullmatch(name) is None or name == SHARED:
        raise ChatError(
            Kind.BAD_REQUEST,
            f"An operator's name has 1 to {LONGEST_NAME} characters of a-z 0-9 . _ @ + -, begins"
            f" with a letter or a digit, and is not '{SHARED}'.",
        )
    return name


def account_grants(rooms: Mapping[str, Sequence[str]]) -> Grants:
    """
    Check the rights of an operator.  Any other right in a room implies entering and reading it:
    otherwise its page would show nothing.

    @raise ChatError: a pattern or a right is none, or there are too many.
    """
    try:
        checked = grants_of(rooms)
    except ValueError as reason:
        raise ChatError(Kind.BAD_REQUEST, f"'rooms' cannot be used: {reason}.") from None
    return {pattern: _with_reading(found) for pattern, found in checked.items()}


def _with_reading(found: Rights) -> Rights:
    return found | READERS_RIGHTS if found - READERS_RIGHTS else found


def rooms_of(grants: Grants) -> dict[str, list[str]]:
    """Grants as they are written, with rights in their usual order."""
    return {
        pattern: [each for each in get_args(Right) if each in found]
        for pattern, found in sorted(grants.items())
    }


class Accounts:
    """The accounts, as all processes know them."""

    def __init__(self, shared: ISharedMap) -> None:
        self._map = shared
        # Accounts decoded last, by value: each request of an operator reads one.
        self._read: dict[str, tuple[bytes, Account | None]] = {}

    def get(self, name: str) -> Account | None:
        """The account of this name."""
        value = self._map.get(name) if _NAME.fullmatch(name) else None
        if value is None:
            self._read.pop(name, None)
            return None
        known = self._read.get(name)
        if known is None or known[0] != value:
            known = self._read[name] = (value, _account(name, value))
        return known[1]

    def all(self) -> list[Account]:
        """All accounts, by name."""
        found = (self.get(name) for name, _ in sorted(self._map.items()))
        return [each for each in found if each is not None]

    async def put(self, name: str, grants: Grants, hashed: str | None) -> bool:
        """
        Make the account of this name, or change it.

        @param hashed: the password's hash; None keeps the one that it has.
        @return: whether it is new.
        @raise ChatError: it is too large, the map is full, or other processes cannot be told.
        """
        before, known = self._map.get(name), self.get(name)
        if hashed is None:
            if known is None:
                raise ChatError(Kind.NOT_FOUND, f"There is no operator '{name}'.")
            hashed = known.hash
        version = secrets.token_urlsafe(_VERSION_BYTES)
        value = msgspec.json.encode(_Value(hashed, rooms_of(grants), version))
        if len(value) > LARGEST_ACCOUNT:
            raise ChatError(Kind.BAD_REQUEST, "'rooms' is too long.")
        if not await self._map.put(name, value, expect=before):
            raise ChatError(Kind.UNAVAILABLE, f"Somebody else changes '{name}' just now.")
        return known is None

    async def drop(self, name: str) -> None:
        """
        Remove the account of this name.

        @raise ChatError: there is none, or other processes cannot be told.
        """
        if self._map.get(name) is None:
            raise ChatError(Kind.NOT_FOUND, f"There is no operator '{name}'.")
        await self._map.drop(name)

    async def catch_up(self) -> None:
        """
        Return once this process knows of all changes until now.

        @raise ChatError: that cannot be found out.
        """
        await self._map.catch_up()

    def watch(self, changed: Callable[[], None]) -> None:
        """Call *changed* when accounts have changed.  May fire spuriously."""
        self._map.watch(lambda _: changed())


def _account(name: str, value: bytes) -> Account | None:
    """Decode an account; None if this livechat cannot read it."""
    try:
        found = _decoder.decode(value)
        return Account(name, grants_of(found.rooms), found.hash, found.version)
    except ValueError:
        return None
