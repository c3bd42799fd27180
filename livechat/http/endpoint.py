"""
Endpoints: resources that take a `Call` and return a `Response`.

An endpoint is a row of the tree: the functions that answer, the clients that may ask, and the
description for programs.  Its functions are coroutines, and need no connection to be tested.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from twisted.web.server import NOT_DONE_YET

from livechat.errors import ChatError, Kind
from livechat.http.call import Call
from livechat.http.request import Request
from livechat.http.response import Headers, Response, Upgrade
from livechat.http.rules import Audience, preflight
from livechat.http.tree import Place

Answer = Callable[[Call], Awaitable[Response | Upgrade]]


class Endpoint(Place):
    """
    A place that answers.

    @ivar answers: the function for each method; HEAD comes with GET.
    @ivar described: its description, as an operation of OpenAPI, or several by their methods; None
        where only people come.
    """

    audience: Audience

    def __init__(
        self,
        answers: Mapping[str, Answer],
        audience: Audience | None = None,
        described: Mapping[str, Any] | None = None,
    ) -> None:
        """
        @param audience: by default the server's own pages and allowed ones.
        """
        super().__init__()
        self.answers = answers
        self.audience = audience or Audience()
        self.described = described

    def render(self, request: Request) -> int:
        request.serve(self.answer(request.call))
        return NOT_DONE_YET

    def answer(self, call: Call) -> Awaitable[Response | Upgrade]:
        """The answer to *call*, which may ask."""
        found = self.answers.get("GET" if call.method == "HEAD" else call.method)
        return self._methods(call) if found is None else found(call)

    async def _methods(self, call: Call) -> Response:
        """Return the allowed methods."""
        heads = ("HEAD",) if "GET" in self.answers else ()
        methods = ", ".join((*self.answers, *heads, "OPTIONS"))
        allowed: Headers = (("Allow", methods),)
        if call.method != "OPTIONS":
            raise ChatError(Kind.METHOD_NOT_ALLOWED, f"Use {methods} here.", headers=allowed)
        asks_first = call.header("Access-Control-Request-Method") is not None
        if asks_first and self.audience.origins == "allowed":
            allowed += preflight(methods)
        return Response(204, headers=allowed)
