"""
Sign-in to the admin page: by the shared password, and by an operator's own name and password
(`livechat.identity.accounts`).

The shared password is never kept, only its argon2id hash (RFC 9106), in a file of the state
directory: each process has its own, which is the same unless somebody wants it otherwise.

    operators.json    {"password": "$argon2id$..."}

Versions before kept sessions and addresses there too, which are taken over from it
(`livechat.identity.sessions`).  A password that the stored hash does not fit is a new one, and
signs out all that used it.

A wrong name is refused as a wrong password is: with the same words, and after as long, because
a password is checked in either case.

Guessing is bounded by address, and in all.  A right password costs nothing, and
an address that gave one once has only its own wrong ones to wait for: whoever
guesses from many places keeps out operators at new addresses only.
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

#: Wrong passwords of one address, and of all together.
ATTEMPTS_OF_ONE: Final = Rate(per_second=1 / 30, burst=5)
ATTEMPTS_OF_ALL: Final = Rate(per_second=1 / 5, burst=10)
#: Bytes of the file: several times what it came to at most, with its sessions.
LARGEST: Final = 65_536
#: Seconds for which writing the file is waited for.
_SAVE_WITHIN: Final = 2.0
#: RFC 9106's second choice, for less memory: 64 MiB and some 50 ms of a core.
_HASHER: Final = PasswordHasher()


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(32)


class _File(Struct, frozen=True, omit_defaults=True):
    """
    @ivar sessions: those of a version before: when each ends, by the hash of its token.
    @ivar addresses: those of a version before that gave the right password; the last one last.
    """

    password: str = ""
    sessions: dict[str, int] = {}
    addresses: list[str] = []


class Operators:
    """
    The operators, and their way in.

    @ivar accounts: those with a name.
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
        @param hashing: one thread, for checking passwords.
        @param saving: another one, for writing the file.
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
        # One password is looked at, and acted upon, before the next one is.
        self._checking = DeferredLock()

    def load(self, password: Password) -> None:
        """
        Read the file, and make it if it is missing or of another password.  Blocks.

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

        @raise ValueError: it is none of ours.
        """
        found = msgspec.json.decode(files.read(self._path, LARGEST), type=_File)
        if found.password and not affordable(found.password):
            # To check a password against it could take hours, or all memory.
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
        self._file = _File(renewed)
        await self._save()
        # If the others cannot be told now, they are when they can.
        with suppress(ChatError):
            await self.sessions.end_all()
        return True

    async def sign_in(self, address: str, password: str, name: str = "") -> str:
        """
        A new session's token, for whoever knows the password.

        @param address: where they are, an IP address as text.
        @param name: an operator's; empty, or `SHARED`, for the shared password.
        @raise ChatError: the name or the password is wrong, or too many were.
        """
        one = address_key(address)
        known = self.sessions.knows(one)
        self._admit(one, known)
        # Browsers that remember the shared password have kept that name with it.
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
        @raise ChatError: nothing was changed; or others cannot be told.
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
        @raise ChatError: it is one too many.
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
        """The hash of *password*; None if it is the one of before.  Blocks."""
        return new_hash(self._hasher, self._file.password, password)

    def _fits(self, password: str, account: Account | None, shared: bool) -> bool:
        """Tell whether it is the password.  Blocks, as long for a name that there is not."""
        if shared:
            return fits(self._hasher, self._file.password, password)
        hashed = self._decoy if account is None else account.hash
        return fits(self._hasher, hashed, password) and account is not None

    async def _save(self) -> None:
        """Write the file.  What is in memory holds, and is answered, even if that fails."""
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
