"""The embedded backend: one process, a SQLite file of rooms and one of maps, nothing to set up."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from time import monotonic, time
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from livechat.backends.alone import LoneMap, LoneMaps, LonePresenceRelay, LoneProcessRegistry
from livechat.backends.maps import MapEntry
from livechat.backends.retention import Retention
from livechat.backends.sqlite.archive import SqliteArchive
from livechat.backends.sqlite.database import Database
from livechat.backends.sqlite.health import Health
from livechat.backends.sqlite.housekeeping import Housekeeping
from livechat.backends.sqlite.maps import MapsFile
from livechat.backends.sqlite.messages import SqliteMessageLog
from livechat.backends.sqlite.outbox import SqliteOutbox
from livechat.errors import StartError
from livechat.interfaces import IBackend, IPresenceSink, ISink, Record
from livechat.protocol.cluster import Report
from livechat.system.threads import Lane, Threads

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

    from livechat.config import Config

#: Threads that read histories.
READERS: Final = 2
#: Steps of erasing at the end: 1 GB, some two seconds.
ERASE_STEPS: Final = 64

_log = Logger(namespace="livechat")


def load(config: Config, reactor: PosixReactorBase) -> SqliteBackend:
    """
    Open the embedded backend in the state directory, which is this process's from now on.

    @raise livechat.errors.StartError: the directory or its file cannot be used.
    """
    retention = Retention(config.history_limit, config.history_age, config.audit_age)
    database = Database(config.state, retention, time, monotonic)
    database.prepare()
    if database.broken is not None:
        aside, reason = database.broken
        _log.critical(
            "The database was broken ({reason}). It is {aside} now, and the rooms begin anew, "
            "without their history. To get what can still be read: sqlite3 {aside} .recover",
            reason=reason,
            aside=aside,
        )
    maps = None if config.without_maps else MapsFile(config.state)
    if maps is None:
        _log.warn(
            "Shared maps are in memory only (--without-maps): operators are signed out when this"
            " process ends."
        )
    else:
        try:
            maps.prepare(database, time())
        except StartError:
            database.release()
            raise
    return SqliteBackend(
        database,
        reactor,
        Threads(reactor, 1, "writer"),
        Threads(reactor, READERS, "reader"),
        maps,
    )


class _MapStore:
    """Maps in their file, with a health of its own: it may fail while messages are stored."""

    def __init__(self, file: MapsFile, writer: Lane, clock: IReactorTime) -> None:
        self.read = file.read
        self._file = file
        self._writer = writer
        self.health = Health(
            clock, lambda: writer.call(file.probe), self._recovered, subject="shared maps"
        )
        self.recovered: Callable[[], None] = lambda: None

    def _recovered(self) -> None:
        self.recovered()

    def write(self, name: str, entries: Mapping[str, MapEntry | None]) -> Deferred[None]:
        written = self._writer.call(self._file.write, name, entries)
        return written.addCallbacks(self._written, self._not_written)

    def _written(self, _: None) -> None:
        self.health.fine()

    def _not_written(self, failure: Failure) -> Failure:
        self.health.failed(failure.getErrorMessage())
        return failure


@implementer(IBackend)
class SqliteBackend:
    """Rooms in a `Database`, and maps in a `MapsFile`."""

    def __init__(
        self,
        database: Database,
        clock: IReactorTime,
        writer: Lane,
        readers: Lane,
        maps: MapsFile | None = None,
    ) -> None:
        """
        @param maps: the file of maps; None if maps end with the process.
        """
        self.description = f"SQLite in {database.directory}"
        self._database = database
        self._writer = writer
        self._readers = readers
        self.health = Health(clock, lambda: writer.call(database.probe))
        self._maps_file = maps
        self._map_store = None if maps is None else _MapStore(maps, writer, clock)
        self._maps = LoneMaps(database.clock.now, self._map_store, clock)
        if self._map_store is not None:
            self._map_store.recovered = self._maps.recovered
        self.outbox = SqliteOutbox(database, clock, writer=writer, readers=readers)
        self.messages = SqliteMessageLog(
            database, clock, self.health, writer=writer, readers=readers, stored=self.outbox.stored
        )
        self.archive = SqliteArchive(database, self.messages)
        self.presence = LonePresenceRelay()
        self.processes = LoneProcessRegistry(database.secret)
        self._housekeeping = Housekeeping(
            database,
            clock,
            writer,
            quiet=lambda: self.messages.quiet,
            failed=self.health.failed,
            remove_over=self._maps.remove_over,
            maps=maps,
        )
        self._stopping = False

    def start(
        self,
        sink: ISink,
        census: Callable[[], Report],
        presence: IPresenceSink | None = None,
        record: Record | None = None,
    ) -> None:
        self.processes.start(census)
        self.messages.start(sink, record)
        self._writer.start()
        self._readers.start()
        self._housekeeping.start()

    def shared_map(self, name: str, *, most: int, largest: int) -> LoneMap:
        return self._maps.get(name, most=most, largest=largest)

    def trouble(self) -> str | None:
        return self.health.trouble

    def stop(self) -> Deferred[None]:
        if self._stopping:
            return succeed(None)
        self._stopping = True
        self._housekeeping.stop()
        ended = [self.messages.stop(), self.outbox.stop()]
        return DeferredList(ended, consumeErrors=True).addCallback(self._stopped)

    def _stopped(self, _: object) -> None:
        self.health.stop()
        if self._map_store is not None:
            self._map_store.health.stop()
        if not self._writer.busy():
            self._erase()
            self._database.close()
            if self._maps_file is not None:
                self._maps_file.close()
        self._writer.stop()
        self._readers.stop()
        self._database.release()

    def _erase(self) -> None:
        """Erase the last retracted texts now, unless that takes long; a start would do it later."""
        try:
            for files in (self._database, self._maps_file):
                for _ in range(ERASE_STEPS):
                    if files is None or not (files.unerased and files.erase()):
                        break
        except (sqlite3.Error, OSError) as reason:
            _log.error("The file cannot be erased: {reason}", reason=str(reason))
