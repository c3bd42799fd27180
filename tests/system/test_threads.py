"""`livechat.system.threads`."""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Event, Thread, current_thread
from threading import enumerate as enumerate_threads
from typing import Any
from unittest.mock import Mock
from weakref import ref

import pytest
from twisted.internet.defer import Deferred, TimeoutError, gatherResults  # noqa: A004
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase

from livechat.system.threads import Threads, _Results, within
from tests.support import result


class ThreadsTest(TestCase):
    """Real threads."""

    timeout = 30

    async def test_stopping_while_a_call_hangs(self) -> None:
        """Threads in a call that hangs are left behind, whatever that call is."""
        from twisted.internet import reactor  # noqa: PLC0415

        real: Any = reactor
        hanging = Event()
        threads = Threads(real, 1, "hanging")
        threads.start()
        call = threads.call(hanging.wait)
        assert threads.busy()
        threads.stop()
        hanging.set()
        await call
        assert not threads.busy()
        assert not [each for each in enumerate_threads() if each.name.startswith("hanging-")]
        threads.stop()

    async def test_a_thread_runs_calls_in_order(self) -> None:
        """A single thread, which is not the reactor's, runs its calls in order."""
        from twisted.internet import reactor  # noqa: PLC0415

        real: Any = reactor
        threads = Threads(real, 1, "one")
        threads.start()
        done: list[int] = []
        await gatherResults([threads.call(done.append, number) for number in range(100)])
        assert done == list(range(100))
        assert (await threads.call(current_thread)).daemon
        threads.stop()

    async def test_an_exception_comes_with_its_traceback(self) -> None:
        """An exception comes with its traceback, and the thread goes on."""
        from twisted.internet import reactor  # noqa: PLC0415

        real: Any = reactor
        threads = Threads(real, 1, "failing")
        threads.start()
        with pytest.raises(ZeroDivisionError) as raised:
            await threads.call(divmod, 1, 0)
        assert raised.traceback
        with pytest.raises(SystemExit):
            await threads.call(sys.exit)
        assert await threads.call(divmod, 7, 2) == (3, 1)
        threads.stop()

    async def test_as_many_threads_as_calls_need(self) -> None:
        """Threads start as calls need them, up to the bound, and all end."""
        from twisted.internet import reactor  # noqa: PLC0415

        real: Any = reactor
        threads = Threads(real, 2, "some")
        go_on = Event()

        def running() -> list[Thread]:
            return [each for each in enumerate_threads() if each.name.startswith("some-")]

        early = threads.call(divmod, 7, 2)
        assert not running()
        threads.start()
        await early
        assert len(running()) == 1
        calls = [threads.call(go_on.wait) for _ in range(5)]
        assert len(running()) == 2
        go_on.set()
        await gatherResults(calls)
        threads.stop()
        assert not running()

    async def test_threads_keep_no_argument_or_descriptor(self) -> None:
        """Threads leave no descriptor open, and keep no argument or result until the next call."""
        from twisted.internet import reactor  # noqa: PLC0415

        real: Any = reactor
        # The reactor opens some when it begins to run.
        await deferLater(real, 0, lambda: None)
        before = open_files()
        for _ in range(3):
            threads = Threads(real, 1, "again")
            threads.start()
            large = _Large()
            kept = ref(large)
            await threads.call(id, large)
            del large
            # The result was told before the thread had left the call.
            while kept() is not None:
                await deferLater(real, 0, lambda: None)
            threads.stop()
        assert open_files() == before


def test_more_results_than_a_pipe_holds() -> None:
    """The reactor that was busy meanwhile is told all of them."""
    reactor: Any = Mock()
    results = _Results(reactor)
    answers: list[Deferred[int]] = [Deferred() for _ in range(66_000)]  # a pipe has 65,536 bytes
    for number, answer in enumerate(answers):
        results.put(answer, number)
    results.doRead()
    assert [result(answer) for answer in answers] == [*range(len(answers))]
    for _ in range(20):
        results.doRead()
    results.close()
    reactor.removeReader.assert_called_once_with(results)


def open_files() -> int:
    """Count this process's descriptors, with the one that lists them."""
    return len([*Path("/proc/self/fd").iterdir()])


class _Large:
    """An object that a weak reference can find."""


def test_a_late_result_is_a_timeout() -> None:
    """A result that is late is a TimeoutError, and is dropped when it comes."""
    clock = Clock()
    called: Deferred[int] = Deferred()
    answer = within(2, clock, called)
    clock.advance(2)
    with pytest.raises(TimeoutError):
        result(answer)
    called.callback(1)
    in_time: Deferred[int] = Deferred()
    answer = within(2, clock, in_time)
    in_time.callback(1)
    assert result(answer) == 1
    assert clock.getDelayedCalls() == []
