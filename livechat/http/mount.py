"""
Other people's resources, beside the endpoints.

A mounted resource is asked as any in Twisted: it may have a tree below it, writes to the request
when it likes, and has sessions.  The rules of every request (`livechat.http.rules`) were applied
before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from twisted.web.error import UnsupportedMethod
from twisted.web.resource import IResource, _IEncodingResource, getChildForRequest
from twisted.web.server import NOT_DONE_YET

from livechat.errors import ChatError, Kind
from livechat.http.request import Request
from livechat.http.rules import Audience
from livechat.http.tree import Place
from livechat.protocol.origins import without_port

#: Default ports by scheme.
_PORTS: Final = {"http": "80", "https": "443"}


class Mount(Place):
    """The place of a mounted resource, and of all that is below it."""

    isLeaf = True
    audience = Audience()

    def __init__(self, resource: IResource) -> None:
        super().__init__()
        self._resource = resource

    def render(self, request: Request) -> None:
        """
        Ask the resource.

        @raise ChatError: the resource has no such method, or raises one itself.
        """
        self._hand_over(request)
        found: Any = getChildForRequest(self._resource, request)
        if _IEncodingResource.providedBy(found):
            request.encode_with(found.getEncoder(request))
        try:
            body = found.render(request)
        except UnsupportedMethod as error:
            names: Sequence[bytes] = error.allowedMethods
            allowed = [name.decode("latin-1") for name in names]
            if request.method == b"HEAD" and "GET" in allowed:
                # Twisted then renders GET, and sends no body.
                request.render(found)
                return
            methods = ", ".join(allowed)
            raise ChatError(
                Kind.METHOD_NOT_ALLOWED, f"Use {methods} here.", headers=(("Allow", methods),)
            ) from None
        if body is not NOT_DONE_YET:
            if not isinstance(body, bytes):
                raise TypeError(f"{found!r} answered {type(body).__name__}, and not bytes")
            # A resource's answer to HEAD has no body, and may have set the length itself.
            if body or request.method != b"HEAD":
                request.setHeader(b"Content-Length", b"%d" % len(body))
            request.write(body)
            request.finish()

    def _hand_over(self, request: Request) -> None:
        """Give *request* the attributes that it would have at a site of the resource's own."""
        prefix = request.site.prefix
        request.path = f"{prefix}{request.call.path}".encode("latin-1")
        segments = [unquote_to_bytes(each) for each in request.path[1:].split(b"/")]
        own = f"{prefix}{self.path}".strip("/").count("/") + 1
        request.prepath, request.postpath = segments[:own], segments[own:]
        asked = request.call.asked
        name = without_port(asked.host)
        port = asked.host[len(name) + 1 :]
        # Redirects lead to the address that the client asked for, not to that behind a proxy.
        request.setHost(name.encode(), int(port or _PORTS[asked.scheme]), asked.scheme == "https")
        request.lend()
