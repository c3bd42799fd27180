"""
Other people's resources, beside the endpoints.

A mounted resource is asked like any in Twisted: it has its own tree below its place, writes to the
request when it likes, and may use sessions.  What holds for every request was decided before.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from twisted.web import http
from twisted.web.error import UnsupportedMethod
from twisted.web.resource import IResource, getChildForRequest
from twisted.web.server import NOT_DONE_YET

from livechat.errors import ChatError, Kind
from livechat.http.request import Request
from livechat.http.rules import Audience
from livechat.http.tree import Place

#: Ports that a URL need not name.
_USUAL: Final = {"http": 80, "https": 443}


class Mount(Place):
    """The place of a mounted resource, and all that is below it."""

    isLeaf = True
    audience = Audience()

    def __init__(self, resource: IResource) -> None:
        super().__init__()
        self._resource = resource

    def render(self, request: Request) -> int:
        """
        Ask the resource.

        @raise ChatError: it has no such method; or it says so itself.
        """
        request.lend(self.path.strip("/").encode())
        found = getChildForRequest(self._resource, request)
        ...
