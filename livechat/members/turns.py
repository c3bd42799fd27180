"""Work of many members for the reactor's next turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.internet.interfaces import IReactorTime

_T = TypeVar("_T")


class NextTurn(Generic[_T]):
    """
    Calls a function with each member that was added, in the reactor's next turn.

    There is one delayed call for all of them.  A member that is added in that turn has to wait
    for the one after it, so nobody takes two turns while others wait.
    """

    def __init__(
        self, clock: IReactorTime, call: Callable[[_T], None], failed: Callable[[_T], None]
    ) -> None:
        """
        @param failed: called in the handler of an exception that *call* raised; must log it.
        """
        self._clock = clock
        self._call = call
        self._failed = failed
        self._members: list[_T] = []

    def add(self, member: _T) -> None:
        """Call with *member* in the next turn, once for each time that it was added."""
        if not self._members:
            self._clock.callLater(0, self._run)
        self._members.append(member)

    def _run(self) -> None:
        members, self._members = self._members, []
        for member in members:
            try:
                self._call(member)
            except Exception:  # noqa: BLE001 - whatever it is, the others have their turns
                self._failed(member)
