"""The parts of a page that a stream keeps up to date, and how often it looks."""

from __future__ import annotations

from typing import Any, Final

from livechat.web.admin.events import event
from livechat.web.html import Templates

#: Seconds between two checks for changed parts.
REFRESH: Final = 1.0
#: Seconds between two deliveries to a page, so that a flood comes in few pieces.
PAUSE: Final = 0.1


class Parts:
    """Some parts of a page, as its stream has sent them."""

    def __init__(self, templates: Templates, names: tuple[str, ...]) -> None:
        self._templates = templates
        self._shown = dict.fromkeys(names, "")

    def changed(self, values: dict[str, Any]) -> bytes:
        """Events with the parts that look different now; a comment, if none does."""
        events = []
        for name, before in self._shown.items():
            text = self._templates.text(f"admin/{name}.html", **values)
            if text != before:
                self._shown[name] = text
                events.append(event(name, text))
        # A comment keeps proxies from closing a silent stream.
        return b"".join(events) or b":\n\n"
