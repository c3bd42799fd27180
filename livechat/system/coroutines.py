"""Runs coroutines that await Deferreds."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure


def start(coroutine: Coroutine[Any, Any, None], failed: Callable[[Failure], object]) -> None:
    """
    Run *coroutine* until it ends, in a context of its own.

    Less than `Deferred.fromCoroutine`: nobody waits for the end, or cancels it.

    @param failed: told of an exception that the coroutine lets pass.
    """
    _go_on(None, coroutine, failed, copy_context())


def _go_on(
    result: Any,
    coroutine: Coroutine[Any, Any, None],
    failed: Callable[[Failure], object],
    context: Context,
) -> None:
    while not isinstance(result, Deferred):
        try:
            if isinstance(result, Failure):
                throw: Any = result.throwExceptionIntoGenerator
                result = context.run(throw, coroutine)
            else:
                # A coroutine may await something else than a Deferred, and goes on at once.
                result = context.run(coroutine.send, result)
        except StopIteration:
            return
        except BaseException:  # noqa: BLE001 - as a Deferred has it
            failed(Failure())  # type: ignore[no-untyped-call]
            return
    result.addBoth(_go_on, coroutine, failed, context)
