"""Operators and their sessions, at a time that a test moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from livechat.backends.alone import LoneMap, _NoStore
from livechat.backends.maps import MapEntry
from livechat.errors import ChatError, Kind
from livechat.identity.accounts import (
    LARGEST_ACCOUNT,
    MOST_ACCOUNTS,
    Accounts,
    account_grants,
)
from livechat.identity.operators import (
    Operators,
)
from livechat.identity.passwords import Password
from livechat.identity.sessions import (
    LARGEST_VALUE,
    MOST_KEYS,
    Sessions,
)
from livechat.system.time import Time
from tests.support import CHEAP, PASSWORD, Lane, run

LASTS = 3_600


class Desk:
    """Operators in a directory, at a time that the test moves."""

    def __init__(
        self, directory: Path, shared: LoneMap | None = None, accounts: LoneMap | None = None
    ) -> None:
        """
        @param shared: what several processes have.
        @param accounts: the same of accounts.
        """
        self.path = directory / "operators.json"
        self.clock = Clock()
        self.clock.advance(1_000)
        self.wall = 1_790_000_000.0
        self.time = Time(self.clock, lambda: self.wall)
        self.lane, self.disk = Lane(), Lane()
        #: The entries of the map's store, while it is not full.
        self.kept: dict[str, MapEntry] = {}
        self.full = False
        self.shared = shared
        self.accounts = Accounts(accounts or accounts_map(lambda: self.wall))
        self.operators = self.again()

    def read(self, name: str) -> dict[str, MapEntry]:
        return self.kept

    def write(self, name: str, entries: Mapping[str, MapEntry | None]) -> Deferred[None]:
        return self.disk.call(self._write, entries)

    def _write(self, entries: Mapping[str, MapEntry | None]) -> None:
        if self.full:
            raise OSError("no space left")
        for key, entry in entries.items():
            self.kept.pop(key, None)
            if entry is not None:
                self.kept[key] = entry

    def map(self) -> LoneMap:
        """The map as a new process finds it."""
        return LoneMap(
            "operators",
            lambda: self.wall,
            self,
            self.clock,
            most=MOST_KEYS,
            largest=LARGEST_VALUE,
        )

    def again(self, text: str = PASSWORD) -> Operators:
        """The same after a restart."""
        self.sessions = Sessions(self.shared or self.map(), self.accounts, self.time, LASTS)
        self.operators = Operators(
            self.path,
            self.sessions,
            self.accounts,
            self.time,
            hashing=self.lane,
            saving=self.disk,
            hasher=CHEAP,
        )
        self.operators.load(Password(text, "a test"))
        return self.operators

    def count(self) -> int:
        """Sessions that the store has."""
        return sum(key.startswith("sessions:") for key in self.kept)

    def sign_in(self, password: str = PASSWORD, address: str = "192.0.2.1", name: str = "") -> str:
        token: str = run(self.operators.sign_in(address, password, name))
        return token

    def put(self, name: str, password: str | None = PASSWORD, **rooms: str) -> None:
        """Make or change the operator *name*; rights are words with blanks between."""
        grants = account_grants({room: words.split() for room, words in rooms.items()})
        run(self.operators.put(name, grants, password))

    def refused(
        self, password: str = "wrong", address: str = "192.0.2.1", name: str = ""
    ) -> ChatError:
        with pytest.raises(ChatError) as caught:
            self.sign_in(password, address, name)
        return caught.value


def accounts_map(now: Callable[[], float] = lambda: 1_790_000_000.0) -> LoneMap:
    """A map of accounts, of which no store knows."""
    return LoneMap("accounts", now, _NoStore(), None, most=MOST_ACCOUNTS, largest=LARGEST_ACCOUNT)


class Cluster(LoneMap):
    """A map that two processes have; away while `away` is set."""

    def __init__(self) -> None:
        super().__init__(
            "operators", lambda: 1_790_000_000.0, _NoStore(), None,
            most=MOST_KEYS, largest=LARGEST_VALUE,
        )  # fmt: skip
        self.away = False
        self.dropped = 0
        #: A change is told to the watchers, but not answered before it fires.
        self.answer: Deferred[None] | None = None

    def _refusal(self) -> Deferred[Any]:
        return fail(ChatError(Kind.UNAVAILABLE, "away"))

    def put(self, *args: Any, **kwargs: Any) -> Deferred[bool]:
        return self._refusal() if self.away else super().put(*args, **kwargs)

    def drop(self, key: str) -> Deferred[None]:
        if self.away:
            return self._refusal()
        self.dropped += 1
        answer = super().drop(key)
        return self.answer or answer

    def catch_up(self) -> Deferred[None]:
        return self._refusal() if self.away else succeed(None)
