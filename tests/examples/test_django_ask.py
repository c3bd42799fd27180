"""`examples.django_ask`: a real Django says who is in a real livechat."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from livechat.protocol.signing import secret_to_text
from tests.live.daemon import CHEAP, Daemon, Member
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


def enters(daemon: Daemon, cookies: str, origin: str | None = None) -> Member:
    """A page's WebSocket."""
    return daemon.socket(
        subprotocols=["livechat.v1"],
        origin=origin or daemon.url,
        additional_headers={"Cookie": cookies} if cookies else {},
    )


def refused(member: Member) -> tuple[int, str]:
    with member:
        end = member.closed()
    assert end is not None
    return end.code, end.reason


def test_session(site: DjangoSite, daemon: Daemon) -> None:
    """
    The cookie of the site's session is the identity in the room; who has signed out is refused at
    the next join.
    """
    visitor = Visitor(site)
    assert refused(enters(daemon, "")) == (4403, "The site turns you away: Sign in first.")
    visitor.signs_in("ann", "wrong")
    assert refused(enters(daemon, visitor.cookies))[0] == 4403
    assert "ann" in visitor.signs_in("ann", PASSWORD)
    signed_in = visitor.cookies
    for origin in (None, "https://www.example"):
        with enters(daemon, signed_in, origin) as member:
            hello = _next(member, "hello")
            assert hello["user"] == {"id": "1", "name": "ann", "verified": True}
            assert "moderate" in hello["can"]
            member.send(json.dumps({"type": "message", "message": "Well, darn."}))
            assert _next(member, "message")["message"] == "Well, d***."
    visitor.signs_in("", "")
    assert refused(enters(daemon, signed_in)) == (4403, "The site turns you away: Sign in first.")
    assert refused(enters(daemon, visitor.cookies))[0] == 4403


def test_no_hijacking(site: DjangoSite, daemon: Daemon) -> None:
    """A page of another site gets nowhere by its visitor's cookies, nor does one without origin."""
    visitor = Visitor(site)
    visitor.signs_in("ann", PASSWORD)
    with enters(daemon, visitor.cookies) as member:
        assert _next(member, "hello")["user"]["name"] == "ann"
    for origin in ("https://evil.example", "null"):
        with pytest.raises(Exception, match="403"):
            enters(daemon, visitor.cookies, origin)
    # A program without an origin may say what it likes, but cookies are those of pages.
    unnamed = daemon.socket(
        subprotocols=["livechat.v1"], additional_headers={"Cookie": visitor.cookies}
    )
    assert refused(unnamed)[0] == 4403


def test_unsigned(site: DjangoSite) -> None:
    """The site answers nobody who does not know the secret."""
    request = urllib.request.Request(
        f"{site.url}/ask/", b'{"type":"ask","about":"join"}', {"webhook-id": "x"}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=20)
    assert caught.value.code == 401
    caught.value.close()


def _next(member: Member, kind: str) -> Any:
    while (frame := json.loads(member.recv()))["type"] != kind:
        pass
    return frame
