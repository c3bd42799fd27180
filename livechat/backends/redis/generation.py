"""
Generations: the part of every room's epoch that ends when Redis has lost messages.

A room's own numbering is known by its word, which is made with it.  A Redis that went
back to an earlier state, after a failover to a replica that lagged or a restart without
the last writes, still has the words: then numbers are given again under the same word.
The first process that notices begins a new generation by compare-and-set, and all
processes adopt it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from typing import Final

from livechat.backends.redis.connection import Commands, RefusedError, Script, UnansweredError
from livechat.backends.redis.keys import Keys

RENEW: Final = Script("renew")
#: Prefix of an imported room's word, before generation and epoch; no other word has it.
_BROUGHT: Final = b"="
#: Prefix of news of a generation on the control channel.
_NEWS: Final = b"generation"


class Generation:
    """
    The generation that a process believes in.

    @ivar name: a random word; empty until Redis was asked.
    """

    def __init__(self, connection: Commands, keys: Keys, began: Callable[[], None]) -> None:
        """
        @param began: called when another generation takes the place of a known one.
        """
        self.name = b""
        self._connection = connection
        self._keys = keys
        self._began = began

    def epoch(self, room: str, word: bytes) -> str:
        """
        Name a numbering of *room*.  Two numberings never share an epoch.

        @param word: the numbering's; empty for one that is older than words.
        """
        return epoch_of(self.name, room, word)

    def brought(self, epoch: bytes) -> bytes:
        """Return the word of a numbering that has *epoch* as long as this generation lasts."""
        return _brought(self.name) + epoch

    async def refresh(self) -> None:
        """
        Adopt the generation that Redis has.  A Redis that has lost it gets it back: its
        rooms have other words then.

        @raise UnansweredError: as `Commands.command`.
        @raise RefusedError: as `Commands.command`.
        """
        found: bytes = await self._connection.command(b"GET", self._keys.generation) or b""
        self._adopt(found or await self._renew(b"", self.name or _new()))

    async def refresh_if_possible(self) -> None:
        with suppress(UnansweredError, RefusedError):
            await self.refresh()

    async def begin_anew(self) -> None:
        """Redis has lost messages that somebody has seen.  Fails as `refresh`."""
        self._adopt(await self._renew(self.name, _new()))

    async def _renew(self, before: bytes, after: bytes) -> bytes:
        keys = [self._keys.generation, self._keys.control]
        found: bytes = await self._connection.call(RENEW, keys, [before, after])
        return found

    def hear(self, news: bytes) -> None:
        """Hear *news* of the control channel, of whatever they are."""
        word, _, name = news.partition(b" ")
        if word == _NEWS and name:
            self._adopt(name)

    def _adopt(self, name: bytes) -> None:
        if name != self.name:
            before, self.name = self.name, name
            if before:
                self._began()


def _new() -> bytes:
    return secrets.token_urlsafe(12).encode()


def epoch_of(generation: bytes, room: str, word: bytes) -> str:
    """Name a numbering as `Generation.epoch` does, of a generation that may be over."""
    brought = _brought(generation)
    if word.startswith(brought):
        return word.removeprefix(brought).decode()
    named = room.encode() + (b"\0" + word if word else b"")
    return blake2b(named, key=generation, digest_size=8).hexdigest()


def _brought(generation: bytes) -> bytes:
    return _BROUGHT + generation + _BROUGHT
