"""`livechat.daemon.trust`, and how the daemon uses it."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from livechat.daemon.building import build
from livechat.daemon.trust import PublishedKeys, trust
from livechat.errors import StartError
from livechat.identity.key_ring import AGAIN, KeyRing
from livechat.identity.tokens import Tokens
from livechat.system.time import Time
from tests.support import run
from tests.support.jwts import NOW, secret_file, signed
from tests.support.jwts import pem as public_pem
from tests.support.services import config, memory_reactor

TIME = Time(Clock(), lambda: float(NOW))


def test_without_keys_there_is_no_issuer(tmp_path: Path) -> None:
    """Without an option there is no issuer."""
    found = trust(config(tmp_path), memory_reactor(), TIME)
    assert not found.keys
    assert found.keys.trouble() is None
    assert not Tokens(lambda: succeed(b"s"), TIME, 3_600, found).strict


def test_files_verify_issuer_and_audience(tmp_path: Path) -> None:
    """The issuer and the audience are asked of tokens that files verify."""
    secret_file(tmp_path)
    given = {
        "token_keys": "secret", "token_issuer": "me", "token_audience": "chat"
    }  # fmt: skip
    found = trust(config(tmp_path, **given), memory_reactor(), TIME)
    assert (found.issuer, found.audience, found.keys.trouble()) == ("me", "chat", None)
    tokens = Tokens(lambda: succeed(b"s"), TIME, 3_600, found)
    assert run(tokens.known(signed(iss="me", aud="chat"))).user.id == "42"


@pytest.mark.parametrize("data", [b"short", public_pem("RSA", 1_024), None])
def test_broken_key_files_stop_the_start(tmp_path: Path, data: bytes | None) -> None:
    """A server with keys that cannot be used does not start."""
    if data is not None:
        secret_file(tmp_path, data)
    with pytest.raises(StartError, match=r"^--token-keys: cannot"):
        build(config(tmp_path, token_keys="secret"), memory_reactor())


def test_addresses_are_asked_while_the_daemon_runs() -> None:
    """Addresses are asked while the daemon runs, and no longer."""
    clock = Clock()
    asked: list[str] = []

    def fetch(url: str) -> Deferred[bytes]:
        asked.append(url)
        return fail(OSError("away"))

    keys = PublishedKeys(KeyRing([], ["https://issuer.example/"], fetch, Time(clock)))
    keys.startService()
    clock.advance(AGAIN)
    assert len(asked) == 2
    keys.stopService()
    assert clock.getDelayedCalls() == []
