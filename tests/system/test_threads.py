"""`livechat.system.threads`."""

from __future__ import annotations

from threading import Event, current_thread
from typing import Any

import pytest
from twisted.internet.defer import Deferred, TimeoutError, gatherResults  # noqa: A004
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from livechat.system.threads import Threads, within
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
        threads.stop()

    async def test_order(self) -> None:
        """One thread runs its calls in order, and is none of the reactor's."""
        from twisted.internet import reactor  # noqa: PLC0415

        real: Any = reactor
        threads = Threads(real, 1, "one")
        threads.start()
        done: list[int] = []
        await gatherResults([threads.call(done.append, number) for number in range(100)])
        assert done == list(range(100))
        assert (await threads.call(current_thread)).daemon
        threads.stop()


def test_within() -> None:
    """Who waits is told after a time; what comes later is nobody's."""
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
