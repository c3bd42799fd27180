"""
The browsers that are signed in to the admin page.

A browser that gave the right password gets a random token.  The token's hash, and the addresses
from which right passwords came, are in a map that all processes share:

    sessions:HASH     when it ends, in seconds since 1970; of a named operator [end, name, version]
    addresses:IP      when a right password came from there last

A session of a named operator lasts as long as its account is unchanged
(`livechat.identity.accounts`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from types import EllipsisType
from typing import Any, Final

import msgspec
from msgspec import Struct
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.logger import Logger

from livechat.errors import ChatError
from livechat.identity.accounts import LONGEST_NAME, Account, Accounts
from livechat.interfaces import IBackend, ISharedMap
from livechat.system.time import Time

_log = Logger()

#: The most browsers signed in with the shared password, by one named operator, and by all of these;
#: one more signs out the oldest.
MOST_SESSIONS: Final = 100
MOST_OF_ONE: Final = 10
MOST_NAMED: Final = 1_000
#: The most addresses remembered for a right password.
MOST_ADDRESSES: Final = 100
#: The most keys of the map: several processes may add some at the same time.
MOST_KEYS: Final = 2 * (MOST_SESSIONS + MOST_NAMED + MOST_ADDRESSES)
#: The most bytes of a value: a time, a name and a version.
LARGEST_VALUE: Final = 64 + LONGEST_NAME
#: The pattern of a token: 32 bytes in base64.
TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)

#: The prefixes of the map's keys.
_SESSION: Final = "sessions:"
_ADDRESS: Final = "addresses:"


class Session(Struct, frozen=True, array_like=True):
    """
    @ivar ends: when it ends, in seconds since 1970.
    @ivar operator: whose it is; None: it began with the shared password.
    @ivar version: of the operator's account, as it was.
    """

    ends: int
    operator: str | None = None
    version: str = ""


_decoder: Final = msgspec.json.Decoder(int | Session)


def operators_map(backend: IBackend) -> ISharedMap:
    """The map of sessions and addresses."""
    return backend.shared_map("operators", most=MOST_KEYS, largest=LARGEST_VALUE)


class Sessions:
    """
    Sessions, and the work that is bound to them.

    @ivar lasts: seconds after which a browser has to sign in again.
    """

    def __init__(self, shared: ISharedMap, accounts: Accounts, time: Time, lasts: int) -> None:
        self.lasts = lasts
        self._map = shared
        self._map.watch(self._changed)
        self._accounts = accounts
        self._accounts.watch(self._end_lost)
        self._time = time
        # Changes that wait until the map can be changed. While sessions of the shared password are
        # to end, none of them counts.
        self._ends_all = False
        self._former: Mapping[str, int] = {}
        self._taken_over: Deferred[None] | None = None
        self._settling = False
        # The work bound to a session, by its key: functions that end it.
        self._open: dict[str, set[Callable[[], None]]] = {}

    def count(self) -> int:
        """The number of sessions."""
        return len(self._of(_SESSION))

    def _of(self, kind: str) -> dict[str, Session]:
        """All keys of a kind."""
        items = self._map.items()
        return {key: _session(value) for key, value in items if key.startswith(kind)}

    def knows(self, address: str) -> bool:
        """Tell whether the right password came from *address*."""
        return self._map.get(_ADDRESS + address) is not None

    def take_over(self, sessions: Mapping[str, int], addresses: Sequence[str]) -> Deferred[None]:
        """
        Take over the sessions and addresses of an earlier version.  Fires when that is done.

        @param sessions: when each ends, by the hash of its token.
        @param addresses: the last one last.
        """
        former = {_SESSION + key: end for key, end in sessions.items() if end > self._time.wall()}
        former |= {_ADDRESS + each: place for place, each in enumerate(addresses)}
        self._former, self._taken_over = former, Deferred()
        taken_over = self._taken_over
        self.settle_soon()
        return taken_over

    async def end_all(self) -> None:
        """
        End all sessions of the shared password, here at once, and forget all addresses.

        @raise ChatError: other processes cannot be told now; they will be when they can.
        """
        self.end_all_soon()
        await self._end_all()

    def end_all_soon(self) -> None:
        """
        End all sessions of the shared password here, and everywhere when the map can be
        changed.
        """
        self._ends_all = True

    async def _end_all(self) -> None:
        # This precedes the change, or a session that begins meanwhile would end with the next try.
        self._ends_all = False
        try:
            await self._map.catch_up()
            await _all(
                self._drop(key)
                for key, value in self._map.items()
                if _session(value).operator is None
            )
        except BaseException:
            self._ends_all = True
            raise

    def settle_soon(self) -> None:
        """Make the waiting changes, if the map can be changed."""
        Deferred.fromCoroutine(self._settle()).addErrback(
            lambda failure: _log.failure("The operators' sessions could not be changed.", failure)
        )

    async def _settle(self) -> None:
        if self._settling:
            return
        self._settling = True
        try:
            if self._ends_all:
                await self._end_all()
            if self._taken_over is not None:
                await _all(self._put_former(key, at) for key, at in self._former.items())
                taken_over, self._taken_over = self._taken_over, None
                self._former = {}
                taken_over.callback(None)
        except ChatError:
            pass  # the map is watched
        finally:
            self._settling = False

    async def begin(self, token: str, address: str, account: Account | None = None) -> None:
        """
        Begin a session; expired ones, and the oldest beyond the bound, end.

        @param account: the operator's account; None for the shared password.
        @raise ChatError: other processes cannot be told; nothing has begun.
        """
        if self._ends_all and account is None:
            await self._end_all()
        now = int(self._time.wall())
        ends = now + self.lasts
        found = self._of(_SESSION)
        named = {key: each for key, each in found.items() if each.operator is not None}
        if account is None:
            value = _encoded(ends)
            own = {key: each for key, each in found.items() if each.operator is None}
            await self._make_room(own, MOST_SESSIONS, over=now)
        else:
            value = _encoded(Session(ends, account.name, account.version))
            own = {key: each for key, each in named.items() if each.operator == account.name}
            await self._make_room(own, MOST_OF_ONE, over=now)
            await self._make_room(named, MOST_NAMED, over=now)
        await self._put(_key(token), value, until=ends)
        await self._make_room(self._of(_ADDRESS), MOST_ADDRESSES)
        await self._put(_ADDRESS + address, _encoded(now))

    async def _make_room(self, found: Mapping[str, Session], most: int, *, over: int = -1) -> None:
        """
        Drop the oldest of these keys, so that there are fewer than *most*.

        @param over: keys with a time up to this one are dropped in any case.
        """
        kept = [key for key in found if found[key].ends > over]
        kept.sort(key=lambda key: found[key].ends)
        keeps = frozenset(kept[max(0, len(kept) - most + 1) :])
        await _all(self._drop(key) for key in found if key not in keeps)

    async def _put_former(self, key: str, time: int) -> None:
        until = time if key.startswith(_SESSION) else None
        await self._put(key, _encoded(time), until=until, expect=None)

    async def _put(
        self,
        key: str,
        value: bytes,
        *,
        until: int | None = None,
        expect: EllipsisType | None = ...,
    ) -> None:
        try:
            await self._map.put(key, value, until, expect=expect)
        except ChatError as reason:
            _bear(reason, holds=self._map.get(key) == value)

    async def _drop(self, key: str) -> None:
        try:
            await self._map.drop(key)
        except ChatError as reason:
            _bear(reason, holds=self._map.get(key) is None)

    def _changed(self, _: Collection[str]) -> None:
        """Handle changed sessions, or a map that can be changed again."""
        self._end_lost()
        self.settle_soon()

    def _end_lost(self) -> None:
        """End the work of sessions that have ended."""
        for key in tuple(self._open):
            if self._counting(key) is None:
                self._end(key)

    async def look_up(self, token: str) -> Session | None:
        """Find the session of *token*, even one that began in another process just now."""
        if self.find(token) is None and TOKEN.fullmatch(token):
            with suppress(ChatError):
                await self._map.catch_up()
                await self._accounts.catch_up()
        return self.find(token)

    def find(self, token: str) -> Session | None:
        """Find the session of *token*; None if there is none, or it has ended."""
        return self._counting(_key(token))

    def lasting(self, token: str) -> float:
        """Seconds that *token*'s session still lasts; 0 if there is none."""
        found = self.find(token)
        return 0.0 if found is None else max(0.0, found.ends - self._time.wall())

    def _counting(self, key: str) -> Session | None:
        value = self._map.get(key)
        found = None if value is None else _session(value)
        if found is None or found.ends <= self._time.wall():
            return None
        if found.operator is None:
            return None if self._ends_all else found
        account = self._accounts.get(found.operator)
        return found if account is not None and account.version == found.version else None

    async def end(self, token: str) -> None:
        """End *token*'s session, and the work bound to it."""
        key = _key(token)
        if self._map.get(key) is not None:
            await self._drop(key)

    @contextmanager
    def during(self, token: str, end: Callable[[], None]) -> Iterator[None]:
        """Bind the block to *token*'s session: *end* is called if the session ends first."""
        key = _key(token)
        ends = self._open.setdefault(key, set())
        ends.add(end)
        try:
            yield
        finally:
            ends.discard(end)
            if not ends and self._open.get(key) is ends:
                del self._open[key]

    def _end(self, key: str) -> None:
        for end in tuple(self._open.pop(key, ())):
            end()


def _bear(reason: ChatError, *, holds: bool) -> None:
    """Log a failed write if the change *holds* here: on a full disk operators are needed."""
    if not holds:
        raise reason
    _log.error("Operators' sessions cannot be written: {reason}", reason=reason.detail)


async def _all(changes: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Make changes at the same time; raises the first failure."""
    made = gatherResults([Deferred.fromCoroutine(each) for each in changes], consumeErrors=True)
    try:
        await made
    except FirstError as failed:
        failed.subFailure.raiseException()


def _session(value: bytes) -> Session:
    """Decode a session; return an ended one if this livechat cannot read it."""
    try:
        found = _decoder.decode(value)
    except ValueError:
        return Session(0)
    return Session(found) if isinstance(found, int) else found


def _encoded(value: int | Session) -> bytes:
    return msgspec.json.encode(value)


def session_key(token: str) -> str:
    """The key of *token*'s session: a hash."""
    return blake2b(token.encode(), person=b"livechat session", digest_size=24).hexdigest()


def _key(token: str) -> str:
    return _SESSION + session_key(token)
