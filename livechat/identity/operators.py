"""
Sign-in to the admin page: by the shared password, and by an operator's own name and password
(`livechat.identity.accounts`).

The shared password itself is never stored, only its argon2id hash (RFC 9106), in a file of the
state directory.  Each process reads its own file; normally all have the same password.

    operators.json    {"password": "$argon2id$..."}

Earlier versions kept sessions and addresses in it too, which are moved to the map
(`livechat.identity.sessions`).  A password that does not fit the stored hash is a new one, and ends
all sessions of the shared password.

A wrong name gets the same answer as a wrong password, after the same time: a password is checked in
either case.

Guesses are bounded by address, and in all.  A right password counts nothing, and an address that
gave one once is bounded by its own wrong ones only.  So guesses from many places can keep out
operators at new addresses only.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import Final

import msgspec
from argon2 import PasswordHasher
from msgspec import Struct
from twisted.internet.defer import Deferred, DeferredLock, TimeoutError  # noqa: A004
from twisted.logger import Logger

from livechat.errors import ChatError, Kind, StartError
from livechat.identity.accounts import SHARED, Account, Accounts, account_name
from livechat.identity.passwords import (
    LONGEST,
    Password,
    affordable,
    checked_password,
    decoy,
    fits,
    generated,
    new_hash,
)
from livechat.identity.rights import Grants
from livechat.identity.sessions import Sessions
from livechat.limits.rates import Bucket, Buckets, Rate, address_key
from livechat.protocol.counts import counted
from livechat.system import files
from livechat.system.threads import Lane, within
from livechat.system.time import Time

_log = Logger()

#: Rates of wrong passwords from an address, and from all together.
ATTEMPTS_OF_ONE: Final = Rate(per_second=1 / 30, burst=5)
ATTEMPTS_OF_ALL: Final = Rate(per_second=1 / 5, burst=10)
#: The most bytes of the file: several times its largest size, with sessions.
LARGEST: Final = 65_536
#: Seconds to wait for the file to be written.
_SAVE_WITHIN: Final = 2.0
#: RFC 9106's second choice, for less memory: 64 MiB and some 50 ms of a core.
_HASHER: Final = PasswordHasher()


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(32)


class _File(Struct, frozen=True, omit_defaults=True):
    """
    @ivar sessions: those of an earlier version: when each ends, by the hash of its token.
    @ivar addresses: those of an earlier version, which gave the right password; the last one last.
    """

    password: str = ""
    sessions: dict[str, int] = {}
    addresses: list[str] = []


class Operators:
    """
    The operators, and their sign-in.

    @ivar accounts: operators with names.
    """

    def __init__(
        self,
        path: Path,
        sessions: Sessions,
        accounts: Accounts,
        time: Time,
        *,
        hashing: Lane,
        saving: Lane,
        hasher: PasswordHasher = _HASHER,
    ) -> None:
        """
        @param path: the file; it need not exist.
        @param hashing: a single thread, for checking passwords.
        @param saving: another thread, for writing the file.
        """
        self._path = path
        self._time = time
        self._hashing = hashing
        self._saving = saving
        self._hasher = hasher
        self.sessions = sessions
        self.accounts = accounts
        self._decoy = decoy(hasher)
        self._file = _File()
        self._of_one = Buckets(ATTEMPTS_OF_ONE)
        self._of_all = Bucket(ATTEMPTS_OF_ALL)
        # A password is checked, and its result applied, before the next one.
        self._checking = DeferredLock()

    def load(self, password: Password) -> None:
        """
        Read the file, and write it if it is missing or has another password.  Blocks.

        @raise StartError: it cannot be read or made, or the password cannot be used.
        """
        self._open()
        self._settle(self._new_hash(password))

    def load_beside(self, password: Password) -> Callable[[], None]:
        """
        Load, but compare the password in a thread, which takes a fifth of a second.  The
        result ends it, and raises what `load` does.
        """
        self._open()
        thread = ThreadPoolExecutor(1, "operators")
        renewed = thread.submit(self._new_hash, password)
        thread.shutdown(wait=False)
        return lambda: self._settle(renewed.result())

    def _open(self) -> None:
        try:
            self._file = self._read()
        except FileNotFoundError:
            pass
        except ValueError as reason:
            _log.warn(
                "{path} is damaged, all operators are signed out: {reason}",
                path=str(self._path),
                reason=str(reason),
            )
        except OSError as reason:
            raise StartError(f"--state: cannot read {self._path}: {reason.strerror}") from None

    def _settle(self, renewed: str | None) -> None:
        if renewed is not None:
            if self._file.password or self.sessions.count():
                self.sessions.end_all_soon()
            self._file = _File(renewed)
            try:
                self._write(self._file)
            except OSError as reason:
                raise StartError(f"--state: cannot write {self._path}: {reason.strerror}") from None

    def _read(self) -> _File:
        """
        The file.  Blocks.

        @raise ValueError: it is not livechat's.
        """
        found = msgspec.json.decode(files.read(self._path, LARGEST), type=_File)
        if found.password and not affordable(found.password):
            # A check against such a hash could take hours, or all memory.
            raise ValueError("its hash costs too much to check")
        return found

    def start(self) -> None:
        """Take passwords from now on."""
        self._hashing.start()
        self._saving.start()
        self.sessions.settle_soon()
        if self._file.sessions or self._file.addresses:
            taken_over = self.sessions.take_over(self._file.sessions, self._file.addresses)
            taken_over.addCallback(self._forget_former)

    def _forget_former(self, _: None) -> Deferred[None]:
        self._file = _File(self._file.password)
        return Deferred.fromCoroutine(self._save())

    def stop(self) -> None:
        """Stop, and abandon threads that hang."""
        self._hashing.stop()
        self._saving.stop()

    async def renew(self, find: Callable[[], Password]) -> bool:
        """
        Replace the password; returns True for a new one, which has ended all its sessions.

        @param find: gets the password, and may block.
        @raise StartError: the new password cannot be used; the last one stays.
        """
        renewed: bool = await self._checking.run(Deferred.fromCoroutine, self._renew(find))
        return renewed

    async def _renew(self, find: Callable[[], Password]) -> bool:
        renewed = await self._hashing.call(lambda: self._new_hash(find()))
        if renewed is None:
            return False
        self._file = _File(renewed)
        await self._save()
        # If other processes cannot be told now, they will be as soon as they can.
        with suppress(ChatError):
            await self.sessions.end_all()
        return True

    async def sign_in(self, address: str, password: str, name: str = "") -> str:
        """
        Begin a session with the right password; returns its token.

        @param address: the client's IP address as text.
        @param name: an operator's; empty, or `SHARED`, for the shared password.
        @raise ChatError: the name or the password is wrong, or there were too many wrong ones.
        """
        one = address_key(address)
        known = self.sessions.knows(one)
        self._admit(one, known)
        # Browsers keep this name with a remembered shared password.
        shared = name in ("", SHARED)
        account = None if shared else self.accounts.get(name)
        right: bool = len(password) <= LONGEST and await self._checking.run(
            self._hashing.call, self._fits, password, account, shared
        )
        if account is not None and account != self.accounts.get(name):
            # The account was changed while its old password was checked.
            right = False
        if not right:
            _log.warn("{address} gave a wrong operator's password.", address=address)
            raise ChatError(
                Kind.WRONG_PASSWORD,
                "This is not the password." if shared else "This is not the name and the password.",
            )
        self._of_one.refund(one)
        if not known:
            self._of_all.refund()
        token = new_token()
        await self.sessions.begin(token, one, account)
        _log.info(
            "{who} signed in from {address}.",
            who="An operator" if account is None else f"The operator {account.name}",
            address=address,
        )
        return token

    async def put(self, name: str, grants: Grants, password: str | None) -> tuple[bool, str | None]:
        """
        Make an operator with a name, or change one, which ends their sessions.

        @param grants: as `livechat.identity.accounts.account_grants` checks them.
        @param password: None keeps the one there is, and makes one for a new operator.
        @return: whether the operator is new, and the password that was made.
        @raise ChatError: nothing was changed; or other processes cannot be told.
        """
        account_name(name)
        made = None
        if password is not None:
            checked_password(password)
        elif self.accounts.get(name) is None:
            made = password = generated()
        hashed = None
        if password is not None:
            hashed = await self._hashing.call(self._hasher.hash, password)
        return await self.accounts.put(name, grants, hashed), made

    def _admit(self, address: str, known: bool) -> None:
        """
        Count an attempt.

        @param known: the address has given the right password before.
        @raise ChatError: there were too many.
        """
        now = self._time.seconds()
        wait = self._of_one.admit(address, now)
        if not wait and not known:
            wait = self._of_all.admit(now)
        if wait:
            raise ChatError(
                Kind.RATE_LIMITED,
                f"Too many attempts to sign in; wait {counted(ceil(wait), 'second')}.",
                retry_after=wait,
            )

    def _new_hash(self, password: Password) -> str | None:
        """Return the hash of *password*; None if the password is the present one.  Blocks."""
        return new_hash(self._hasher, self._file.password, password)

    def _fits(self, password: str, account: Account | None, shared: bool) -> bool:
        """Tell whether the password is right.  Blocks, and takes as long for an unknown name."""
        if shared:
            return fits(self._hasher, self._file.password, password)
        hashed = self._decoy if account is None else account.hash
        return fits(self._hasher, hashed, password) and account is not None

    async def _save(self) -> None:
        """Write the file.  The state in memory counts even if that fails."""
        try:
            await within(_SAVE_WITHIN, self._time, self._saving.call(self._write, self._file))
        except (OSError, TimeoutError) as reason:
            _log.error(
                "{path} cannot be written, so the operators' former password counts again after a"
                " restart: {reason}",
                path=str(self._path),
                reason=str(reason),
            )

    def _write(self, file: _File) -> None:
        files.write(self._path, msgspec.json.encode(file), 0o600)
