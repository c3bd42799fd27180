"""
Errors as answers: JSON for programs, a small page for browsers that go to an address.

Every 4xx and 5xx that is no page of its own is rendered here, also where a request is refused
before it is routed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from livechat.errors import ChatError, Kind
from livechat.http.negotiation import prefers_html
from livechat.http.response import Response, json, problem
from livechat.protocol.bodies import Held
from livechat.web.html import Templates

#: Refusals that the front page has as well, so the refusal's page does not link to it.
_EVERYWHERE: Final = frozenset({Kind.BAD_HOST, Kind.MISDIRECTED})


def held(error: ChatError) -> Response:
    """
    The answer to a message that waits for a review, which is neither stored nor refused.

    @raise ChatError: *error*, if that is something else.
    """
    if error.kind is not Kind.HELD:
        raise error
    case = error.case or ""
    return json(Held(case), status=error.kind.status, headers=(("Livechat-Case", case),))


class Refusals:
    """Renders errors."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def answer(self, error: ChatError, headers: Mapping[str, tuple[str, ...]]) -> Response:
        """
        @param headers: the request's, all values by lower-case name, as far as they are known.
        """
        accepted = headers.get("accept")
        if accepted is None or not prefers_html(",".join(accepted)):
            return problem(error)
        status = HTTPStatus(error.kind.status)
        return self._templates.page(
            "error.html",
            languages=",".join(headers.get("accept-language", ())),
            error=error,
            status=status,
            wait=None if error.retry_after is None else math.ceil(error.retry_after),
            front=error.kind not in _EVERYWHERE,
        )
