"""
Commands that wait while their slot moves.

A command that a node has redirected was not carried out.  It is given again, to the node that has
its slot by then, for as long as an answer may take.  Later commands of the same slot
wait behind it, and are given one after the other: so a room's acts keep their order.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from livechat.backends.redis.cluster.node import Node
from livechat.backends.redis.cluster.slots import ELSEWHERE
from livechat.backends.redis.connection import RefusedError, UnansweredError
from livechat.backends.redis.resp import REPLY

#: Waiting commands of a slot at most.
MOST: Final = 1_000
#: Seconds between two attempts.
PAUSE: Final = 0.05
#: Redirections that are followed without a pause: nodes that disagree point to each other.
HOPS: Final = 5
REDIRECTED: Final = frozenset({"MOVED", "ASK"})

#: Gives a command to a node, behind ASKING if the second argument is true.
Give = Callable[[Node, bool], Deferred[Any]]


class Held:
    """
    A command, and the answer that somebody waits for.

    @ivar number: grows from one command to the next.
    @ivar until: when it is given up.
    @ivar problem: why it was not carried out, if that says where it is to be given this once.
    """

    __slots__ = ("answer", "give", "number", "problem", "until")

    def __init__(
        self, number: int, give: Give, until: float, problem: RefusedError | None = None
    ) -> None:
        self.problem = problem
        self.number = number
        self.give = give
        self.until = until
        self.answer: Deferred[Any] = Deferred()

    def __lt__(self, other: Held) -> bool:
        return self.number < other.number


class Queue:
    """The commands of one slot that wait."""

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        where: Callable[[RefusedError | None], tuple[Node | None, bool]],
        ended: Callable[[], None],
    ) -> None:
        """
        @param where: chooses the node for the next command, and if it needs ASKING, by the error of
            the last attempt, which was not carried out.
        @param ended: called when no command waits any more.
        """
        self._clock = clock
        self._where = where
        self._ended = ended
        self._waiting: list[Held] = []
        self._stopped = False
        self._end: Deferred[None] = Deferred()

    def add(self, held: Held) -> Deferred[Any]:
        if len(self._waiting) >= MOST:
            held.answer.errback(UnansweredError("too much waits for its slot", sent=False))
        else:
            insort(self._waiting, held)
        return held.answer

    def begin(self, before: Deferred[Any]) -> None:
        """
        Give what waits, until nothing does.

        @param before: fires when all that was given before is answered, and so has come here if it
            was redirected.
        """
        # A turn later, as the caller adds the first command after this.
        before.addBoth(lambda _: deferLater(self._clock, 0))
        before.addCallback(lambda _: Deferred.fromCoroutine(self._run()))
        before.addErrback(
            lambda failure: self._log.failure("Commands could not be given again.", failure)
        )

    async def _run(self) -> None:
        try:
            while self._waiting:
                # The command stays in front of all later ones.
                held = self._waiting[0]
                try:
                    answer: Any = await self._attempt(held)
                except (UnansweredError, RefusedError) as reason:
                    self._waiting.remove(held)
                    held.answer.errback(reason)
                else:
                    self._waiting.remove(held)
                    held.answer.callback(answer)
        finally:
            self._ended()
            self._end.callback(None)

    async def _attempt(self, held: Held) -> Any:
        problem = held.problem
        hops = 0
        while True:
            node, asking = self._where(problem)
            problem = None
            if node is not None and node.ready:
                try:
                    return await held.give(node, asking)
                except RefusedError as reason:
                    if reason.code not in ELSEWHERE:
                        raise
                    problem = reason
                except UnansweredError as reason:
                    if reason.sent:
                        raise
            if self._stopped or self._clock.seconds() + PAUSE >= held.until:
                why = "its slot has no master that can be used" if problem is None else problem
                raise UnansweredError(str(why), sent=False)
            hops += 1
            if problem is None or problem.code not in REDIRECTED or hops % HOPS == 0:
                await deferLater(self._clock, PAUSE)

    def stop(self) -> Deferred[None]:
        """Give up what waits.  Fires when that is done."""
        self._stopped = True
        return self._end


def until(clock: IReactorTime) -> float:
    """The time at which a command that begins now is given up."""
    return clock.seconds() + REPLY
