"""
The topology: which slot is at which master, and how that is found out.

Any node that is connected is asked, or one of the URL.  Nodes count what they have agreed on; the
view of one that lags behind, as of a master that was cut off, is not taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import sample
from typing import Any, Final, Protocol

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed  # noqa: A004
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat.backends.redis.address import Login
from livechat.backends.redis.cluster.slots import Place, View, masters
from livechat.backends.redis.connection import Connection, RefusedError, UnansweredError
from livechat.backends.redis.health import SLOTS, Health
from livechat.backends.redis.once import connected_to

#: Seconds between two looks at a healthy cluster, and at one with a known fault.
CALM: Final = 10.0
HURRY: Final = 0.25
#: Seconds for a node of the URL to answer.
WITHIN: Final = 3.0


async def look(connection: Connection, place: Place) -> View:
    """
    Ask a node for its view.

    @param place: of the node: it leaves out its host where it does not know it.
    @raise UnansweredError: as `Connection.command`.
    @raise RefusedError: it is in no cluster, or its answer is not understood.
    """
    try:
        told = await connection.command(b"CLUSTER", b"INFO")
        (epoch,) = [
            int(line.partition(b":")[2])
            for line in told.splitlines()
            if line.startswith(b"cluster_current_epoch:")
        ]
    except (RefusedError, ValueError):
        epoch = 0
    try:
        found = masters(await connection.command(b"CLUSTER", b"SLOTS"), place)
    except ValueError as reason:
        raise RefusedError(f"ERR {reason}") from None
    if not found:
        raise RefusedError("ERR it has no slots: the cluster is not made yet")
    return View(epoch, found)


class Seed:
    """A node of the URL."""

    def __init__(self, endpoint: IStreamClientEndpoint, clock: IReactorTime, login: Login) -> None:
        self._parts = endpoint, clock, login
        self._clock = clock

    async def ask(self, place: Place) -> tuple[View, str]:
        """
        Ask the node for its view of the cluster and its own name, "" if it has none.  Fails as
        `look`.
        """
        try:
            asked = Deferred.fromCoroutine(self._ask(place))
            return await asked.addTimeout(WITHIN, self._clock)
        except TimeoutError:
            raise UnansweredError("it does not answer", sent=True) from None

    async def _ask(self, place: Place) -> tuple[View, str]:
        async with connected_to(*self._parts) as connection:
            try:
                name = (await connection.command(b"CLUSTER", b"MYID")).decode()
            except RefusedError:
                name = ""
            return await look(connection, place), name


class Source(Protocol):
    """A connected node that can be asked."""

    @property
    def place(self) -> Place: ...
    @property
    def connection(self) -> Connection: ...


class Topology:
    """
    Finds out where slots are, again and again.

    @ivar reached: the names of nodes of the URL, and where these were reached.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        seeds: Sequence[Place],
        seed: Callable[[Place], Seed],
        *,
        connected: Callable[[], Iterable[Source]],
        adopt: Callable[[View], None],
        health: Health,
    ) -> None:
        """
        @param seeds: the hosts of the URL.
        @param connected: returns the nodes that can be asked.
        @param adopt: called with each view that is not older than the last.
        @param health: is told the reason while the topology is unknown.
        """
        self._clock = clock
        self._seeds = list(seeds)
        self._seed = seed
        self._connected = connected
        self._adopt = adopt
        self._health = health
        self.reached: dict[str, Place] = {}
        self._epoch = 0
        self._hurries = True
        self._next = float("-inf")
        self._looking: Deferred[None] | None = None
        self._timer = LoopingCall(self._tick)
        self._timer.clock = clock

    def start(self) -> None:
        self._timer.start(HURRY)

    def stop(self) -> Deferred[Any]:
        if self._timer.running:
            self._timer.stop()
        looking = self._looking
        if looking is None:
            return succeed(None)
        ended: Deferred[Any] = Deferred()
        looking.addBoth(ended.callback)
        looking.cancel()
        return ended

    def hurry(self) -> None:
        """Look soon, since a fault was seen."""
        self._hurries = True

    def _tick(self) -> None:
        if self._looking is None and (self._hurries or self._clock.seconds() >= self._next):
            self._hurries = False
            self._next = self._clock.seconds() + CALM
            self._looking = Deferred.fromCoroutine(self.refresh())
            self._looking.addErrback(self._failed)
            self._looking.addBoth(self._looked)

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._log.failure("The slots could not be read.", failure)

    def _looked(self, _: object) -> None:
        self._looking = None

    async def refresh(self) -> None:
        """Ask one after the other, until one has a view that is not an old one."""
        reasons: list[str] = []
        nodes = list(self._connected())
        for node in sample(nodes, len(nodes)):
            try:
                view = await look(node.connection, node.place)
            except (UnansweredError, RefusedError) as reason:
                reasons.append(f"{node.place}: {reason}")
            else:
                if self._take(view):
                    return
        if not nodes:
            # The cluster may be another one, or begin anew.
            self._epoch = 0
        for place in tuple(self._seeds):
            try:
                view = await self.ask_seed(place)
            except (UnansweredError, RefusedError) as reason:
                reasons.append(f"{place}: {reason}")
            else:
                if self._take(view):
                    self._seeds.remove(place)
                    self._seeds.insert(0, place)
                    return
        self._health.wrong(SLOTS, "; ".join(reasons) or "no node knows the newest of it")
        self._hurries = True

    async def ask_seed(self, place: Place) -> View:
        """Ask a node of the URL.  Fails as `look`."""
        view, name = await self._seed(place).ask(place)
        if name:
            self.reached[name] = place
        return view

    def find(self, name: str) -> Deferred[Place | None]:
        """Find the address of the node of this name by the URL; None if it leads to none."""
        return Deferred.fromCoroutine(self._find(name))

    async def _find(self, name: str) -> Place | None:
        for place in self._seeds:
            if name in self.reached:
                break
            try:
                await self.ask_seed(place)
            except (UnansweredError, RefusedError):
                continue
        return self.reached.get(name)

    def _take(self, view: View) -> bool:
        if view.epoch < self._epoch:
            return False
        self._epoch = view.epoch
        self._health.fine(SLOTS)
        self._adopt(view)
        return True
