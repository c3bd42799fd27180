"""
A queue for something of which only so much can be done at a time, shared fairly.

Things have owners.  The owners take turns, and none of them has more than a part of what is being
done, or of the room to wait.  So an owner with very many things delays its own.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")


class Bounds(Struct, frozen=True):
    """
    The most things of all owners, and of one.

    @ivar running: that are being done.
    @ivar waiting: that wait.
    """

    running: int
    waiting: int
    running_of_one: int
    waiting_of_one: int


class FairQueue(Generic[T]):
    """
    The queue; its length is how many things wait.

    @ivar running: how many are being done.
    """

    def __init__(self, bounds: Bounds, start: Callable[[str, T], None]) -> None:
        """
        @param start: begins a task of an owner; `done` must follow.
        """
        self.running = 0
        self._bounds = bounds
        self._start = start
        self._waiting = 0
        self._running_of: Counter[str] = Counter()
        self._things: dict[str, deque[T]] = {}
        # Owners whose next task may begin; the first one's turn comes next.
        self._ready: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return self._waiting

    def put(self, owner: str, thing: T) -> bool:
        """Begin *thing*, or let it wait; return False if there is no room for it."""
        things = self._things.get(owner)
        if things is None and self._may_begin(owner):
            self._begin(owner, thing)
            return True
        if self._waiting >= self._bounds.waiting:
            return False
        if things is None:
            things = self._things[owner] = deque()
        elif len(things) >= self._bounds.waiting_of_one:
            return False
        things.append(thing)
        self._waiting += 1
        if self._running_of[owner] < self._bounds.running_of_one:
            self._ready.setdefault(owner)
        return True

    def _may_begin(self, owner: str) -> bool:
        return (
            self.running < self._bounds.running
            and self._running_of[owner] < self._bounds.running_of_one
        )

    def done(self, owner: str) -> None:
        """A thing of *owner* is done: begin others."""
        self.running -= 1
        self._running_of[owner] -= 1
        if not self._running_of[owner]:
            del self._running_of[owner]
        if owner in self._things:
            self._ready.setdefault(owner)
        self._go_on()

    def _go_on(self) -> None:
        while self._ready and self.running < self._bounds.running:
            owner, _ = self._ready.popitem(last=False)
            things = self._things[owner]
            thing = things.popleft()
            self._waiting -= 1
            if not things:
                del self._things[owner]
            elif self._running_of[owner] + 1 < self._bounds.running_of_one:
                self._ready[owner] = None
            self._begin(owner, thing)

    def _begin(self, owner: str, thing: T) -> None:
        self.running += 1
        self._running_of[owner] += 1
        self._start(owner, thing)

    def clear(self) -> list[T]:
        """Take out all that waits, and return it."""
        left = [each for things in self._things.values() for each in things]
        self._things.clear()
        self._ready.clear()
        self._waiting = 0
        return left
