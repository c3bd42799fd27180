"""`livechat.web.admin.room`: messages that an operator removes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support import Browser, Port, World, result
from tests.web.admin.looking import (
    EVE,
    join,
    page,
    say,
    shown,
)


def test_a_removed_message_is_gone_for_all(browser: Browser, world: World) -> None:
    """A removed message is gone for all, and its place says by whose act."""
    client = join(world, "r")
    say(world, "spam", user=EVE)
    say(world, "stays")
    client.frames()
    assert "Remove for everyone" in page(browser, "/admin/rooms/r/")
    answer = browser.post("/admin/rooms/r/remove/", seq="1")
    assert (answer.status, answer.headers["location"]) == (303, "/admin/rooms/r/?removed=1")
    text = page(browser, answer.headers["location"])
    assert "Message 1 was removed." in text
    assert shown(text) == ["Removed by a moderator", "stays"]
    assert "spam" not in text
    assert text.count('<li data-seq="1" class="gone">') == 1
    assert client.frames() == []
    assert result(world.backend.messages.read("r", 0, 9)).messages[0].message == "stays"


def test_removing_in_an_earlier_part(browser: Browser, world: World) -> None:
    """Removing leads back to the same part; other parts of the query are dropped."""
    for number in range(1, 100):
        say(world, str(number))
    text = page(browser, "/admin/rooms/r/?before=40")
    assert 'action="/admin/rooms/r/remove/?before=40"' in text
    answer = browser.post("/admin/rooms/r/remove/?before=40&sent=%0d%0ax", seq="7")
    assert answer.headers["location"] == "/admin/rooms/r/?before=40&removed=7"


@pytest.mark.parametrize(
    ("query", "form", "status"),
    [
        ("", {}, 400), ("", {"seq": "x"}, 400), ("", {"seq": "-1"}, 400), ("", {"seq": "2"}, 404),
        ("", {"seq": "0"}, 404), ("", {"seq": "999999999999999"}, 404), ("", {"seq": "1e3"}, 400),
        ("?before=x", {"seq": "1"}, 400), ("?before=1&after=1", {"seq": "1"}, 400),
        ("", {"seq": "1", "token": "x"}, 403),
    ],
)  # fmt: skip
def test_removals_that_make_no_sense(
    browser: Browser, world: World, query: str, form: dict[str, str], status: int
) -> None:
    """A senseless removal does nothing, and the page says why."""
    say(world, "stays", user=EVE)
    browser.get("/admin/rooms/r/")
    answer = browser.post(f"/admin/rooms/r/remove/{query}", **form)
    assert answer.status == status
    assert 'role="alert"' in answer.body.decode()
    assert shown(page(browser, "/admin/rooms/r/")) == ["stays"]


def test_strangers_remove_nothing(browser: Browser, world: World) -> None:
    """A removal without a session, from another site or by a link does nothing."""
    say(world, "stays", user=EVE)
    page(browser, "/admin/rooms/r/")
    assert browser.get("/admin/rooms/r/remove/?seq=1").status == 405
    body = f"token={browser.token}&seq=1".encode()
    for headers in (
        {"Sec_Fetch_Site": "cross-site"},
        {"Origin": "https://evil.example", "Sec_Fetch_Site": ""},
    ):
        assert browser.send("/admin/rooms/r/remove/", body, **headers).status == 403
    stranger = Browser(browser.port)
    answer = stranger.send("/admin/rooms/r/remove/", body)
    assert (answer.status, "password" in answer.body.decode()) == (403, True)
    assert shown(page(browser, "/admin/rooms/r/")) == ["stays"]


def test_removing_too_often(make_world: Callable[..., World]) -> None:
    """Operators keep to the rates when they remove, too."""
    world = make_world(rate_per_ip=0.5)
    browser = Browser(Port(world))
    browser.sign_in()
    browser.get("/admin/rooms/r/")
    browser.post("/admin/rooms/r/remove/", seq="1")
    refused = browser.post("/admin/rooms/r/remove/", seq="1")
    assert (refused.status, refused.headers["retry-after"]) == (429, "2")


def test_removing_in_a_search_leads_back_to_it(browser: Browser, world: World) -> None:
    say(world, "spam", user=EVE)
    text = page(browser, "/admin/rooms/r/?q=spam")
    assert 'action="/admin/rooms/r/remove/?q=spam"' in text
    answer = browser.post("/admin/rooms/r/remove/?q=spam", seq="1")
    assert answer.headers["location"] == "/admin/rooms/r/?q=spam&removed=1"
