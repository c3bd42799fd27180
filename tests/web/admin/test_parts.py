"""`livechat.web.admin.parts`."""

from __future__ import annotations

from livechat.web.admin.parts import Parts
from livechat.web.html import Templates


def test_a_part_is_sent_when_it_changes() -> None:
    """A part is sent when it looks different; else there is a comment, for proxies."""
    parts = Parts(Templates(), ("records",))
    first = parts.changed({"lines": [], "older": None})
    assert first.startswith(b"event: records\n")
    assert parts.changed({"lines": [], "older": None}) == b":\n\n"
    assert parts.changed({"lines": [], "older": 7}) != first
