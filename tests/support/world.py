"""The core, on doubles of what is outside it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from argon2 import PasswordHasher
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from livechat.backends.alone import LoneMaps
from livechat.backends.retention import Retention
from livechat.backends.sqlite.backend import SqliteBackend
from livechat.backends.sqlite.database import Database
from livechat.backends.sqlite.messages import SqliteMessageLog
from livechat.identity.accounts import Accounts, accounts_map
from livechat.identity.actor import Actor, operator
from livechat.identity.authentication import Authentication
from livechat.identity.door import Claim, Door
from livechat.identity.keys import Keys, keys_map
from livechat.identity.leases import Leases, revoked_map
from livechat.identity.operators import Operators
from livechat.identity.passwords import Password
from livechat.identity.pseudonyms import Pseudonyms
from livechat.identity.sessions import Sessions, operators_map
from livechat.identity.site_sessions import SiteSessions
from livechat.identity.tokens import Minted, Tokens
from livechat.interfaces import IAuthenticator, IListener, IPolicy
from livechat.limits.rates import Rate
from livechat.limits.source import Source
from livechat.net.fast import write_all
from livechat.protocol.messages import User
from livechat.protocol.settings import Guests, RoomSettings
from livechat.rooms.chat import Chat
from livechat.rooms.hub import Hub
from livechat.rooms.listeners import Listeners
from livechat.rooms.pace import Pace
from livechat.rooms.policy import Policy
from livechat.rooms.restrictions import Restrictions
from livechat.rooms.rules import Rules, make_rules
from livechat.rooms.settings import SettingsRegistry
from livechat.rooms.tracing import Tracing
from livechat.system.time import Time
from livechat.webhooks.board import Board, board_map
from tests.support.asked import AskedSite
from tests.support.lanes import Lane
from tests.support.outcomes import result, run

FOREVER = Retention(0, 0)
#: Seconds since 1970 at which a world begins, and what its clock shows then.
NOW = 1_790_000_000.0
STARTED = 1_000_000.0
#: Seconds that a token may last.
LIFETIME = 30 * 86_400
LOCAL_KEY = f"lck_local_{'l' * 43}"
PASSWORD = "correct horse battery staple"
#: Hashes passwords in no time.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def make_leases(time: Time) -> Leases:
    """Make leases that no other process shares."""
    return Leases(LoneMaps(time.wall).get("revoked", most=100, largest=32), time, LIFETIME)


def make_free_rules(time: Time, *extra: IPolicy) -> Rules:
    """Make rules of rooms, with settings and restrictions that no other process shares."""
    maps = LoneMaps(time.wall)
    settings = SettingsRegistry(maps.get("rooms", most=100, largest=10_000), RoomSettings())
    restrictions = Restrictions(maps.get("restrictions", most=100, largest=10_000), time)
    return Rules(Policy(extra, time, settings, restrictions), settings, restrictions)


def make_keys(time: Time) -> Keys:
    """Make a set of API keys with the local one only."""
    return Keys(LoneMaps(time.wall).get("keys", most=10, largest=20_000), time, LOCAL_KEY)


def make_door(
    secret: Callable[[], Deferred[bytes]] = lambda: succeed(b"a secret"),
    *authenticators: IAuthenticator,
    time: Time | None = None,
    leases: Leases | None = None,
    tokens: Tokens | None = None,
    keys: Keys | None = None,
    sessions: SiteSessions | None = None,
) -> Door:
    """A door, on a clock that stands still unless there is one."""
    time = time or Time(Clock(), lambda: 1_790_000_000.0)
    return Door(
        secret,
        tokens or Tokens(secret, time, LIFETIME),
        leases or make_leases(time),
        Authentication(authenticators, time) if authenticators else None,
        keys=keys or make_keys(time),
        time=time,
        sessions=sessions,
    )


def guest(name: str, rate: float = 0) -> Actor:
    """A member without a key."""
    door = make_door()
    made: Actor = run(door.member(Source("192.0.2.1", Rate.of(rate)), Claim(name)))
    return made


ANN = guest("Ann")
SOMEBODY = Actor("guest", ANN.source)
ADMIN = operator(Source("192.0.2.9", Rate.of(0)))


def _prompt(log: SqliteMessageLog) -> None:
    """Have *log* write at once, not at a turn's end, for tests that are not about turns."""

    def gather(*_: object) -> None:
        log._write_group()
        if isinstance(log._sink, Hub):
            log._sink.flush()

    log._gather = gather  # type: ignore[method-assign, assignment]


@cache
def _new_file(name: str) -> tuple[bytes, bytes]:
    """Contents of the file that a first start makes, and the secret that is in them."""
    with TemporaryDirectory() as directory:
        store = Database(Path(directory), FOREVER, lambda: NOW, lambda: STARTED)
        store.prepare()
        store.release()
        return (Path(directory) / name).read_bytes(), store._numberings.secret


