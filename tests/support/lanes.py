"""Threads that tests run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure


class Lane:
    """A lane of threads, without threads: runs its calls at once, or when told to."""

    def __init__(self, held: bool = False) -> None:
        self.held = held
        self._waiting: list[tuple[Deferred[Any], Callable[[], Any]]] = []
        self._done: list[tuple[Deferred[Any], Any]] = []
        self.running = False

    def start(self) -> None:
        self.running = True

    def call(self, f: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Deferred[Any]:
        if not self.held:
            return maybeDeferred(f, *args, **kwargs)
        deferred: Deferred[Any] = Deferred()
        self._waiting.append((deferred, lambda: f(*args, **kwargs)))
        return deferred

    def work(self) -> None:
        """Run the waiting calls, without reporting their results yet."""
        waiting, self._waiting = self._waiting, []
        for deferred, f in waiting:
            try:
                self._done.append((deferred, f()))
            except Exception:  # noqa: BLE001
                self._done.append((deferred, Failure()))

    def step(self) -> None:
        """Run the waiting calls and report their results; calls that these add wait on."""
        self.work()
        self.tell()

    def tell(self) -> None:
        """Report the results of the calls that have run."""
        done, self._done = self._done, []
        for deferred, result in done:
            deferred.callback(result)

    def busy(self) -> bool:
        return bool(self._waiting or self._done)

    def stop(self) -> None:
        self.running = False
