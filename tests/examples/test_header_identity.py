"""`examples.header_identity`."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.header_identity import RemoteUser
from livechat.config import Config
from livechat.errors import ChatError, StartError
from livechat.extensions import load
from livechat.interfaces import Credentials, Identity


def asked(*values: str, proxied: bool = True) -> Identity | None:
    headers = {"x-remote-user": values} if values else {}
    return RemoteUser().authenticate(Credentials(headers, "192.0.2.1", proxied=proxied))


def test_a_forged_header_is_ignored() -> None:
    """The header of a client that comes without a proxy is ignored."""
    assert asked("ann", proxied=False) is None


def test_two_headers_are_refused() -> None:
    """A client that adds a header of its own to the proxy's is refused."""
    with pytest.raises(ChatError):
        asked("ann", "bob")


def test_the_word_of_a_proxy_counts() -> None:
    """The proxy's word counts; without one, or with an empty one, the client is a guest."""
    assert asked("ann") == Identity("ann")
    assert asked() is None
    assert asked("") is None


def test_without_a_trusted_proxy_it_does_not_start() -> None:
    """The extension does not start where no proxy is trusted."""
    given = {"extension": ["examples.header_identity.HeaderIdentity"]}
    with pytest.raises(StartError, match=r"without --trust-proxy$"):
        load(Config.of(given, {}, Path("/")))
    trusted = given | {"trust-proxy": ["127.0.0.1"]}
    assert len(load(Config.of(trusted, {}, Path("/"))).authenticators) == 1
