"""A raid is ended from the admin page on a phone, in Chromium."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from livechat.errors import Close
from tests.live.browser import Tab
from tests.live.daemon import Daemon, Member

DAEMON = ("--max-connections-per-ip=0",)
SPAMMERS, CLICKS = 30, 10
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True,
}  # fmt: skip


def says(member: Member, text: str) -> None:
    member.send(json.dumps({"message": text}))


@pytest.mark.parametrize("crowd", [50, pytest.param(200, marks=pytest.mark.soak)])
def test_a_raid_of_thirty_ends_in_ten_clicks(
    tab: Callable[..., Tab],
    daemon: Daemon,
    record_property: Callable[[str, object], None],
    crowd: int,
) -> None:
    """30 spammers are out, their spam is gone, and members chat on: in less than 10 clicks."""
    clicks = 0

    def tap(what: Locator) -> None:
        nonlocal clicks
        clicks += 1
        what.tap()

    operator = tab(**PHONE)
    page = operator.page
    with ExitStack() as stack:
        # With a bounded queue a member that does not read would answer no pings.
        members = [stack.enter_context(daemon.socket("raid", max_queue=None)) for _ in range(crowd)]
        spammers = [
            stack.enter_context(daemon.socket(f"raid?name=Sp{number}", max_queue=None))
            for number in range(SPAMMERS)
        ]
        operator.sign_in("/admin/rooms/raid/")
        operator.live()
        says(members[0], "When does it begin?")
        for number in range(2):
            for each in spammers:
                says(each, f"Buy WATCHES {number}")
            # A page of what is found has room for all of them, if none is two messages ahead.
            last = f"#{1 + (1 + number) * SPAMMERS}"
            expect(page.locator("[data-messages]").get_by_text(last, exact=True)).to_be_attached()
        slow = page.get_by_role("button", name="Slow mode 30 s")
        tap(slow)
        expect(slow).to_have_attribute("aria-pressed", "true")
        tap(page.get_by_placeholder("Search"))
        page.keyboard.type("watches")
        tap(page.get_by_role("button", name="Search"))
        tap(page.get_by_text("Ban who said this …"))
        tap(page.get_by_role("button", name=f"Ban {SPAMMERS} people"))
        expect(page.get_by_role("status").get_by_text("30 people are banned.")).to_have_text(
            f"{SPAMMERS} people are banned. Messages removed: {2 * SPAMMERS}."
        )
        assert operator.findings() == []
        tap(page.get_by_role("link", name="All messages"))
        tap(slow)
        expect(slow).to_have_attribute("aria-pressed", "false")
        for each in spammers:
            closed = each.closed()
            assert closed is not None
            assert closed.code == Close.FORBIDDEN
        says(members[1], "now")
        for each in members:
            each.recv_until(json.dumps({"message": "now"}, separators=(",", ":")), [])
        assert [each["message"] for each in daemon.history("raid")] == [
            "When does it begin?",
            "now",
        ]
    record_property("clicks", clicks)
    assert clicks < CLICKS
