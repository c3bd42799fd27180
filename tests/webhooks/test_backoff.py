"""`livechat.webhooks.backoff`."""

from __future__ import annotations

import pytest

from livechat.webhooks.backoff import LONGEST, LONGEST_ASKED, asked_for, pause

NOW = 1_790_000_000.0


def test_pauses_double_up_to_five_minutes() -> None:
    """Pauses double, from a tenth of a second to five minutes."""
    found = [pause(failures, lambda: 0.5) for failures in range(1, 14)]
    assert found == [0.1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert pause(10**9, lambda: 0.5) == LONGEST


def test_jitter_keeps_servers_apart() -> None:
    """Several servers do not come back at the same time, and none later than said."""
    assert pause(4, lambda: 0.0) == pytest.approx(3.0)
    assert pause(4, lambda: 1.0) == pytest.approx(5.0)
    assert pause(99, lambda: 1.0) == LONGEST


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        ("0", None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("9" * 400, LONGEST_ASKED),
        ("Mon, 21 Sep 2026 14:14:20 GMT", 60.0),
        ("Mon, 21 Sep 2026 14:14:20", 60.0),
        ("Mon, 21 Sep 2020 14:14:20 GMT", None),
        ("Mon, 21 Sep 9999 14:14:20 GMT", LONGEST_ASKED),
        ("Mon, 99 Sep 2026 14:14:20 GMT", None),
    ],
)
def test_a_receiver_may_name_its_pause(text: str, seconds: float | None) -> None:
    """A receiver may say when to come back, up to a bound."""
    assert asked_for(text, NOW) == seconds
