"""Outcomes of Deferreds and coroutines, which tests read at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from livechat.errors import ChatError, Kind
from livechat.interfaces import IMessageLog, IReceiver
from livechat.protocol.messages import Amendment, Draft
from livechat.rooms.answers import answer_of

T = TypeVar("T")


def result(deferred: Deferred[T]) -> T:
    """Return the result of *deferred*, which must have fired, or raise its failure."""
    outcome: list[T | Failure] = []
    deferred.addBoth(outcome.append)
    assert outcome, "the Deferred has not fired"
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    return outcome[0]


def run(coroutine: Any) -> Any:
    """Return the result of *coroutine*, which must not have to wait."""
    return result(Deferred.fromCoroutine(coroutine))


def kind(deferred: Deferred[Any]) -> Kind:
    """Return the kind of the `ChatError` with which *deferred* must have failed."""
    outcome: list[Any] = []
    deferred.addBoth(outcome.append)
    assert outcome, "the Deferred has not fired"
    assert isinstance(outcome[0], Failure), f"it was not refused: {outcome[0]}"
    error = outcome[0].value
    assert isinstance(error, ChatError), error
    return error.kind


def publish(log: IMessageLog, draft: Draft) -> Deferred[Any]:
    """Publish *draft*; fires with its message, or fails."""
    return answer_of(log.publish, draft)


def amend(log: IMessageLog, amendment: Amendment) -> Deferred[Any]:
    """Amend messages; fires with the result, or fails."""
    return answer_of(log.amend, amendment)


def refusing(reason: Exception) -> Callable[[object, IReceiver], None]:
    """Replace a log's `publish` or `amend`: every call is refused with *reason*."""
    return lambda _, receiver: receiver.not_stored(reason)
