"""The embedded backend: one process, one SQLite file, nothing to set up."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, time
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from livechat.backends.alone import LonePresenceRelay, LoneProcessRegistry
from livechat.backends.retention import Retention
from livechat.backends.sqlite.database import Store
from livechat.backends.sqlite.health import Health
from livechat.backends.sqlite.housekeeping import Housekeeping
from livechat.backends.sqlite.messages import SqliteMessageLog
from livechat.interfaces import IBackend, IPresenceSink, ISink
from livechat.protocol.cluster import Report
from livechat.system.threads import Lane, Threads

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

    from livechat.config import Config

#: Threads that read histories.
READERS: Final = 2

_log = Logger(namespace="livechat")


def load(config: Config, reactor: PosixReactorBase) -> SqliteBackend:
    """
    Open the embedded backend in the state directory, which is this process's from now on.

    @raise livechat.errors.StartError: the directory or its file cannot be used.
    """
    retention = Retention(config.history_limit, config.history_age)
    store = Store(config.state, retention, time, monotonic)
    store.prepare()
    if store.broken is not None:
        aside, reason = store.broken
        _log.critical(
            "The database was broken ({reason}). It is {aside} now, and the rooms begin anew, "
            "without what was said. What can be had of it: sqlite3 {aside} .recover",
            reason=reason,
            aside=aside,
        )
    return SqliteBackend(
        store, reactor, Threads(reactor, 1, "writer"), Threads(reactor, READERS, "reader")
    )


@implementer(IBackend)
class SqliteBackend:
    """Rooms in a `Store`."""

    def __init__(self, store: Store, clock: IReactorTime, writer: Lane, readers: Lane) -> None:
        self.description = f"SQLite in {store.directory}"
        self._store = store
        self._writer = writer
        self._readers = readers
        self.health = Health(clock, lambda: writer.call(self._store.probe))
        self.messages = SqliteMessageLog(store, clock, self.health, writer=writer, readers=readers)
        self.presence = LonePresenceRelay()
        self.processes = LoneProcessRegistry(store.secret)
        self._housekeeping = Housekeeping(
            store,
            clock,
            writer,
            quiet=lambda: self.messages.quiet,
            failed=self.health.failed,
        )
        self._stopping = False

    def start(
        self, sink: ISink, census: Callable[[], Report], presence: IPresenceSink | None = None
    ) -> None:
        self.processes.start(census)
        self.messages.start(sink)
        self._writer.start()
        self._readers.start()
        self._housekeeping.start()

    def shelf(self, name: str) -> None:
        """None: nobody else is there."""

    def trouble(self) -> str | None:
        return self.health.trouble

    def stop(self) -> Deferred[None]:
        if self._stopping:
            return succeed(None)
        self._stopping = True
        self._housekeeping.stop()
        return self.messages.stop().addBoth(self._stopped)

    def _stopped(self, _: object) -> None:
        self.health.stop()
        if not self._writer.busy():
            self._store.close()
        self._writer.stop()
        self._readers.stop()
        self._store.release()
