"""`livechat.system.coroutines`."""

from __future__ import annotations

from collections.abc import Generator
from contextvars import ContextVar
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from livechat.system.coroutines import start

NAME: ContextVar[str] = ContextVar("NAME", default="")


def never(failure: Failure) -> None:
    raise AssertionError(failure)


def test_a_coroutine_gets_its_results() -> None:
    """A coroutine gets the results of what it awaits, whether they are there or come later."""
    seen: list[object] = []
    first, second = Deferred[int](), Deferred[int]()

    async def run() -> None:
        seen.append(await succeed(1))
        seen.append(await first)
        try:
            await second
        except ZeroDivisionError as error:
            seen.append(error)
        try:
            await fail(KeyError("now"))
        except KeyError as error:
            seen.append(error)

    start(run(), never)
    assert seen == [1]
    first.callback(2)
    assert seen == [1, 2]
    later = ZeroDivisionError()
    second.errback(later)
    assert seen[2] is later
    assert len(seen) == 4


def test_an_exception_of_a_coroutine_is_told() -> None:
    """An exception that a coroutine lets pass is told, at once or later."""
    waiting = Deferred[None]()
    failures: list[Failure] = []

    async def run(wait: bool) -> None:
        if wait:
            await waiting
        raise ZeroDivisionError

    start(run(False), failures.append)
    assert len(failures) == 1
    start(run(True), failures.append)
    waiting.callback(None)
    assert all(each.check(ZeroDivisionError) for each in failures)
    assert len(failures) == 2


def test_variables_of_a_context_stay() -> None:
    """Variables that a coroutine sets in its context stay there."""
    seen = []
    waiting = [Deferred[None](), Deferred[None]()]

    async def run(name: str, each: Deferred[None]) -> None:
        NAME.set(name)
        await each
        seen.append(NAME.get())

    for number, each in enumerate(waiting):
        start(run(str(number), each), never)
    for each in waiting:
        each.callback(None)
    assert seen == ["0", "1"]
    assert NAME.get() == ""


def test_what_is_no_deferred() -> None:
    """Something else that is awaited goes on at once, many times too."""

    class Other:
        def __await__(self) -> Generator[Any, Any, Any]:
            return (yield "other")

    seen: list[object] = []

    async def run() -> None:
        seen.extend([await Other() for _ in range(5_000)])

    start(run(), never)
    assert seen == ["other"] * 5_000
