"""`livechat.command.checking.redis`; with a real one in `tests.live.test_command`."""

from __future__ import annotations

from pathlib import Path

import pytest

from livechat.backends.redis.health import warnings
from livechat.command.checking import redis
from livechat.command.redis_check import Found
from tests.command.checking.looking import config, wrong


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("cannot be used: NOPERM this user has no permissions", "ACL SETUSER"),
        ("cannot be used: WRONGPASS invalid username-password pair", "user and password"),
        ("cannot be used: NOAUTH Authentication required.", "LIVECHAT_REDIS"),
        ("cannot be used: READONLY it is a replica", "master"),
        ("cannot be used: Connection refused", "start it"),
        ("does not answer in time", "start it"),
        ("a URL must begin with redis://", "redis://user:password@host"),
        ("does not let its settings be read (CONFIG GET)", "+config|get"),
    ],
)
def test_each_fault_of_redis_has_its_cure(text: str, cure: str) -> None:
    """Each fault has a way out of its own."""
    assert cure in redis.cure_of(text)


def test_warnings_have_cures() -> None:
    """Each warning's cure is a setting of Redis."""
    for settings in ({"maxmemory-policy": "allkeys-lru"}, {"appendonly": "no", "save": ""}):
        for text in warnings(settings):
            assert "CONFIG SET" in redis.cure_of(text)


def test_faults_of_redis_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that cannot be used, may lose messages, or has another time is told."""
    monkeypatch.setattr(
        redis,
        "look_at_all",
        lambda *_: [
            Found("a", wrong="does not answer in time"),
            Found("b", warnings=("may throw rooms away: its maxmemory-policy is x",)),
            Found("c", ahead=-60),
            Found("d"),
        ],
    )
    found = wrong(redis.redis(config(tmp_path, "--redis=redis://h")))
    assert found == [("Redis", "FAIL"), ("Redis", "warn"), ("clock", "FAIL")]
