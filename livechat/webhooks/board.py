"""
The board of receivers: what all processes know of them, in a shared map.

The process that tells receivers writes their states.  Any process can ask it to tell one anew.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from secrets import token_hex
from typing import Final, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from livechat.errors import ChatError, Kind
from livechat.interfaces import IBackend, ISharedMap
from livechat.protocol.receivers import MOST_RECEIVERS, ReceiverState, shown_url
from livechat.system.time import Time

#: Seconds after which an unchanged state is written again; and after which a state is too old, as
#: no process tells that receiver.
WRITE_EVERY: Final = 30.0
HOLDS: Final = 90.0
#: Seconds to wait for the answer to a request for a rewind.
ANSWERED_WITHIN: Final = 10.0
#: Entries at most: a state, a request for a rewind and its answer for each receiver, and for some
#: former ones.
_MOST: Final = 6 * MOST_RECEIVERS
_LARGEST: Final = 4_096
_STATE, _ASKED, _DONE = "state|", "asked|", "done|"


class Rewinding(Struct, frozen=True):
    """
    A request to tell a receiver anew.

    @ivar since: the time from which on entries are told anew, in milliseconds since 1970.
    """

    id: str
    since: int


class Rewound(Struct, frozen=True):
    """
    A rewind that was done.

    @ivar rooms: the number of rooms of which something is told anew.
    """

    id: str
    rooms: int


_T = TypeVar("_T")
_states: Final = msgspec.json.Decoder(ReceiverState)
_asked: Final = msgspec.json.Decoder(Rewinding)
_done: Final = msgspec.json.Decoder(Rewound)
_log = Logger(namespace="livechat")


def board_map(backend: IBackend) -> ISharedMap:
    """The map of receivers."""
    return backend.shared_map("receivers", most=_MOST, largest=_LARGEST)


class Board:
    """
    States of the receivers, and requests about them.

    @ivar receivers: their addresses, by their names.
    """

    def __init__(self, shared: ISharedMap, receivers: Mapping[str, str], time: Time) -> None:
        self.receivers = receivers
        self._shared = shared
        self._time = time
        self._watchers: list[Callable[[Collection[str]], None]] = []
        self._waiting: list[tuple[str, str, Deferred[int]]] = []
        shared.watch(self._changed)

    def watch(self, asked: Callable[[Collection[str]], None]) -> None:
        """Call *asked* with the names of receivers that are to be rewound."""
        self._watchers.append(asked)

    def states(self) -> list[ReceiverState]:
        """States of all receivers, in the order in which they were named."""
        return [self._state(name, url) for name, url in self.receivers.items()]

    def _state(self, name: str, url: str) -> ReceiverState:
        bare = ReceiverState(name, shown_url(url))
        found = self._read(_STATE + name, _states)
        if found is None:
            return bare
        if found.updated < 1000 * (self._time.wall() - HOLDS):
            return replace(found, url=bare.url, state="unknown")
        return replace(found, url=bare.url)

    async def write(self, state: ReceiverState) -> None:
        """Write the state of a receiver, if it has changed or was written long ago."""
        key = _STATE + state.receiver
        before = self._read(key, _states)
        if before is not None and replace(before, updated=state.updated) == state:
            due = before.updated + 1000 * WRITE_EVERY
            if before.updated <= state.updated < due:
                return
        # The state is written again soon.
        with suppress(ChatError):
            await self._shared.put(key, msgspec.json.encode(state))

    async def rewind(self, names: Collection[str], since: int) -> dict[str, int | None]:
        """
        Have receivers sent the entries since *since*, in milliseconds, again.

        @return: of each the number of rooms; None where no process has done it yet.
        @raise ChatError: there is no such receiver, or the request cannot be stored.
        """
        unknown = sorted(set(names).difference(self.receivers))
        if unknown:
            raise ChatError(Kind.NOT_FOUND, f"There is no receiver {unknown[0]}.")
        found: dict[str, int | None] = {}
        for name in names:
            asked = Rewinding(token_hex(8), since)
            done: Deferred[int] = Deferred()
            waiting = name, asked.id, done
            self._waiting.append(waiting)
            try:
                await self._shared.put(_ASKED + name, msgspec.json.encode(asked))
                found[name] = await self._answered(done)
            finally:
                self._waiting.remove(waiting)
        return found

    async def _answered(self, done: Deferred[int]) -> int | None:
        late = self._time.callLater(ANSWERED_WITHIN, done.callback, -1)
        rooms = await done
        if late.active():
            late.cancel()
        return None if rooms < 0 else rooms

    def asked(self, name: str) -> Rewinding | None:
        """The request to rewind a receiver that is not done yet; None without one."""
        asked, done = self._read(_ASKED + name, _asked), self._read(_DONE + name, _done)
        return None if asked is None or (done is not None and done.id == asked.id) else asked

    def round(self, name: str) -> str:
        """Name the newest rewind of a receiver; "" if there was none."""
        done = self._read(_DONE + name, _done)
        return "" if done is None else done.id

    async def rewound(self, name: str, asked: Rewinding, rooms: int) -> None:
        """
        Say that a receiver was rewound.

        @raise ChatError: it cannot be stored.
        """
        await self._shared.put(_DONE + name, msgspec.json.encode(Rewound(asked.id, rooms)))

    def _changed(self, keys: Collection[str]) -> None:
        for name, known_as, done in tuple(self._waiting):
            found = self._read(_DONE + name, _done)
            if found is not None and found.id == known_as and not done.called:
                done.callback(found.rooms)
        asked = [name for name in self.receivers if not keys or _ASKED + name in keys]
        pending = [name for name in asked if self.asked(name) is not None]
        if pending:
            for each in self._watchers:
                each(pending)

    def _read(self, key: str, decoder: msgspec.json.Decoder[_T]) -> _T | None:
        value = self._shared.get(key)
        try:
            return None if value is None else decoder.decode(value)
        except msgspec.DecodeError:
            # A later version may write another form.
            return None
