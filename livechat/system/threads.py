"""
Threads for calls that block, on disks above all.

Such a call can hang for ever.  So nobody waits for a thread without a bound,
and threads neither keep the process alive nor are waited for at its end.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Lane(Protocol):
    """Threads that run blocking calls."""

    def start(self) -> None:
        """Take calls from now on."""

    def call(self, f: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        """Run *f* in a thread; one thread runs its calls in order."""

    def busy(self) -> bool:
        """Whether a call is under way or waits."""

    def stop(self) -> None:
        """End the threads; leave behind those that are in a call that hangs."""


class Threads:
    """A `Lane` of real threads, which do not keep the process alive."""

    def __init__(self, reactor: PosixReactorBase, count: int, name: str) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(1, count, name)
        self._pool.threadFactory = partial(Thread, daemon=True)  # type: ignore[assignment]
        self._calls = 0

    def start(self) -> None:
        self._pool.start()

    def call(self, f: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        self._calls += 1
        return deferToThreadPool(self._reactor, self._pool, f, *args, **kwargs).addBoth(self._done)

    def _done(self, result: Any) -> Any:
        self._calls -= 1
        return result

    def busy(self) -> bool:
        return self._calls > 0

    def stop(self) -> None:
        # The pool waits for its threads, and would wait for a hung disk.
        if not self.busy():
            self._pool.stop()


def within(seconds: float, clock: IReactorTime, called: Deferred[_T]) -> Deferred[_T]:
    """
    What *called* fires with, or TimeoutError after so many seconds.

    *called* itself is not given up: its thread would count as free while it hangs.
    """
    answer: Deferred[_T] = Deferred()
    called.chainDeferred(answer)
    return answer.addTimeout(seconds, clock)
