"""`livechat.system.process`."""

from __future__ import annotations

import gc
import resource
from contextlib import suppress

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from livechat.system.process import GARBAGE, Usage, allow_files, making_what_stays, memory


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "expected"),
    [
        (1_024, 65_536, 10_000, 10_064),
        (1_024, 4_096, 10_000, 4_096),
        (1_024, 4_096, 0, 4_096),
        (1_024, resource.RLIM_INFINITY, 10_000, 10_064),
        (65_536, 65_536, 10_000, None),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 0, None),
    ],
)
def test_the_process_raises_its_limit_of_files(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, connections: int, expected: int | None
) -> None:
    """The process allows itself the files that its connections need, as far as it may."""
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, values: limits.append(values))
    with capturedLogs() as events:
        allow_files(connections)
    assert limits == ([] if expected is None else [(expected, hard)])
    too_few = hard != resource.RLIM_INFINITY and connections + 64 > hard
    assert len(events) == too_few


def test_the_memory_of_the_process_is_read() -> None:
    """The memory that the process has is about what it had at most, or less."""
    found = memory()
    assert found
    most = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux sums up what each CPU has counted only now and then.
    assert 1 << 20 < found <= most + (1 << 20)


@pytest.mark.parametrize("error", [None, ValueError()])
def test_what_stays_is_no_garbage(error: Exception | None) -> None:
    """Garbage is not looked for while what stays is made, and rarely afterwards, errors or not."""
    before = gc.get_freeze_count()
    made: list[list[object]] = []
    with suppress(ValueError), making_what_stays():
        assert not gc.isenabled()
        made += [[] for _ in range(1_000)]
        if error is not None:
            raise error
    assert gc.isenabled()
    assert gc.get_threshold() == GARBAGE
    assert gc.get_freeze_count() >= before + len(made)


def test_the_share_of_a_core_since_the_last_look() -> None:
    """The share is that of the time since the last look; several threads may use more than one."""
    clock = Clock()
    computed = iter([5.0, 6.0, 6.0, 12.0, 13.0])
    usage = Usage(clock, lambda: next(computed))
    found = []
    for seconds in (2, 3, 4, 0):
        clock.advance(seconds)
        found.append(usage.since_last())
    assert found == [0.5, 0.0, 1.5, 0.0]
