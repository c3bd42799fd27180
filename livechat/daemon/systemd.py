"""
Tells systemd how the service is (sd_notify(3)): ready, reloading, stopping, alive, and in words.

Each message is a datagram to the socket that NOTIFY_SOCKET names.  Without the variable nothing
is sent, and one that cannot be sent is no reason to serve nobody: the next one may arrive.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final, Self

from msgspec import Struct
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from livechat.limits.rates import LogLimit, Rate

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

_log = Logger(namespace="livechat")

#: Variables of the environment for this process alone.
VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
#: Seconds between two looks at the state.
LOOK_EVERY: Final = 1.0
#: Seconds by which each check prolongs the start, while the server waits for something.
PATIENCE: Final = 30.0
#: The most characters of a state in words.
LONGEST_STATUS: Final = 200
#: Rate of log lines about messages that systemd did not get.
LINES: Final = Rate(per_second=1 / 60, burst=1)


class State(Struct, frozen=True):
    """
    The state of the service.

    @ivar status: for people.
    @ivar serves: it takes messages.
    @ivar waits: it does not, but will as soon as what it waits for is there.
    """

    status: str
    serves: bool = True
    waits: bool = False


class Notifier:
    """Sends to the socket of the service manager, if there is one."""

    def __init__(self, address: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        """
        @param address: a path, or ``@`` and a name of the abstract namespace.
        """
        self._address = address
        self._clock = clock
        self._seldom = LogLimit(LINES)
        # Kept open, so that signs of life are sent when a flood has taken all descriptors.
        self._socket: socket.socket | None = None

    @property
    def on(self) -> bool:
        return bool(self._address)

    def tell(self, **fields: str | int) -> bool:
        """Send ``NAME=value`` lines; return whether they were."""
        if not self._address:
            return False
        text = "\n".join(f"{name}={value}" for name, value in fields.items())
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
            self._socket.sendto(text.encode(), address)
        except OSError as reason:
            more = self._seldom.due(self._clock())
            if more is not None:
                _log.warn(
                    "systemd cannot be told at {address}: {reason}{more}",
                    address=self._address,
                    reason=os.strerror(reason.errno) if reason.errno else str(reason),
                    more=more,
                )
            return False
        return True

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = self._address = None


class Manager(Struct, frozen=True):
    """
    The wishes of the service manager.

    @ivar notifier: how it is told.
    @ivar watchdog: seconds within which it wants a sign of life; None if it wants none.
    """

    notifier: Notifier
    watchdog: float | None = None

    @classmethod
    def of(cls, environment: MutableMapping[str, str]) -> Self:
        """Read its variables, and take them out of *environment*: they are not for children."""
        address, microseconds, process = (environment.pop(name, None) for name in VARIABLES)
        wanted = microseconds is not None and process in (None, str(os.getpid()))
        try:
            watchdog = int(microseconds or 0) / 1e6 if wanted else 0.0
        except ValueError:
            watchdog = 0.0
        return cls(Notifier(address), watchdog if watchdog > 0 else None)


class Systemd(Service):
    """
    Tells the service manager of changes, and that the service is alive.  It starts first and
    stops last: systemd is to hear of it while it drains.
    """

    name = "systemd"

    def __init__(
        self,
        reactor: PosixReactorBase,
        manager: Manager,
        state: Callable[[], State],
        alive: Callable[[], Deferred[Any]],
    ) -> None:
        """
        @param alive: asks all parts that must not stand still; its result fires, with any value,
            once they have answered.
        """
        self._reactor = reactor
        self._notifier = manager.notifier
        self._watchdog = manager.watchdog
        self._state = state
        self._alive = alive
        self._ready = self._stopping = self._asking = False
        self._said = ""
        self._calls: list[LoopingCall] = []

    def startService(self) -> None:
        super().startService()
        if self._notifier.on:
            # Nobody is served before the reactor runs.
            self._reactor.callWhenRunning(self._begin)

    def _begin(self) -> None:
        if not self.running:
            return
        self._every(LOOK_EVERY, self.look)
        if self._watchdog is not None:
            self._every(self._watchdog / 2, self._sign)

    def _every(self, seconds: float, act: Callable[[], None]) -> None:
        call = LoopingCall(act)
        call.clock = self._reactor
        self._calls.append(call)
        call.start(seconds).addErrback(
            lambda failure: _log.failure("systemd is not told any more.", failure)
        )

    def stopService(self) -> None:
        super().stopService()
        for call in self._calls:
            if call.running:
                call.stop()
        self._notifier.close()

    def look(self) -> None:
        """Tell systemd what has changed."""
        if self._stopping:
            return
        state = self._state()
        status = state.status[:LONGEST_STATUS]
        if not self._ready and state.serves:
            self._ready = self._notifier.tell(READY=1, STATUS=status)
        elif not self._ready and state.waits:
            self._notifier.tell(EXTEND_TIMEOUT_USEC=round(PATIENCE * 1e6), STATUS=status)
        elif status != self._said:
            self._notifier.tell(STATUS=status)
        self._said = status

    def renewing(self, begins: bool) -> None:
        """The service begins to read its files again, or has read them."""
        if not self._ready or self._stopping:
            return
        if begins:
            now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
            self._notifier.tell(RELOADING=1, MONOTONIC_USEC=now)
        else:
            self._notifier.tell(READY=1)

    def stopping(self, seconds: float) -> None:
        """
        The service is about to end.

        @param seconds: by how much that takes longer than usual.
        """
        self._stopping = True
        more = {"EXTEND_TIMEOUT_USEC": round((seconds + PATIENCE) * 1e6)} if seconds else {}
        self._notifier.tell(STOPPING=1, STATUS="Stopping: clients are told to come back.", **more)

    def _sign(self) -> None:
        """Send a sign of life once all parts have answered."""
        if self._asking:
            # The last question has no answer yet, so no sign of life is due.
            return
        self._asking = True
        self._alive().addBoth(self._lives)

    def _lives(self, _: object) -> None:
        self._asking = False
        if self.running:
            self._notifier.tell(WATCHDOG=1)
