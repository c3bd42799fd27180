"""`examples.django_ask`: a real Django says who is in a real livechat."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from livechat.errors import Close
from livechat.protocol.signing import secret_to_text
from tests.live.daemon import CHEAP, PATIENCE, Daemon, Member
from tests.live.django_site import PASSWORD, DjangoSite, Visitor

SECRET = secret_to_text(b"s" * 32)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DjangoSite]:
    with DjangoSite(tmp_path_factory.mktemp("site"), SECRET) as running:
        yield running


@pytest.fixture(scope="module")
def daemon(site: DjangoSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    options = (f"--ask={site.url}/ask/", "--ask-about=send,join", "--origin=https://www.example")
    environment = {**CHEAP, "LIVECHAT_WEBHOOK_SECRET": SECRET}
    with Daemon(tmp_path_factory.mktemp("daemon"), *options, environment=environment) as running:
        yield running


def joins(daemon: Daemon, cookies: str, **options: Any) -> Any:
    """
    Join as a page does; return the hello, or the code and reason of the end.

    A page comes again if the site did not answer within its second, as clients do.
    """
    options = {"origin": daemon.url, "additional_headers": {"Cookie": cookies}, **options}
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with daemon.socket(subprotocols=["livechat.v1"], **options) as member:
            try:
                return _next(member, "hello")
            except ConnectionClosed:
                end = member.close_received
        assert end is not None
        if end.code != Close.OVERLOADED:
            return end.code, end.reason
    raise AssertionError("the site is never heard")


def says(daemon: Daemon, cookies: str, text: str) -> Any:
    """Send a message as a page does, and return what the room gets."""
    with daemon.socket(
        subprotocols=["livechat.v1"], origin=daemon.url, additional_headers={"Cookie": cookies}
    ) as member:
        _next(member, "hello")
        for _ in range(30):
            member.send(json.dumps({"type": "message", "message": text, "nonce": "1"}))
            told = _next(member, "message", "error")
            if told.get("error", {}).get("code") != "unavailable":
                return told
            Event().wait(0.5)
    raise AssertionError("the site is never heard")


REFUSED = (Close.FORBIDDEN, "The site turns you away: Sign in first.")


def test_a_session_of_the_site_is_an_identity(site: DjangoSite, daemon: Daemon) -> None:
    """
    The cookie of the site's session is the identity in the room; who has signed out is refused at
    the next join.
    """
    visitor = Visitor(site)
    assert joins(daemon, "") == REFUSED
    visitor.signs_in("ann", "wrong")
    assert joins(daemon, visitor.cookies) == REFUSED
    assert "ann" in visitor.signs_in("ann", PASSWORD)
    signed_in = visitor.cookies
    for origin in (daemon.url, "https://www.example"):
        hello = joins(daemon, signed_in, origin=origin)
        assert hello["user"] == {"id": "1", "name": "ann", "verified": True}
        assert "moderate" in hello["can"]
    assert says(daemon, signed_in, "Well, darn.")["message"] == "Well, d***."
    visitor.signs_in("", "")
    assert joins(daemon, signed_in) == joins(daemon, visitor.cookies) == REFUSED


def test_foreign_pages_cannot_use_the_cookie(site: DjangoSite, daemon: Daemon) -> None:
    """A page of another site gets nowhere by its visitor's cookies, nor does one without origin."""
    visitor = Visitor(site)
    visitor.signs_in("ann", PASSWORD)
    assert joins(daemon, visitor.cookies)["user"]["name"] == "ann"
    for origin in ("https://evil.example", "null"):
        with pytest.raises(InvalidStatus, match="403"):
            joins(daemon, visitor.cookies, origin=origin)
    # A program without an origin may say what it likes, but cookies are those of pages.
    assert joins(daemon, visitor.cookies, origin=None) == REFUSED


def test_an_unsigned_question_is_refused(site: DjangoSite) -> None:
    """The site answers nobody who does not know the secret."""
    request = urllib.request.Request(
        f"{site.url}/ask/", b'{"type":"ask","about":"join"}', {"webhook-id": "x"}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=20)
    assert caught.value.code == 401
    caught.value.close()


def _next(member: Member, *kinds: str) -> Any:
    while (frame := json.loads(member.recv()))["type"] not in kinds:
        pass
    return frame
