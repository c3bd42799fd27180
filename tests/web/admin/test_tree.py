"""`livechat.web.admin.tree`: every address below ``/admin/`` needs a session."""

from __future__ import annotations

import pytest

from tests.support import Browser, Port

PAGES = [
    "/admin/", "/admin/audit/", "/admin/cases/", "/admin/keys/", "/admin/settings/",
    "/admin/settings/find/?named=lobby", "/admin/rooms/?room=r", "/admin/rooms/r/",
    "/admin/rooms/r/members/", "/admin/rooms/r/restrictions/", "/admin/rooms/r/settings/",
]  # fmt: skip
FORMS = [
    "/admin/cases/", "/admin/keys/", "/admin/keys/drop/", "/admin/settings/", "/admin/rooms/r/",
    "/admin/rooms/r/remove/", "/admin/rooms/r/panic/", "/admin/rooms/r/restrict/",
    "/admin/rooms/r/pardon/", "/admin/rooms/r/settings/", "/admin/sign-out/",
]  # fmt: skip
STREAMS = ["/admin/events", "/admin/audit/events", "/admin/cases/events", "/admin/rooms/r/events"]


@pytest.mark.parametrize("target", PAGES)
def test_pages_are_for_operators(port: Port, browser: Browser, target: str) -> None:
    """Strangers are asked to sign in; operators get a page, or a redirect to it."""
    stranger = Browser(port).get(target)
    assert stranger.status == 303
    assert stranger.headers["location"].startswith("/admin/sign-in/?next=")
    assert browser.get(target).status in (200, 303)


@pytest.mark.parametrize("target", FORMS)
def test_forms_need_a_session_and_a_token(port: Port, browser: Browser, target: str) -> None:
    """A form without a session, or without its token, does nothing."""
    assert Browser(port).post(target).status == 403
    assert browser.post(target, token="x").status == 403


@pytest.mark.parametrize("target", STREAMS)
def test_streams_are_for_operators(port: Port, target: str) -> None:
    assert Browser(port).get(target).status == 403
