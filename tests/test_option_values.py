"""`livechat.option_values`; how options use them is in `tests.test_config`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from livechat import option_values as values


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90", 90), ("90s", 90), ("15m", 900), ("12h", 43_200), ("1d", 86_400)],
)
def test_durations(text: str, seconds: int) -> None:
    """A time is a number and a unit, seconds without one."""
    assert values.duration(text) == seconds


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (values.integer(0, 9), "9", 9),
        (values.rate, "0.5", 0.5),
        (values.address, "0:0::1", "::1"),
        (values.switch, "off", False),
        (values.host, "*.example.org", "*.example.org"),
        (values.mount, "/a=b.c=d", ("/a", "b.c=d")),
        (values.log_path, "-", values.STANDARD_LOG),
        (values.log_path, "a.log", Path("a.log")),
    ],
)
def test_values(parse: Callable[[str], Any], text: str, value: object) -> None:
    """A text is a value."""
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (values.integer(0, 9), "10"),
        (values.integer(0, 9), "1e0"),
        (values.integer(0, 9), "٣"),
        (values.rate, "inf"),
        (values.duration, "9" * 10),
        (values.lifetime, "59s"),
        (values.address, "localhost"),
        (values.switch, "yes"),
        (values.metrics_access, "all"),
        (values.token, "x" * 15),
        (values.token, "x" * 15 + "\n"),
        (values.network, "10.0.0.1/8"),
        (values.host, "example.org:443"),
        (values.prefix, ""),
        (values.mount, "a=b.c"),
        (values.room, "a b"),
        (values.path, "a\0b"),
        (values.dotted_name, "a..b"),
        (values.url, "memory"),
    ],
)
def test_refused(parse: Callable[[str], Any], text: str) -> None:
    """Any other text is refused in words that follow the option's name."""
    with pytest.raises(ValueError, match=r"^(must|is) "):
        parse(text)
