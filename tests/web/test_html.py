"""`livechat.web.html`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from livechat.protocol.messages import User
from livechat.web.html import Templates, folder, tag


def shown(expression: str, value: Any) -> str:
    return Templates()._environment.from_string(f"{{{{ {expression} }}}}").render(value=value)


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        ("value", "<script>'\"", "&lt;script&gt;&#39;&#34;"),
        ("value", "{{ 7*7 }}", "{{ 7*7 }}"),
        ("value|count", 1234567, "1,234,567"),
        ("value|rate", 0.0, "0.0"),
        ("value|rate", 9.96, "10.0"),
        ("value|rate", 1234.5, "1,234"),
        ("value|size", 16384, "16 KiB"),
        ("value|size", 70 << 20, "70 MiB"),
        ("value|span", 0.4, "a moment"),
        ("value|span", 43_200, "12 hours"),
        ("value|span", 90_061, "1 day, 1 hour and 1 minute"),
        ("value|days", 30 * 86_400 + 80_000, "30 days"),
        ("value|days", 7_200, "2 hours"),
        ("value|ago", -3, "just now"),
        ("value|ago", 0.5, "just now"),
        ("value|ago", 59, "59 seconds ago"),
        ("value|ago", 7_300, "2 hours ago"),
        ("value|moment", 1_790_000_000_123, "2026-09-21T14:13:20Z"),
        ("value|utc", 1_790_000_000_123, "2026-09-21 14:13:20 UTC"),
        ("value|date", datetime(2030, 1, 31, tzinfo=UTC), "2030-01-31"),
    ],
)
def test_texts_are_escaped_and_numbers_put_into_words(
    expression: str, value: Any, expected: str
) -> None:
    """Text is escaped; numbers and times are put into words."""
    assert shown(expression, value) == expected


@pytest.mark.parametrize(
    ("known_as", "verified", "expected"),
    [("kX3vPq0aT7yB", False, "kX3v"), ("42", True, "42"), ("12345678", True, "12345678"),
     ("auth0|4711", True, "auth…4711"), ("<b>", False, "<b>")],
)  # fmt: skip
def test_tags_of_long_ids_have_their_end(known_as: str, verified: bool, expected: str) -> None:
    """Tags of long ids have the end too, as ids of a site's users may begin alike."""
    assert tag(User(known_as, "x", verified=verified)) == expected


def test_empty_parameters_are_left_out() -> None:
    """Empty parameters are left out."""
    found = shown("(value|with(before=3, after=none))|urlencode", {"room": "a b", "person": ""})
    assert found == "room=a+b&amp;before=3"


def test_a_page_loads_only_what_is_the_servers() -> None:
    """A page is not cached, and may load and do only what is the server's own."""
    page = Templates().page("room.html", room="r", title="", words="")
    headers = dict(page.headers)
    assert headers["Cache-Control"] == "no-store"
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert set(policy.values()) == {"'none'", "'self'"}


def test_no_inline_scripts_or_styles() -> None:
    """Templates have no inline scripts or styles, which the policy forbids."""
    for path in folder("templates").rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"<[^>]*\s(style|on\w+)=", text)
        assert not re.search(r"<script(?![^>]*\ssrc=)", text)
        assert "|safe" not in text


def test_addresses_below_a_path() -> None:
    """Every address in a template begins with the path below which the server is."""
    for path in folder("templates").rglob("*.html"):
        text = path.read_text()
        found = re.findall(r"""(?:href|src|action|data-\w+|address)=["']/[^"']*""", text)
        assert found == [], path


def test_static_below_a_path() -> None:
    page = Templates("/chat-app").page("room.html", room="r", title="", words="")
    body = page.body
    assert isinstance(body, bytes)
    assert b'src="/chat-app/static/embed.' in body
    assert b'"/static' not in body