def _make_file(path: Path) -> None:
    """Put a new file at *path*, with a secret of its own: to make its tables takes longer."""
    contents, secret = _new_file(path.name)
    assert contents.count(secret) == 1
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(0o600)
    path.write_bytes(contents.replace(secret, secrets.token_bytes(len(secret))))


class World:
    """
    The core, on a clock and threads that tests move.

    A message that is sent is stored and delivered at once, unless the writer is *held*.
    """

    def __init__(
        self,
        directory: Path,
        *,
        retention: Retention = FOREVER,
        held: bool = False,
        rate: float = 0,
        rate_per_ip: float = 0,
        max_message: int = 16_384,
        rate_per_user: float = 0,
        guests: Guests = "on",
        policies: Sequence[IPolicy] = (),
        listeners: Sequence[IListener] = (),
        authenticators: Sequence[IAuthenticator] = (),
        asked: AskedSite | None = None,
    ) -> None:
        self.rate = Rate.of(rate)
        self.clock = Clock()
        self.clock.advance(STARTED)
        self._ahead = NOW - STARTED
        self.store = Database(directory, retention, lambda: self.wall, self.clock.seconds)
        if not self.store._path.exists():
            _make_file(self.store._path)
        self.store.prepare()
        self.writer, self.readers = Lane(held), Lane()
        self.backend = SqliteBackend(self.store, self.clock, self.writer, self.readers)
        if not held:
            _prompt(self.backend.messages)
        self.time = Time(self.clock, lambda: self.wall)
        self.hub = Hub(self.time, write_all)
        receivers = {"hooks-example-1": "https://hooks.example/geheim"}
        self.board = Board(board_map(self.backend), receivers, self.time)
        self.tracing = Tracing(self.hub, self.time, None, "here/1")
        self.leases = Leases(
            revoked_map(self.backend),
            self.time,
            LIFETIME,
            keys_map(self.backend),
            Pseudonyms(self.backend.processes.secret),
        )
        self.keys = Keys(keys_map(self.backend), self.time, LOCAL_KEY)
        self.tokens = Tokens(self.backend.processes.secret, self.time, LIFETIME)
        self.site = None if asked is None else asked.site(self.time)
        sessions = None
        if self.site is not None and self.site.asks("join"):
            sessions = SiteSessions(self.site, self.time, "chat")
        self.door = make_door(
            self.backend.processes.secret,
            *authenticators,
            time=self.time,
            leases=self.leases,
            tokens=self.tokens,
            keys=self.keys,
            sessions=sessions,
        )
        self.tokens = Tokens(self.backend.processes.secret, self.time, LIFETIME)
        self.operators = self._operators(directory / "operators.json")
        self.chat = Chat(
            self.backend,
            self.hub,
            self.time,
            max_message=max_message,
            default_room="lobby",
            rate=rate,
            pace=Pace(self.time, per_ip=rate_per_ip, per_user=rate_per_user),
            leases=self.leases,
            rules=make_rules(self.backend, self.time, RoomSettings(guests=guests), policies),
            listeners=Listeners(listeners, self.time),
            site=self.site,
        )
        self.backend.start(
            self.hub,
            lambda: self.chat.directory.report("here/1", 0, 0),
            self.chat.presence,
            self.chat.record,
        )

    def _operators(self, path: Path) -> Operators:
        accounts = Accounts(accounts_map(self.backend))
        made = Operators(
            path,
            Sessions(operators_map(self.backend), accounts, self.time, 3_600),
            accounts,
            self.time,
            hashing=Lane(),
            saving=Lane(),
            hasher=CHEAP,
        )
        made.load(Password(PASSWORD, "a test"))
        return made

    @property
    def wall(self) -> float:
        """The wall clock, which goes on with the other one, and can be set."""
        return self.clock.seconds() + self._ahead

    @wall.setter
    def wall(self, seconds: float) -> None:
        self._ahead = seconds - self.clock.seconds()

    def source(self, address: str) -> Source:
        """A new connection from *address*."""
        return Source(address, self.rate)

    def caller(self, address: str, user: User | None = None) -> Actor:
        """A client with a single request, on a new connection from *address*."""
        return Actor("guest", self.source(address), user)

    def token(self, user: str = "42", seconds: int = 3_600, **claims: Any) -> str:
        """A token of a user of the site."""
        minted: Minted = run(self.tokens.mint(user, seconds=seconds, **claims))
        return minted.token

    def turn(self) -> None:
        """End the reactor's turn, and let those pass that come of it."""
        self.clock.advance(0)

    def write(self) -> None:
        """Have the writer store what was sent in the turns so far."""
        self.turn()
        self.writer.step()
        self.turn()

    def close(self) -> None:
        self.writer.held = False
        self.write()
        stopped = self.backend.stop()
        self.clock.advance(60)
        result(stopped)
