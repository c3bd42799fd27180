"""
Threads for calls that block, on disks above all.

Such a call can hang for ever.  So nobody waits for a thread without a bound,
and threads neither keep the process alive nor are waited for at its end.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: Bytes that are read from a pipe at a time; each stands for a result.
_RINGS: Final = 4_096


class Lane(Protocol):
    """Threads that run blocking calls."""

    def start(self) -> None:
        """Take calls from now on."""

    def call(self, f: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        """Run *f* in a thread; one thread runs its calls in order."""

    def busy(self) -> bool:
        """True while a call is under way or waits."""

    def stop(self) -> None:
        """End the threads; leave behind those that are in a call that hangs."""


class _Call(NamedTuple):
    """A call, and its answer."""

    run: Callable[[], Any]
    answer: Deferred[Any]


@implementer(IReadDescriptor)
class _Results:
    """
    Results on their way from threads to the reactor's.

    A pipe wakes the reactor.  Its own `callFromThread` would take another turn, and more Python.
    """

    def __init__(self, reactor: PosixReactorBase) -> None:
        self._reactor = reactor
        self._queue: deque[tuple[Deferred[Any], Any]] = deque()
        self._heard, self._bell = os.pipe()
        for end in (self._heard, self._bell):
            os.set_blocking(end, False)
        self._left = False
        reactor.addReader(self)

    def put(self, answer: Deferred[Any], result: Any) -> None:
        """Have *answer* fire with *result* in the reactor's thread; called in any."""
        self._queue.append((answer, result))
        if self._left:
            self._reactor.callFromThread(self._tell)
            return
        try:  # noqa: SIM105 - costs a quarter of a `suppress`
            os.write(self._bell, b"!")
        except BlockingIOError:
            pass  # it has rung often enough

    def fileno(self) -> int:
        return self._heard

    def doRead(self) -> None:
        try:
            os.read(self._heard, _RINGS)
        except BlockingIOError:
            return
        self._tell()

    def _tell(self) -> None:
        for _ in range(len(self._queue)):
            answer, result = self._queue.popleft()
            answer.callback(result)

    def leave(self) -> None:
        """Leave the reactor; further results come by `callFromThread`."""
        self._left = True
        self._reactor.removeReader(self)
        # The pipe may have woken the reactor for these already.
        self._reactor.callFromThread(self._tell)

    def close(self) -> None:
        """End the queue: nothing is put any more."""
        if not self._left:
            self._reactor.removeReader(self)
        os.close(self._heard)
        os.close(self._bell)

    def logPrefix(self) -> str:
        return "threads"

    def connectionLost(self, reason: Failure) -> None:
        """No-op: the reactor stops.  The pipe stays, for threads in calls that hang."""


class Threads:
    """
    A `Lane` of real threads, which do not keep the process alive.

    Twisted's pool would do, but handing a call over and back costs it twice as much: that is a
    good part of what a lone message costs.
    """

    def __init__(self, reactor: PosixReactorBase, count: int, name: str) -> None:
        """
        @param count: most threads; they are started as calls need them.
        """
        self._reactor = reactor
        self._count = count
        self._name = name
        # None ends a thread.
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._results: _Results | None = None
        self._threads: list[Thread] = []
        self._under_way = 0
        self._stopping = False

    def start(self) -> None:
        self._results = _Results(self._reactor)
        self._start_threads()

    def call(self, f: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        self._under_way += 1
        answer: Deferred[_T] = Deferred()
        self._calls.put(_Call(partial(f, *args, **kwargs), answer))
        if len(self._threads) < self._count:
            self._start_threads()
        return answer.addBoth(self._done)

    def _start_threads(self) -> None:
        """Start a thread for each call, up to the bound; none before `start`."""
        while self._results is not None and len(self._threads) < min(self._under_way, self._count):
            name = f"{self._name}-{len(self._threads)}"
            thread = Thread(target=self._work, args=(self._results,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self, results: _Results) -> None:
        while self._run(results):
            pass

    def _run(self, results: _Results) -> bool:
        """Run the next call; return whether to go on."""
        # A method of its own, whose variables keep nothing of a call until the next one.
        call = self._calls.get()
        if call is None:
            return False
        try:
            result = call.run()
        except BaseException:  # noqa: BLE001 - whatever it is, whoever waits for it is told
            result = Failure()  # type: ignore[no-untyped-call]
        results.put(call.answer, result)
        return True

    def _done(self, result: Any) -> Any:
        self._under_way -= 1
        if self._stopping and not self._under_way:
            self._end()
        return result

    def busy(self) -> bool:
        return self._under_way > 0

    def stop(self) -> None:
        if self._results is None or self._stopping:
            return
        self._stopping = True
        if self._under_way:
            # Threads are not joined, as they may wait for a hung disk.
            self._results.leave()
        else:
            self._end()

    def _end(self) -> None:
        """End the threads, of which none is in a call."""
        assert self._results is not None
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        self._results.close()
        self._results, self._stopping = None, False


def within(seconds: float, clock: IReactorTime, called: Deferred[_T]) -> Deferred[_T]:
    """
    Fire as *called* does, or with TimeoutError after so many seconds.

    *called* itself is not given up: its thread would count as free while it hangs.
    """
    answer: Deferred[_T] = Deferred()
    called.chainDeferred(answer)
    return answer.addTimeout(seconds, clock)
