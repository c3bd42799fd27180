"""Content negotiation: how much a client likes a form of an answer (RFC 9110, section 12)."""

from __future__ import annotations

import re
from typing import Final

_WEIGHT: Final = re.compile(r"\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*", re.ASCII | re.IGNORECASE)
_HTML: Final = ("text/html", "text/*", "*/*")
#: The types of problems, of which the best counts.
_JSON: Final = (
    ("application/problem+json", "application/*", "*/*"),
    ("application/json", "application/*", "*/*"),
)


def weights(accepted: str) -> dict[str, float]:
    """The weight of each range of an ``Accept`` or ``Accept-Encoding``, by its lower-case name."""
    found = {}
    for each in accepted.split(","):
        name, *parameters = each.split(";")
        weight = 1.0
        for parameter in parameters:
            given = _WEIGHT.fullmatch(parameter)
            if given is not None:
                weight = min(1.0, float(given[1]))
        found[name.strip().lower()] = weight
    return found


def prefers_html(accepted: str) -> bool:
    """Tell whether an ``Accept`` prefers a page to JSON, as those of navigating browsers do."""
    if "text/" not in accepted.lower():
        return False
    found = weights(accepted)
    return _weight(found, _HTML) > max(_weight(found, ranges) for ranges in _JSON)


def _weight(found: dict[str, float], ranges: tuple[str, ...]) -> float:
    """Return the weight of the most specific of *ranges* that fits."""
    return next((found[each] for each in ranges if each in found), 0.0)
