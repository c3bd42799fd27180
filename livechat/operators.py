"""
Who may use the admin page: one password, and the browsers signed in with it.

The password is never kept, only its argon2id hash (RFC 9106).  A browser that
knew it gets a random token; what is kept of that is its hash too.  Both stand
in one file of the state directory, so that a restart signs nobody out, and
whoever can read the file can do nothing with it:

    operators.json    {"password": "$argon2id$...", "sessions": {"hash": expiry, ...}}

A password that the stored hash does not fit is a new one, and signs all out.

Guessing is bounded by address, and in all.  A right password costs nothing, and
an address that gave it once has only its own wrong ones to wait for: so who
guesses from many places keeps no operator out.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from hashlib import blake2b
from math import ceil
from pathlib import Path
from typing import Final

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from msgspec import Struct, structs
from twisted.internet.defer import Deferred, DeferredLock, TimeoutError  # noqa: A004
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from livechat import files
from livechat.errors import ChatError, Kind, StartError
from livechat.limits import Buckets, Rate, address_key
from livechat.threads import Lane, within

_log = Logger()

#: Wrong passwords of one address, and of all together.
ATTEMPTS_OF_ONE: Final = Rate(per_second=1 / 30, burst=5)
ATTEMPTS_OF_ALL: Final = Rate(per_second=1 / 5, burst=10)
#: Browsers that are signed in at most; one more signs out who came first.
MOST_SESSIONS: Final = 100
#: Characters of a password.
SHORTEST: Final = 8
LONGEST: Final = 1_024
#: RFC 9106's second choice, for less memory: 64 MiB and some 50 ms of a core.
_HASHER: Final = PasswordHasher()
#: Seconds for which writing the file is waited for.
_PATIENCE: Final = 2.0
#: How a hash that is given in place of a password begins.
_HASH: Final = "$argon2id$"
#: Letters that cannot be mistaken for each other, five bits each.
_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"
#: The key of the bucket of all addresses together.
_ALL: Final = "all"


class Password(Struct, frozen=True):
    """
    The password that was set.

    @ivar text: itself, or its argon2id hash in the form that begins with ``$argon2id$``.
    @ivar source: where it is from, as the log says it.
    """

    text: str
    source: str


class _State(Struct, frozen=True):
    """
    The file.

    @ivar sessions: when each ends, in seconds since 1970, by the hash of its
        token; who came first stands first.
    @ivar addresses: those that gave the right password, the last one last.
    """

    password: str = ""
    sessions: dict[str, int] = {}
    addresses: list[str] = []


class Operators:
    """The admin page's password and sessions."""

    def __init__(
        self,
        path: Path,
        clock: IReactorTime,
        now: Callable[[], float],
        hashing: Lane,
        saving: Lane,
        *,
        lasts: int,
        hasher: PasswordHasher = _HASHER,
    ) -> None:
        """
        @param path: the file; it need not exist.
        @param now: the time in seconds since 1970, UTC.
        @param hashing: one thread, for checking passwords.
        @param saving: another one, for writing the file.
        @param lasts: seconds after which a browser has to sign in again.
        """
        self._path = path
        self._clock = clock
        self._now = now
        self._hashing = hashing
        self._saving = saving
        self._hasher = hasher
        self.lasts = lasts
        self._state = _State()
        self._of_one = Buckets(ATTEMPTS_OF_ONE)
        self._of_all = Buckets(ATTEMPTS_OF_ALL)
        # One password is looked at, and acted upon, before the next one is.
        self._checking = DeferredLock()
        # What goes on for a session, by the hash of its token, and how to end it.
        self._open: dict[str, set[Callable[[], None]]] = {}

    def load(self, password: Password) -> None:
        """
        Read the file, and make it if it is missing or of another password.  Blocks.

        @raise StartError: it cannot be read or made, or the password cannot be used.
        """
        try:
            self._state = msgspec.json.decode(self._path.read_bytes(), type=_State)
        except FileNotFoundError:
            pass
        except (msgspec.DecodeError, UnicodeDecodeError) as reason:
            # Nothing is lost with it but sessions.
            _log.warn(
                "{path} is damaged, all operators are signed out: {reason}",
                path=str(self._path),
                reason=str(reason),
            )
        except OSError as reason:
            raise StartError(f"--state: cannot read {self._path}: {reason.strerror}") from None
        renewed = self._renewed(password)
        if renewed is not None:
            self._state = _State(renewed)
            try:
                self._write(self._state)
            except OSError as reason:
                raise StartError(f"--state: cannot write {self._path}: {reason.strerror}") from None

    def start(self) -> None:
        """Take passwords from now on."""
        self._hashing.start()
        self._saving.start()

    def stop(self) -> None:
        """End; what hangs is left behind."""
        self._hashing.stop()
        self._saving.stop()

    async def renew(self, password: Password) -> bool:
        """
        Take *password* from now on; returns whether it is a new one, which has
        signed all out.

        @raise StartError: it cannot be used; the last one goes on.
        """
        renewed: bool = await self._checking.run(Deferred.fromCoroutine, self._renew(password))
        return renewed

    async def _renew(self, password: Password) -> bool:
        renewed = await self._hashing.call(self._renewed, password)
        if renewed is None:
            return False
        self._state = _State(renewed)
        for key in tuple(self._open):
            self._end(key)
        await self._save()
        return True

    async def sign_in(self, address: str, password: str) -> str:
        """
        A new session's token, for who knows the password.

        @param address: where it comes from, an IP address as text.
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
        self._of_one.give_back(one)
        if not known:
            self._of_all.give_back(_ALL)
        token = secrets.token_urlsafe(32)
        self._add(_key(token), one)
        _log.info("An operator signed in from {address}.", address=address)
        await self._save()
        return token

    def _take(self, address: str, known: bool) -> None:
        """
        Count an attempt.

        @param known: the address has given the right password before.

        @raise ChatError: it is one too many.
        """
        now = self._clock.seconds()
        wait = self._of_one.take(address, now)
        if not wait and not known:
            wait = self._of_all.take(_ALL, now)
        if wait:
            raise ChatError(
                Kind.RATE_LIMITED,
                f"Too many attempts to sign in; wait {ceil(wait)} seconds.",
                retry_after=wait,
            )

    def _add(self, key: str, address: str) -> None:
        """A session begins; those that are over, and one too many, end."""
        now = self._now()
        before = self._state.sessions
        over = [other for other, end in before.items() if end <= now]
        left = [other for other in before if other not in over]
        for other in (*over, *left[: max(0, len(left) - MOST_SESSIONS + 1)]):
            self._end(other)
        kept = {other: before[other] for other in left[-(MOST_SESSIONS - 1) :]}
        known = [other for other in self._state.addresses if other != address]
        self._state = _State(
            self._state.password,
            {**kept, key: int(now) + self.lasts},
            [*known[-(MOST_SESSIONS - 1) :], address],
        )

    def lasting(self, token: str) -> float:
        """Seconds for which *token*'s session goes on; 0 if it is none, or over."""
        return max(0.0, self._state.sessions.get(_key(token), 0) - self._now())

    async def sign_out(self, token: str) -> None:
        """End *token*'s session, and what goes on for it."""
        key = _key(token)
        if key in self._state.sessions:
            sessions = {other: end for other, end in self._state.sessions.items() if other != key}
            self._state = structs.replace(self._state, sessions=sessions)
            self._end(key)
            await self._save()

    def begin(self, token: str, end: Callable[[], None]) -> None:
        """Something goes on for *token*'s session: *end* is called when the session ends early."""
        self._open.setdefault(_key(token), set()).add(end)

    def done(self, token: str, end: Callable[[], None]) -> None:
        """It has ended by itself."""
        key = _key(token)
        ends = self._open.get(key, set())
        ends.discard(end)
        if not ends:
            self._open.pop(key, None)

    def _end(self, key: str) -> None:
        for end in tuple(self._open.get(key, ())):
            end()

    def _renewed(self, password: Password) -> str | None:
        """The hash of *password*; None if it is that of before.  Blocks."""
        text = password.text
        if not text.startswith(_HASH):
            return None if self._fits(text) else self._hasher.hash(text)
        try:
            self._hasher.verify(text, "")
        except VerifyMismatchError:
            pass
        except (VerificationError, InvalidHashError):
            raise StartError(f"{password.source}: this is not a valid argon2id hash") from None
        return None if same(self._state.password, text) else text

    def _fits(self, password: str) -> bool:
        """Whether it is the password.  Blocks."""
        try:
            return self._hasher.verify(self._state.password, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _save(self) -> None:
        """Write the file.  What is in memory holds, and is answered, even if that fails."""
        try:
            await within(_PATIENCE, self._clock, self._saving.call(self._write, self._state))
        except (OSError, TimeoutError) as reason:
            _log.error(
                "{path} cannot be written; a restart brings back the operators' sessions of"
                " before: {reason}",
                path=str(self._path),
                reason=str(reason),
            )

    def _write(self, state: _State) -> None:
        files.write(self._path, msgspec.json.encode(state), 0o600)


def form_token(cookie: str) -> str:
    """
    What a form of a page must carry to be believed, if *cookie* is what the page
    was asked with (a signed double submit cookie, as OWASP calls it): another site
    can make a browser send the cookie, but knows neither it nor what follows from it.
    """
    return blake2b(cookie.encode(), person=b"livechat form", digest_size=24).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two secrets are the same, in a time that does not tell where they differ."""
    return secrets.compare_digest(one.encode(), other.encode())


def find_password(text: str | None, path: Path | None, generated: Path) -> Password:
    """
    The password, from the first of: *text*, the file *path*, the file *generated*,
    which is made if it is missing.

    @raise StartError: a file cannot be read or made, or it is no password.
    """
    if text is not None:
        return Password(_usable(text, "LIVECHAT_ADMIN_PASSWORD"), "LIVECHAT_ADMIN_PASSWORD")
    if path is None:
        path = generated
        if not path.exists():
            _generate(path)
    try:
        found = path.read_text(encoding="utf-8")
        if path.stat().st_mode & 0o007:
            _log.warn(
                "{path} holds a password, and everybody on this machine can read it.",
                path=str(path),
            )
    except UnicodeDecodeError:
        raise StartError(f"--admin-password-file: {path} is not UTF-8") from None
    except OSError as reason:
        raise StartError(f"--admin-password-file: cannot read {path}: {reason.strerror}") from None
    return Password(_usable(found, f"--admin-password-file: {path}"), str(path))


def _generate(path: Path) -> None:
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(5))
    try:
        files.write(path, ("-".join(groups) + "\n").encode(), 0o600)
    except OSError as reason:
        raise StartError(f"--state: cannot write {path}: {reason.strerror}") from None


def _usable(text: str, source: str) -> str:
    password = text.rstrip("\r\n")
    try:
        password.encode()
    except UnicodeEncodeError:
        raise StartError(f"{source}: this is not UTF-8") from None
    if not SHORTEST <= len(password) <= LONGEST or "\n" in password:
        raise StartError(f"{source}: a password is one line of {SHORTEST} to {LONGEST} characters")
    return password


def _key(token: str) -> str:
    return blake2b(token.encode(), person=b"livechat session", digest_size=24).hexdigest()
