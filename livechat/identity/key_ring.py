"""
The keys of the issuers that the operator trusts: those of files, and of JSON Web Key sets that are
published at addresses.

A set is fetched at the start, and every `REFRESH` seconds.  A token with an unknown key causes
another fetch, but at most one in `AGAIN` seconds, so that strangers cannot cause more.  While an
address does not answer, the last good set counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat.errors import StartError
from livechat.identity.token_keys import LARGEST, Key, fitting, keys_of_file, keys_of_json
from livechat.system.time import Time

#: Seconds until a set is fetched again.
REFRESH: Final = 600.0
#: Seconds between two fetches, if a key is unknown, or the address did not answer.
AGAIN: Final = 30.0

#: A function that fetches an address. Fails with OSError, whose text gives the reason.
Fetch = Callable[[str], Deferred[bytes]]

_log = Logger(namespace="livechat")


class KeySet:
    """
    The keys that are published at one address.

    @ivar address: the address for people, without its query.
    @ivar keys: the last good keys; None if there were none yet.
    @ivar trouble: why the last fetch failed; None if it succeeded.
    """

    def __init__(self, url: str, fetch: Fetch, time: Time, changed: Callable[[], None]) -> None:
        """@param changed: called when the keys have changed."""
        self.address = urlsplit(url)._replace(query="", fragment="").geturl()
        self.keys: Sequence[Key] | None = None
        self.trouble: str | None = "they were not fetched yet"
        self._url = url
        self._fetch = fetch
        self._time = time
        self._changed = changed
        self._digest = b""
        self._began = -AGAIN
        self._timer: IDelayedCall | None = None
        self._under_way: Deferred[None] | None = None
        self._stopped = False
        self._waiting: list[Deferred[None]] = []

    def may_get(self, kid: str | None) -> bool:
        """Tell whether another fetch of the set may bring the key of this id."""
        if self.keys is None:
            return True
        return kid is not None and all(key.kid != kid for key in self.keys)

    def stop(self) -> None:
        """Fetch no more."""
        self._stopped = True
        self._cancel_timer()
        if self._under_way is not None:
            self._under_way.cancel()

    def look_again(self) -> Deferred[None] | None:
        """
        Fetch the set; return None if that was done lately.

        Fires after the fetch, failed or not.
        """
        lately = self._time.seconds() - self._began < AGAIN
        if self._stopped or (self._under_way is None and lately):
            return None
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        self.fetch()
        return done

    def fetch(self) -> None:
        """Fetch the set.  No-op while that is under way."""
        if self._under_way is not None or self._stopped:
            return
        self._began = self._time.seconds()
        self._cancel_timer()
        self._under_way = Deferred.fromCoroutine(self._renewed())
        self._under_way.addBoth(self._done)

    async def _renewed(self) -> None:
        try:
            data = await self._fetch(self._url)
            keys = keys_of_json(data, of_others=True)
        except (OSError, ValueError) as reason:
            self._failed(str(reason))
            return
        if self.trouble is not None:
            _log.info("Keys of tokens at {at}: {count}.", count=len(keys), at=self.address)
        self.trouble = None
        digest = blake2b(data).digest()
        if digest != self._digest:
            self._digest, self.keys = digest, keys
            self._changed()

    def _failed(self, reason: str) -> None:
        if self._stopped:
            return
        if self.trouble != reason:
            stays = "" if self.keys is None else "; those of before stay in use"
            _log.error(
                "The keys of tokens at {at} cannot be fetched: {reason}{stays}.",
                at=self.address,
                reason=reason,
                stays=stays,
            )
        self.trouble = reason

    def _cancel_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _done(self, result: Failure | None) -> None:
        if result is not None and not isinstance(result.value, CancelledError):
            _log.failure("The keys at {at} met a bug.", result, at=self.address)
        self._under_way = None
        if not self._stopped:
            after = REFRESH if self.trouble is None else AGAIN
            self._timer = self._time.callLater(after, self.fetch)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)


class KeyRing:
    """
    All keys of trusted issuers.

    @ivar version: counts their changes.
    """

    def __init__(
        self, files: Sequence[Path], addresses: Sequence[str], fetch: Fetch, time: Time
    ) -> None:
        self.version = 0
        self._files = tuple(files)
        self._of_files: Sequence[Key] = ()
        self._sets = [KeySet(url, fetch, time, self._changed) for url in addresses]

    def __bool__(self) -> bool:
        """Tell whether any issuer is trusted."""
        return bool(self._files or self._sets)

    def _changed(self) -> None:
        self.version += 1

    def read(self) -> Sequence[Key]:
        """
        Read the files.  Blocks.

        @raise StartError: a file cannot be used.
        """
        found: list[Key] = []
        for path in self._files:
            try:
                with path.open("rb") as file:
                    data = file.read(LARGEST + 1)
                if len(data) > LARGEST:
                    raise ValueError(f"it has more than {LARGEST} bytes")
                found += keys_of_file(data)
            except OSError as reason:
                raise StartError(f"--token-keys: cannot read {path}: {reason.strerror}") from None
            except ValueError as reason:
                raise StartError(f"--token-keys: cannot use {path}: {reason}") from None
        return found

    def take(self, of_files: Sequence[Key]) -> None:
        """Use these keys, which `read` found, in place of those before."""
        self._of_files = of_files
        self._changed()

    def fetch(self) -> None:
        """Fetch all sets, from now on again and again."""
        for each in self._sets:
            each.fetch()

    def stop(self) -> None:
        """Fetch no more."""
        for each in self._sets:
            each.stop()

    def trouble(self) -> str | None:
        """The reason why keys are missing; None if every set was fetched once."""
        for each in self._sets:
            if each.keys is None:
                return f"the keys of tokens at {each.address} cannot be fetched: {each.trouble}"
        return None

    def fitting(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        """The keys that may have signed a token with this header."""
        every = [*self._of_files, *(key for each in self._sets for key in each.keys or ())]
        return fitting(every, kid, algorithm)

    async def look_for(self, kid: str | None) -> bool:
        """Fetch the sets that may have this key by now; return whether any keys have changed."""
        before = self.version
        looking = [each.look_again() for each in self._sets if each.may_get(kid)]
        for each in looking:
            if each is not None:
                await each
        return self.version != before
