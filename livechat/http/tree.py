"""
The tree of resources: places in paths.

Paths are compared as they were sent, so that rules of a proxy in front cannot be circumvented by
another way to write them.  Only a name, such as a room's, is decoded, after the path was split.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol
from urllib.parse import unquote

from twisted.web.resource import Resource

from livechat.errors import ChatError, Kind
from livechat.http.rules import Audience


class Traversal(Protocol):
    """A request on its way through the tree."""

    names: dict[str, str]
    prepath: list[bytes]
    postpath: list[bytes]


class Place(Resource):
    """
    A place in a path, below which there may be others.

    @ivar path: where it is, with names in braces.
    @ivar audience: the clients that may ask it; None where there is nothing to ask.
    """

    path = "/"
    audience: Audience | None = None

    def __init__(self) -> None:
        super().__init__()
        self._name = ""
        self._named: Place | None = None

    def put(self, path: str, child: Place) -> None:
        """
        Put *child* at *path*, such as ``/chat/send/{room}/``; its last slash may be left out.

        @raise ValueError: the place is taken, or below a leaf.
        """
        *way, last = path.strip("/").split("/")
        place = self
        for segment in way:
            place = place.child_at(segment) or place.add(segment, Place())
        if not last or place.child_at(last) is not None:
            raise ValueError(f"{path} is taken")
        place.add(last, child).path = path

    def places(self) -> Iterator[Place]:
        """List the place itself and the places below it."""
        yield self
        for each in self.children.values():
            yield from each.places()
        if self._named is not None:
            yield from self._named.places()

    def has_children(self) -> bool:
        """Tell whether there is a place below it."""
        return bool(self.children) or self._named is not None

    def child_at(self, segment: str) -> Place | None:
        """The place at *segment*, which may be a name in braces."""
        found: Place | None = self.children.get(segment.encode())
        return self._named if segment.startswith("{") else found

    def add(self, segment: str, child: Place) -> Place:
        """Put *child* at *segment*; in braces it is any name."""
        if self.isLeaf:
            raise ValueError(f"{self.path} has nothing below it")
        if segment.startswith("{"):
            self._name, self._named = segment[1:-1], child
        else:
            self.putChild(segment.encode(), child)
        return child

    def getChild(self, path: bytes, request: Traversal) -> Place:
        """The place of a name, which *request* is told."""
        if self._named is None or (request.postpath and not self._named.has_children()):
            return NOTHING
        request.names[self._name] = _decoded(path)
        return self._named


class _Nothing(Place):
    """The endpoint of all unknown paths."""

    isLeaf = True


NOTHING = _Nothing()


def _decoded(segment: bytes) -> str:
    try:
        return unquote(segment.decode("latin-1"), errors="strict")
    except UnicodeDecodeError:
        raise ChatError(Kind.BAD_REQUEST, "The path is not UTF-8.") from None
