"""`livechat.web.admin.rooms`."""

from __future__ import annotations

import pytest

from livechat.errors import ChatError, Kind
from livechat.http.call import fields
from livechat.protocol.cluster import Room
from livechat.protocol.messages import Newest
from livechat.web.admin.rooms import ROOMS_PER_PAGE, View, page_of


def room(name: str, members: int = 0, seq: int = 0, rate: float = 0.0, time: int = 0) -> Room:
    return Room(name, members, rate, Newest(seq, time))


ROOMS = [
    room("b", members=2, seq=1, rate=3, time=20),
    room("a", members=1, seq=3, rate=1, time=30),
    room("C", members=2, seq=2, rate=2, time=10),
    Room("d", 0),
]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "Cbad"),
        ("order=turned", "daCb"),
        ("sort=name", "Cabd"),
        ("sort=name&order=turned", "dbaC"),
        ("sort=messages", "aCbd"),
        ("sort=rate", "bCad"),
        ("sort=last", "abCd"),
        ("sort=last&order=turned", "dCba"),
        ("q=c", "C"),
        ("q=+C+", "C"),
        ("q=nothing", ""),
        ("page=2", "Cbad"),
        ("page=999999999999999", "Cbad"),
        ("unknown=1", "Cbad"),
    ],
)
def test_a_view_is_sorted_and_filtered(query: str, expected: str) -> None:
    """The list is sorted and filtered as the query says."""
    found = page_of(ROOMS, View.of(fields(query)))
    assert "".join(each.name for each in found.rooms) == expected
    assert (found.found, found.active, found.pages) == (len(expected), 4, 1)
    assert found.view.page == 1


@pytest.mark.parametrize(
    "query",
    [
        "sort=x", "sort=", "sort=__class__", "order=x", "page=0", "page=-1", "page=x", "page=1e3",
        "page=", "page=9999999999999999", "q=" + 129 * "x",
    ],
)  # fmt: skip
def test_bad_views_are_refused(query: str) -> None:
    """A senseless query is refused."""
    with pytest.raises(ChatError) as caught:
        View.of(fields(query))
    assert caught.value.kind is Kind.BAD_QUERY


def test_every_room_stands_on_one_page() -> None:
    """Every room stands on one page."""
    rooms = [room(f"{number:04}") for number in range(3 * ROOMS_PER_PAGE - 1)]
    seen = []
    for page in (1, 2, 3):
        found = page_of(rooms, View(sort="name", page=page))
        assert (found.pages, found.view.page) == (3, page)
        seen += [each.name for each in found.rooms]
    assert seen == [each.name for each in rooms]
    assert page_of([], View(page=9)).pages == 1


@pytest.mark.parametrize(
    "view",
    [
        View(), View("a"), View(sort="name"), View(turned=True), View(page=3),
        View("<é&=+ %>", "last", True, 7),
    ],
)  # fmt: skip
def test_a_query_asks_for_its_view(view: View) -> None:
    """A view's query asks for this view."""
    assert View.of(fields(view.query().removeprefix("?"))) == view


def test_a_heading_sorts_or_reverses() -> None:
    """A heading sorts by its column, or reverses the order if the list is sorted by it."""
    view = View("x", page=3)
    assert view.by("name") == View("x", "name")
    assert view.by("members") == View("x", turned=True)
    assert view.by("members").by("members") == View("x")
    assert [View(sort="name", turned=turned).direction("name") for turned in (False, True)] == [
        "ascending",
        "descending",
    ]
    assert [View(turned=turned).direction("members") for turned in (False, True)] == [
        "descending",
        "ascending",
    ]
    assert View().direction("name") == "none"
