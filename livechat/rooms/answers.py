"""
Answers: acts for callers that await them.

A message that nobody awaits needs no Deferred: its sender is a receiver itself
(`livechat.interfaces.IReceiver`).  All others come through here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from livechat.interfaces import IReceiver


@implementer(IReceiver)
class Answer:
    """
    A receiver of its own.

    @ivar fired: fires with the result; fails with the reason of a refusal.
    """

    __slots__ = ("fired",)

    def __init__(self) -> None:
        self.fired: Deferred[Any] = Deferred()

    def stored(self, result: Any) -> None:
        self.fired.callback(result)

    def not_stored(self, reason: Exception) -> None:
        self.fired.errback(reason)


def answer_of(call: Callable[..., None], *args: Any) -> Deferred[Any]:
    """
    Call *call* with *args*, and with a receiver behind them.

    Fires with the result; fails with the reason of a refusal.
    """
    answer = Answer()
    call(*args, answer)
    return answer.fired
