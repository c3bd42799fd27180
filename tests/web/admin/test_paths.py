"""`livechat.web.admin.paths`."""

from __future__ import annotations

import pytest

from livechat.web.admin.paths import is_room, of_room, query, safe


@pytest.mark.parametrize(
    "page",
    [
        "/admin/", "/admin/cases/?room=lobby&page=2", "/admin/keys/", "/admin/forget/?user=42",
        "/admin/settings/?of=team-%2A",
        "/admin/audit/?person=u%3A42", "/admin/rooms/lobby/", "/admin/rooms/lobby/?user=g%3Aeve",
        "/admin/rooms/lobby/members/?member=ann", "/admin/rooms/lobby/restrictions/",
        "/admin/rooms/lobby/settings/",
    ],
)  # fmt: skip
def test_paths_of_pages_are_kept(page: str) -> None:
    assert safe(page) == page


@pytest.mark.parametrize(
    "wanted",
    [
        "", "//evil.example", "https://evil.example/admin/", "/rooms/lobby/", "/admin/sign-out/",
        "/admin/rooms/lobby/remove/", "/admin/rooms/lobby/restrict/", "/admin/rooms/a%20b/",
        "/admin/rooms/../", "/admin/rooms/!audit/", "/admin/keys/drop/", "/admin/settings/find/",
        "/admin/rooms/lobby/events", "/admin/rooms/lobby/members/x/", "/admin/rooms/lobby\n/",
    ],
)  # fmt: skip
def test_paths_that_lead_elsewhere_are_refused(wanted: str) -> None:
    """Other sites, addresses without a page, and those that lead in a circle are refused."""
    assert safe(wanted) == "/admin/"


def test_queries_that_end_a_header() -> None:
    assert safe("/admin/?a\r\nb: c") == "/admin/"
    assert safe("/admin/?" + "x" * 501) == "/admin/"


def test_a_room_has_its_path() -> None:
    assert is_room("/admin/rooms/lobby/?before=3")
    assert not is_room("/admin/rooms/lobby/settings/")
    assert of_room("lobby") == "/admin/rooms/lobby/"
    assert of_room("lobby", "members") == "/admin/rooms/lobby/members/"


def test_a_query_is_kept() -> None:
    assert query(a=None, b="", c=0) == "?c=0"
    assert query(user="g:a b") == "?user=g%3Aa+b"
    assert query() == ""
