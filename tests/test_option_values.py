"""`livechat.option_values`; `tests/test_config.py` has their options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from livechat import option_values as values

#: Each parser, a text and its value, and texts that it refuses.
CASES: list[tuple[Callable[[str], Any], str, object, tuple[str, ...]]] = [
    (values.integer(0, 9), "7", 7, ("10", "-1", "١", "7.0", "", " 7", "1" * 16)),
    (values.rate, "0.5", 0.5, ("-1", "1e9", "nan", "inf", "", ".5")),
    (values.duration, "15m", 900, ("m", "1w", "-1s", "1.5h", "")),
    (values.lifetime, "1m", 60, ("0", "59s", "never", "")),
    (values.address, "::1", "::1", ("localhost", "1.2.3", "", "1.2.3.4:5")),
    (values.switch, "on", True, ("yes", "ON", "")),
    (values.choice("loopback", "open", "off"), "open", "open", ("closed", "")),
    (values.token, "x" * 16, "x" * 16, ("x" * 15, "x" * 15 + "é", "x" * 15 + "\n")),
    (values.host, "*.example.org", "*.example.org", ("a:1", "a/b", "", "*.*")),
    (values.prefix, "lc-2", "lc-2", ("", "a b", "{a}", "a" * 33)),
    (values.mount, "/a=b.c", ("/a", "b.c"), ("a=b.c", "/a", "/a=", "=b")),
    (values.pause(300), "5m", 300, ("301", "6m", "-1", "", "0.5")),
    (values.room, "lobby", "lobby", ("", "..", "a b", "a" * 129)),
    (values.path, "a/b", Path("a/b"), ("", "a\0b")),
    (values.dotted, "a.B", "a.B", ("", "a.", ".a", "a-b", "a..b")),
    (values.url, "memory:", "memory:", ("", "memory", "1:", "Memory:")),
    (values.log_path, "-", values.STANDARD_LOG, ("",)),
]


@pytest.mark.parametrize(("parse", "text", "value", "refused"), CASES, ids=lambda each: "")
def test_a_text_gives_its_value(
    parse: Callable[[str], Any], text: str, value: object, refused: tuple[str, ...]
) -> None:
    """A text gives its value, and a wrong one a sentence that says what it must be."""
    assert parse(text) == value
    for wrong in refused:
        with pytest.raises(ValueError, match=r"^(must|is) "):
            parse(wrong)
