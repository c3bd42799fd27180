"""`livechat.backends.redis.health`: what is said of a Redis, and how often."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from livechat import metrics
from livechat.backends.redis.health import COMMANDS, SUBSCRIPTIONS, Health, warnings


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, []),
        ({"maxmemory-policy": "noeviction", "appendonly": "yes", "save": ""}, []),
        ({"maxmemory-policy": "allkeys-lru", "appendonly": "yes"}, ["may throw rooms away"]),
        ({"appendonly": "no", "save": ""}, ["has nothing on disk"]),
        ({"appendonly": "no", "save": "3600 1"}, ["loses what it was told"]),
    ],
)
def test_each_unsafe_setting_is_one_warning(settings: dict[str, str], expected: list[str]) -> None:
    """Each unsafe setting is one warning."""
    found = warnings(settings)
    assert len(found) == len(expected)
    for text, part in zip(found, expected, strict=True):
        assert part in text


def test_one_that_comes_and_goes() -> None:
    """Fills no log; but that it is away for long is said, and then that it is back."""
    clock = Clock()
    health = Health("Redis", clock)
    health.fine(SUBSCRIPTIONS)

    def lines(seconds: int) -> list[str]:
        with capturedLogs() as events:
            for _ in range(seconds):
                health.wrong(COMMANDS, "LOADING away")
                health.fine(COMMANDS)
                clock.advance(1)
        return [event["log_format"].format(**event) for event in events]

    health.fine(COMMANDS)
    gone, back = "Redis cannot be used: LOADING away", "Redis can be used."
    assert lines(3) == [gone, back] * 3
    many = lines(60)
    assert len(many) < 16
    assert many[-2].startswith(f"{gone} (19 more since")
    assert many[-1] == back
    with capturedLogs() as events:
        for _ in range(20):
            health.wrong(COMMANDS, "LOADING away")
            clock.advance(1)
        health.fine(COMMANDS)
    assert len(events) == 2


def test_redis_is_usable_when_both_connections_are() -> None:
    """A Redis is usable when both connections are; one reason is logged, and each new one."""
    health = Health("Redis", Clock())
    with capturedLogs() as events:
        for _ in range(2):
            health.wrong(SUBSCRIPTIONS, "it closed the connection")
            health.wrong(COMMANDS, "WRONGPASS no")
            health.wrong(SUBSCRIPTIONS, "WRONGPASS no")
        assert health.trouble() == "Redis cannot be used: WRONGPASS no"
        health.fine(COMMANDS)
        health.fine(COMMANDS)
        assert health.trouble() == "Redis cannot be used: WRONGPASS no"
        health.fine(SUBSCRIPTIONS)
        assert health.trouble() is None
    assert [event["log_format"].format(**event) for event in events] == [
        "Redis cannot be used: it closed the connection",
        "Redis cannot be used: WRONGPASS no",
        "Redis can be used.",
    ]


def test_a_figure_of_its_own() -> None:
    """Monitors see whether it can be used: with both connections, and not with one."""
    health = Health("Redis at here", Clock(), "here")

    def shown() -> float:
        found = [each for each in metrics.samples() if each.name == "redis_up"]
        return next(each.value for each in found if each.labels == ("here",))

    health.fine(COMMANDS)
    assert shown() == 0
    health.fine(SUBSCRIPTIONS)
    assert shown() == 1
    health.wrong(COMMANDS, "LOADING away")
    assert shown() == 0
