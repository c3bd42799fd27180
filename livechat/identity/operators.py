"""
Who may use the admin page: one password, and the browsers signed in with it.

The password is never kept, only its argon2id hash (RFC 9106).  A browser that
knew it gets a random token; what is kept of that is its hash too.  Both stand
in one file of the state directory, so that a restart signs nobody out:

    operators.json    {"password": "$argon2id$...", "sessions": {"hash": expiry, ...},
                       "addresses": ["192.0.2.1", ...]}

A password that the stored hash does not fit is a new one, and signs all out.

Where there are several processes, sessions and addresses stand on a shelf that all of
them have, and only the password's hash in the file: each process has its own
password, which is the same unless somebody wants it otherwise.

Guessing is bounded by address, and in all.  A right password costs nothing, and
an address that gave it once has only its own wrong ones to wait for: whoever
guesses from many places keeps out operators at new addresses only.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from math import ceil
from pathlib import Path
from typing import Final

import msgspec
from argon2 import PasswordHasher
from msgspec import Struct, structs
from twisted.internet.defer import Deferred, DeferredLock, TimeoutError  # noqa: A004
from twisted.logger import Logger

from livechat.errors import ChatError, Kind, StartError
from livechat.identity.passwords import LONGEST, Password, affordable, fits, new_hash
from livechat.interfaces import IShelf
from livechat.limits.rates import Bucket, Buckets, Rate, address_key
from livechat.system import files
from livechat.system.threads import Lane, within
from livechat.system.time import Time

_log = Logger()

#: Wrong passwords of one address, and of all together.
ATTEMPTS_OF_ONE: Final = Rate(per_second=1 / 30, burst=5)
ATTEMPTS_OF_ALL: Final = Rate(per_second=1 / 5, burst=10)
#: Browsers that are signed in at most; one more signs out the one that came first.
MOST_SESSIONS: Final = 100
#: Addresses that are remembered to have given the right password.
MOST_ADDRESSES: Final = 100
#: Bytes of the file, and of what is on the shelf: several times what they come to at most.
LARGEST: Final = 65_536
#: How often it is tried to change what others change at the same time.
_TRIES: Final = 5
#: Seconds for which writing the file is waited for.
_PATIENCE: Final = 2.0
#: RFC 9106's second choice, for less memory: 64 MiB and some 50 ms of a core.
_HASHER: Final = PasswordHasher()
#: What a token looks like: 32 bytes in base64.
TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(32)


class _State(Struct, frozen=True):
    """
    The file.

    @ivar sessions: when each ends, in seconds since 1970, by the hash of its
        token; the oldest first.
    @ivar addresses: those that gave the right password, as
        `livechat.limits.rates.address_key` has them; the last one last.
    """

    password: str = ""
    sessions: dict[str, int] = {}
    addresses: list[str] = []


class _Shared(Struct, frozen=True):
    """What is on the shelf: the same but for the password."""

    sessions: dict[str, int] = {}
    addresses: list[str] = []


class Operators:
    """
    The admin page's password and sessions.

    @ivar lasts: seconds after which a browser has to sign in again.
    """

    def __init__(
        self,
        path: Path,
        time: Time,
        *,
        hashing: Lane,
        saving: Lane,
        lasts: int,
        hasher: PasswordHasher = _HASHER,
        shelf: IShelf | None = None,
    ) -> None:
        """
        @param path: the file; it need not exist.
        @param shelf: what all processes have, if there are others.
        @param hashing: one thread, for checking passwords.
        @param saving: another one, for writing the file.
        """
        self._path = path
        self._time = time
        self._hashing = hashing
        self._saving = saving
        self._hasher = hasher
        self.lasts = lasts
        self._state = _State()
        self._shelf = shelf
        # Whether the password was changed while nobody was there to sign all out.
        self._signs_out = False
        self._of_one = Buckets(ATTEMPTS_OF_ONE)
        self._of_all = Bucket(ATTEMPTS_OF_ALL)
        # One password is looked at, and acted upon, before the next one is.
        self._checking = DeferredLock()
        # What goes on for a session, by the hash of its token: how to end it.
        self._open: dict[str, set[Callable[[], None]]] = {}

    def load(self, password: Password) -> None:
        """
        Read the file, and make it if it is missing or of another password.  Blocks.

        @raise StartError: it cannot be read or made, or the password cannot be used.
        """
        try:
            self._state = self._read()
        except FileNotFoundError:
            pass
        except ValueError as reason:
            # Nothing is lost with it but sessions.
            _log.warn(
                "{path} is damaged, all operators are signed out: {reason}",
                path=str(self._path),
                reason=str(reason),
            )
        except OSError as reason:
            raise StartError(f"--state: cannot read {self._path}: {reason.strerror}") from None
        renewed = self._new_hash(password)
        if renewed is not None:
            self._signs_out = bool(self._state.password)
            self._state = _State(renewed)
            try:
                self._write(self._state)
            except OSError as reason:
                raise StartError(f"--state: cannot write {self._path}: {reason.strerror}") from None

    def _read(self) -> _State:
        """
        The file.  Blocks.

        @raise ValueError: it is none of ours.
        """
        state = msgspec.json.decode(files.read(self._path, LARGEST), type=_State)
        if state.password and not affordable(state.password):
            # To check a password against it could take hours, or all memory.
            raise ValueError("its hash costs too much to check")
        return state

    def start(self) -> None:
        """Take passwords from now on."""
        self._hashing.start()
        self._saving.start()
        if self._shelf is not None:
            self._shelf.watch(self._changed)

    def stop(self) -> None:
        """End; what hangs is left behind."""
        self._hashing.stop()
        self._saving.stop()

    async def renew(self, find: Callable[[], Password]) -> bool:
        """
        Take another password from now on; returns whether it is a new one, which
        has signed all out.

        @param find: gets the password, and may block.
        @raise StartError: it cannot be used; the last one goes on.
        """
        renewed: bool = await self._checking.run(Deferred.fromCoroutine, self._renew(find))
        return renewed

    async def _renew(self, find: Callable[[], Password]) -> bool:
        renewed = await self._hashing.call(lambda: self._new_hash(find()))
        if renewed is None:
            return False
        self._state = structs.replace(self._state, password=renewed)
        if self._shelf is not None:
            await self._save()
        self._signs_out = True
        # If the others cannot be told now, they are when they can.
        with suppress(ChatError):
            await self._sign_all_out()
        return True

    async def _sign_all_out(self) -> None:
        # Before it is done: whoever hears of it, this process too, looks at the shelf
        # meanwhile, and would sign all out again, for ever.
        self._signs_out = False
        try:
            await self._change(lambda state: _State(state.password))
        except BaseException:
            self._signs_out = True
            raise

    async def sign_in(self, address: str, password: str) -> str:
        """
        A new session's token, for whoever knows the password.

        @param address: where they are, an IP address as text.
        @raise ChatError: the password is wrong, or too many were.
        """
        one = address_key(address)
        known = one in self._state.addresses
        self._take(one, known)
        right: bool = len(password) <= LONGEST and await self._checking.run(
            self._hashing.call, self._fits, password
        )
        if not right:
            _log.warn("{address} gave a wrong operator's password.", address=address)
            raise ChatError(Kind.WRONG_PASSWORD, "This is not the password.")
        self._of_one.refund(one)
        if not known:
            self._of_all.refund()
        token = new_token()
        await self._change(lambda state: self._added(state, _key(token), one))
        _log.info("An operator signed in from {address}.", address=address)
        return token

    def _take(self, address: str, known: bool) -> None:
        """
        Count an attempt.

        @param known: the address has given the right password before.
        @raise ChatError: it is one too many.
        """
        now = self._time.seconds()
        wait = self._of_one.admit(address, now)
        if not wait and not known:
            wait = self._of_all.admit(now)
        if wait:
            raise ChatError(
                Kind.RATE_LIMITED,
                f"Too many attempts to sign in; wait {ceil(wait)} seconds.",
                retry_after=wait,
            )

    def _added(self, state: _State, key: str, address: str) -> _State:
        """A session begins; those that are over, and one too many, end."""
        now = self._time.wall()
        before = state.sessions
        left = [other for other, end in before.items() if end > now][1 - MOST_SESSIONS :]
        known = [other for other in state.addresses if other != address]
        return _State(
            state.password,
            {**{other: before[other] for other in left}, key: int(now) + self.lasts},
            [*known[1 - MOST_ADDRESSES :], address],
        )

    async def _change(self, change: Callable[[_State], _State]) -> None:
        """
        Let there be what *change* makes of what there is, here and in other processes.

        @raise ChatError: the others cannot be told; then it is as before.
        """
        if self._shelf is None:
            self._adopt(change(self._state))
            await self._save()
            return
        for _ in range(_TRIES):
            before = await self._shelf.read()
            after = change(self._with(before))
            shared = msgspec.json.encode(_Shared(after.sessions, after.addresses))
            if await self._shelf.replace(before, shared):
                self._adopt(after)
                return
        raise ChatError(Kind.UNAVAILABLE, "Others are signing in at the same time; try again.")

    def _changed(self) -> None:
        Deferred.fromCoroutine(self._look()).addErrback(
            lambda failure: _log.failure("The operators' sessions could not be read.", failure)
        )

    async def _look(self) -> None:
        """See what other processes have put on the shelf."""
        assert self._shelf is not None
        try:
            if self._signs_out:
                await self._sign_all_out()
            else:
                self._adopt(self._with(await self._shelf.read()))
        except ChatError:
            pass  # it is told when it can be reached again

    def _with(self, shelved: bytes) -> _State:
        """What is on the shelf, and our own password."""
        try:
            shared = msgspec.json.decode(files.bounded(shelved or b"{}", LARGEST), type=_Shared)
        except ValueError:
            _log.warn("What is known of operators is damaged: all are signed out.")
            shared = _Shared()
        return _State(self._state.password, shared.sessions, shared.addresses)

    def _adopt(self, state: _State) -> None:
        """From now on it is so; what goes on for sessions that are over ends."""
        self._state = state
        for key in self._open.keys() - state.sessions.keys():
            self._end(key)

    async def look_up(self, token: str) -> bool:
        """
        Whether *token* is that of a session; of one that began in another process just now too.
        """
        if not self.lasting(token) and self._shelf is not None and TOKEN.fullmatch(token):
            await self._look()
        return self.lasting(token) > 0

    def lasting(self, token: str) -> float:
        """Seconds for which *token*'s session goes on; 0 if it is none, or over."""
        return max(0.0, self._state.sessions.get(_key(token), 0) - self._time.wall())

    async def sign_out(self, token: str) -> None:
        """End *token*'s session, and what goes on for it."""
        key = _key(token)
        if key in self._state.sessions:
            await self._change(lambda state: _without(state, key))

    @contextmanager
    def during(self, token: str, end: Callable[[], None]) -> Iterator[None]:
        """Something goes on for *token*'s session: *end* is called when the session ends first."""
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
        for end in tuple(self._open.get(key, ())):
            end()

    def _new_hash(self, password: Password) -> str | None:
        """The hash of *password*; None if it is the one of before.  Blocks."""
        return new_hash(self._hasher, self._state.password, password)

    def _fits(self, password: str) -> bool:
        """Whether it is the password.  Blocks."""
        return fits(self._hasher, self._state.password, password)

    async def _save(self) -> None:
        """Write the file.  What is in memory holds, and is answered, even if that fails."""
        try:
            await within(_PATIENCE, self._time, self._saving.call(self._write, self._state))
        except (OSError, TimeoutError) as reason:
            _log.error(
                "{path} cannot be written; a restart brings back the operators' sessions of"
                " before: {reason}",
                path=str(self._path),
                reason=str(reason),
            )

    def _write(self, state: _State) -> None:
        if self._shelf is not None:
            state = _State(state.password)
        files.write(self._path, msgspec.json.encode(state), 0o600)


def _without(state: _State, key: str) -> _State:
    sessions = {other: end for other, end in state.sessions.items() if other != key}
    return structs.replace(state, sessions=sessions)


def _key(token: str) -> str:
    return blake2b(token.encode(), person=b"livechat session", digest_size=24).hexdigest()
