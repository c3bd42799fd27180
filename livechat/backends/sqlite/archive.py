"""All that is in the embedded backend's file, room by room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, ParamSpec, Protocol, TypeVar

from twisted.internet.defer import Deferred
from zope.interface import implementer

from livechat.backends.sqlite.database import Database
from livechat.interfaces import IArchive
from livechat.protocol.messages import Page

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: Rooms that are listed at a time.
ROOMS: Final = 500


class Reading(Protocol):
    """Calls in threads that read, in time."""

    def reading(self, f: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        """Call *f*; fails with ``unavailable`` where that takes too long, or fails."""


@implementer(IArchive)
class SqliteArchive:
    """The archive of a `Database`."""

    def __init__(self, database: Database, threads: Reading) -> None:
        self._database = database
        self._threads = threads

    def rooms(self, cursor: str) -> Deferred[tuple[Sequence[str], str]]:
        return self._threads.reading(self._rooms, cursor)

    def _rooms(self, cursor: str) -> tuple[Sequence[str], str]:
        names = self._database.names(cursor, ROOMS)
        return names, names[-1] if len(names) == ROOMS else ""

    def read(self, room: str, after: int, limit: int) -> Deferred[Page]:
        return self._threads.reading(self._database.read, room, after, limit, hidden=True)
