"""Measures each second what nothing counts, and each minute the figures of the last day."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from livechat import __version__, metrics
from livechat.daemon.parts import Core, Transports
from livechat.net.certificates import Shown
from livechat.protocol.cluster import Condition
from livechat.system.day import EVERY, read_day, write_day
from livechat.system.process import memory
from livechat.system.threads import Threads

_log = Logger(namespace="livechat")

#: Seconds of which a process reports its greatest lag.
LAGS: Final = 10


class Disk(Struct, frozen=True):
    """Bytes of a file system: those that this user may still write, and all."""

    free: int
    size: int


class Vitals(Service):
    """Measures what the metrics show and nothing counts, and keeps the figures of the last day."""

    name = "vitals"

    def __init__(self, core: Core, members: Transports, shown: Shown) -> None:
        self._core = core
        self._members = members
        self._shown = shown
        self._time = core.time
        self._day = core.day
        self._files = Threads(core.reactor, 1, "vitals")
        self._kept: Path | None = None
        if core.config.worker:
            # Kept beside the workers' figures: the next worker of this number goes on with it.
            self._kept = Path(os.environ[metrics.SHARED], f"day.{core.config.worker}")
        self._started = core.time.wall()
        self._lags: deque[float] = deque(maxlen=LAGS)
        self._running: list[LoopingCall] = []

    def startService(self) -> None:
        super().startService()
        self._files.start()
        pulse = metrics.Pulse(self._time)
        self._begin(lambda: self._look(pulse), metrics.LOOK_EVERY)
        self._begin(lambda: Deferred.fromCoroutine(self._minute()), EVERY)
        Deferred.fromCoroutine(self._resume()).addErrback(_broken)

    def _begin(self, look: Callable[[], object], seconds: float) -> None:
        looking = LoopingCall(look)
        looking.clock = self._time
        looking.start(seconds, now=False).addErrback(_broken)
        self._running.append(looking)

    def stopService(self) -> None:
        super().stopService()
        for each in self._running:
            if each.running:
                each.stop()
        self._running.clear()
        self._files.stop()

    def condition(self) -> Condition:
        """The condition of this process, for its report."""
        return Condition(__version__, memory(), max(self._lags, default=0.0), metrics.clocks())

    def _look(self, pulse: metrics.Pulse) -> None:
        self._lags.append(pulse.measure())
        members, rooms = self._members, self._core.hub.rooms()
        metrics.measured(
            connections=len(members.connections),
            rooms=len(rooms),
            members=sum(rooms.values()),
            unsent_bytes=members.sockets.unsent() + members.feeds.unsent(),
            slow_members=len(members.backpressure),
            storing=self._core.chat.trouble() is None,
            asking=0 if self._core.site is None else self._core.site.waiting,
        )

    async def _resume(self) -> None:
        """Begin with the day of the processes before this one."""
        if self._kept is not None:
            self._day.take(await self._files.call(read_day, self._kept), self._time.wall())
        await self._measure()
        self._day.look(self._time.wall())

    async def _minute(self) -> None:
        await self._measure()
        self._day.look(self._time.wall())
        if self._kept is not None:
            await self._files.call(write_day, self._kept, self._day.minutes())

    async def _measure(self) -> None:
        """Measure the slowly changing gauges."""
        config = self._core.config
        metrics.measured(
            processes=1,
            workers=config.workers,
            connections_limit=config.max_connections,
            start_time_seconds=self._started,
            memory_bytes=memory() or 0,
        )
        if self._shown.certificate is not None:
            expires = self._shown.certificate.expires.timestamp()
            metrics.measured(certificate_expires_seconds=expires)
        try:
            disk = await self._files.call(disk_of, config.state)
        except OSError:
            return
        metrics.measured(disk_free_bytes=disk.free, disk_size_bytes=disk.size)


def disk_of(directory: Path) -> Disk:
    """
    Look at the file system of *directory*.  Blocks.

    @raise OSError: it cannot be examined.
    """
    found = os.statvfs(directory)
    return Disk(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)


def _broken(_: object) -> None:
    _log.failure("Figures are not measured any more.")
