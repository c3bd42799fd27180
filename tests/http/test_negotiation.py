"""`livechat.http.negotiation`."""

from __future__ import annotations

import pytest

from livechat.http.negotiation import prefers_html, weights


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        # Chromium, Firefox and Safari, going to a page.
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", True),
        ("text/html", True), ("TEXT/HTML;Q=0.5", True), ("text/*", True),
        ("text/html, application/json;q=0.9", True), ("text/html;level=1", True),
        ("application/json;q=0.2, text/html;q=0.3", True),
        ("text/html;q=0.5, application/json;q=0.9, application/problem+json;q=0.1", False),
        # fetch(), curl, EventSource; JSON is as welcome.
        ("", False), ("*/*", False), ("text/event-stream", False), ("application/json", False),
        ("text/html, application/json", False), ("text/html, */*", False),
        ("text/html;q=0", False), ("text/html;q=0.3, application/*;q=0.4", False),
        ("text/html;q=0.000, */*;q=0.1", False), ("text/plain, text/css", False),
        # Junk.
        (",;,", False), ("text/html;q=junk", True), ("text/html;q=-1;q=0", False),
        ("text/" + "," * 9_000, False),
    ],
)  # fmt: skip
def test_browsers_prefer_html(accepted: str, expected: bool) -> None:
    assert prefers_html(accepted) is expected


def test_weights_are_read() -> None:
    assert weights("gzip;q=0.5, BR , *;q=0") == {"gzip": 0.5, "br": 1.0, "*": 0.0}
