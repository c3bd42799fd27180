"""The list of active rooms, as an operator wants to see it: sorted, filtered, in pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from heapq import nlargest, nsmallest
from typing import Final
from urllib.parse import urlencode

from msgspec import Struct, structs

from livechat.errors import ChatError, Kind
from livechat.protocol.cluster import Room
from livechat.web.queries import number

#: Rooms of a page.
ROOMS_PER_PAGE: Final = 50
#: Characters of a filter.
LONGEST_FILTER: Final = 128
#: Columns to sort by: their names in a query, and their values.
_KEYS: Final[Mapping[str, Callable[[Room], float]]] = {
    "name": lambda _: 0,
    "members": lambda room: room.members,
    "messages": lambda room: room.newest.seq if room.newest else -1,
    "rate": lambda room: room.rate,
    "last": lambda room: room.newest.time if room.newest else -1,
}


class View(Struct, frozen=True):
    """
    The part of the list that an operator asked for.

    @ivar filter: a part of the rooms' names.
    @ivar sort: one of the columns, the largest or newest first; names from A to Z.
    @ivar turned: the other way round.
    @ivar page: 1 is the first.
    """

    filter: str = ""
    sort: str = "members"
    turned: bool = False
    page: int = 1

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> View:
        """
        The view that a query's fields ask for.

        @raise ChatError: there is none such.
        """
        sort = asked.get("sort", "members")
        page = number(asked, "page")
        order = asked.get("order", "")
        wanted = asked.get("q", "").strip()
        if sort not in _KEYS:
            raise ChatError(Kind.BAD_QUERY, f"'sort' must be one of {', '.join(_KEYS)}.")
        if order not in ("", "turned"):
            raise ChatError(Kind.BAD_QUERY, "'order' must be 'turned', if it is given.")
        if page == 0:
            raise ChatError(Kind.BAD_QUERY, "The first page is 1.")
        if len(wanted) > LONGEST_FILTER:
            raise ChatError(Kind.BAD_QUERY, f"A filter has at most {LONGEST_FILTER} characters.")
        return cls(wanted, sort, order == "turned", page or 1)

    def query(self) -> str:
        """The query that asks for it, with its question mark; empty for the usual view."""
        given = {
            "q": self.filter,
            "sort": self.sort if self.sort != "members" else "",
            "order": "turned" if self.turned else "",
            "page": str(self.page) if self.page > 1 else "",
        }
        text = urlencode({name: value for name, value in given.items() if value})
        return f"?{text}" if text else ""

    def by(self, column: str) -> View:
        """Return the view sorted by *column*, or reversed if it is so already."""
        turned = column == self.sort and not self.turned
        return structs.replace(self, sort=column, turned=turned, page=1)

    def at(self, page: int) -> View:
        """Return this view with another page."""
        return structs.replace(self, page=page)

    def direction(self, column: str) -> str:
        """The direction in which *column* is sorted, as ``aria-sort`` says it."""
        if column != self.sort:
            return "none"
        return "ascending" if (column == "name") != self.turned else "descending"


class Listing(Struct, frozen=True):
    """
    A page of the list.

    @ivar view: the shown part, which may be an earlier page than was asked for.
    @ivar rooms: those of this page.
    @ivar found: how many the filter lets through.
    @ivar active: how many there are.
    @ivar pages: at least 1.
    """

    view: View
    rooms: Sequence[Room]
    found: int
    active: int
    pages: int


def page_of(rooms: Sequence[Room], view: View) -> Listing:
    """The part of *rooms* that *view* shows."""
    wanted = view.filter.lower()
    found = [room for room in rooms if wanted in room.name.lower()] if wanted else rooms
    pages = max(1, -(-len(found) // ROOMS_PER_PAGE))
    page = min(view.page, pages)
    # A heap is faster than sorting all: nearly always the first of very many pages is asked for.
    choose = nlargest if view.sort == "name" and view.turned else nsmallest
    first = choose(page * ROOMS_PER_PAGE, found, key=_order(view))
    return Listing(
        view.at(page), first[(page - 1) * ROOMS_PER_PAGE :], len(found), len(rooms), pages
    )


def _order(view: View) -> Callable[[Room], tuple[float, str]]:
    """Make the key of an order; equal rooms are in the order of their names, in both directions."""
    value, sign = _KEYS[view.sort], 1 if view.turned else -1
    return lambda room: (sign * value(room), room.name)
