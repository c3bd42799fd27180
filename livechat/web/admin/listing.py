"""Lists that come in pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Generic, TypeVar

from livechat.errors import ChatError, Kind
from livechat.web.admin import paths
from livechat.web.queries import number

#: Lines of a page.
LINES: Final = 50

_T = TypeVar("_T")


class Lines(Generic[_T]):
    """
    A page of a list.

    @ivar found: how many lines there are on all pages.
    @ivar page: its number; 1 is the first.
    @ivar pages: at least 1.
    @ivar shown: the lines of this page.
    """

    def __init__(self, lines: Sequence[_T], asked: Mapping[str, str], *kept: str) -> None:
        """
        @param asked: the query's fields; ``page`` is the number of the page.
        @param kept: the fields that links to other pages keep.
        @raise ChatError: there is no such page.
        """
        page = number(asked, "page")
        if page == 0:
            raise ChatError(Kind.BAD_QUERY, "The first page is 1.")
        self.found = len(lines)
        self.pages = max(1, -(-len(lines) // LINES))
        self.page = min(page or 1, self.pages)
        self.shown = lines[(self.page - 1) * LINES : self.page * LINES]
        self._kept = {name: asked.get(name, "") for name in kept}

    def at(self, page: int) -> str:
        """The query of another page, with its question mark; empty for the first."""
        return paths.query(**self._kept, page=page if page > 1 else None)
