"""`livechat.web.server`."""

from __future__ import annotations

from pathlib import Path

from livechat.config import Config
from livechat.web.server import limits


def config(**options: str) -> Config:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return Config.of(named, {}, Path("/nowhere"))


def test_limits_are_told_in_words() -> None:
    """The limits in force are told in words, "no limit" included."""
    shown = {limit.option: limit.value for limit in limits(config())}
    assert shown["--max-message"] == "16,384 bytes"
    assert shown["--rate"] == "20 a second"
    assert shown["--history-age"] == "30 days"
    none = limits(config(rate="0", history_age="0", history_limit="0"))
    assert [limit.value for limit in none].count("no limit") == 3
    (half,) = (limit for limit in limits(config(rate="0.5")) if limit.option == "--rate")
    assert half.value == "0.5 a second"
