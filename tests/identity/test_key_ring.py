"""`livechat.identity.key_ring`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from livechat.errors import StartError
from livechat.identity.key_ring import AGAIN, REFRESH, KeyRing
from livechat.system.time import Time
from tests.support import run
from tests.support.jwts import SECRET, jwk, jwk_set, pem, secret_file

URL = "https://issuer.example/jwks.json?secret=1"


class Site:
    """Keys that are published, at a time that tests move."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000)
        self.answer: bytes | OSError | None = jwk_set(jwk("RSA", "1"))
        self.fetched: list[float] = []
        self.under_way: list[Deferred[bytes]] = []
        self.ring = KeyRing([], [URL], self.fetch, Time(self.clock))

    def fetch(self, url: str) -> Deferred[bytes]:
        assert url == URL
        self.fetched.append(self.clock.seconds())
        if self.answer is None:
            self.under_way.append(Deferred())
            return self.under_way[-1]
        return fail(self.answer) if isinstance(self.answer, OSError) else succeed(self.answer)

    def kids(self) -> set[str | None]:
        return {key.kid for kid in ("1", "2") for key in self.ring.fitting(kid, "RS256")}


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.ring.stop()
    assert made.clock.getDelayedCalls() == []


def test_keys_of_all_files_count(tmp_path: Path) -> None:
    """All files' keys count together; one that is broken is one line, and no secret is in it."""
    public = tmp_path / "public.pem"
    public.write_bytes(pem("RSA") + pem("EC"))
    secret = secret_file(tmp_path)
    time = Time(Clock())
    ring = KeyRing([public, secret], [], lambda _: fail(OSError()), time)
    ring.take(ring.read())
    assert [key.algorithms[0] for key in ring.read()] == ["RS256", "ES256", "HS256"]
    assert ring.fitting("any", "ES256")
    assert ring.trouble() is None
    for data, reason in ((b"hunter2", "at least 32 bytes"), (b"x" * 300_000, "more than 262144")):
        secret.write_bytes(data)
        with pytest.raises(StartError, match=f"--token-keys: cannot use .*secret: .*{reason}") as c:
            ring.read()
        assert "hunter2" not in str(c.value)
        assert "\n" not in str(c.value)
    secret.unlink()
    with pytest.raises(StartError, match=r"--token-keys: cannot read .*secret: No such file"):
        ring.read()
    assert ring.fitting("any", "HS256")


def test_a_set_is_fetched_again_in_time(site: Site) -> None:
    """A set is fetched at the start, and again every ten minutes; keys that went count no more."""
    assert site.ring.trouble() is not None
    with capturedLogs() as logs:
        site.ring.fetch()
        assert (site.kids(), site.ring.trouble()) == ({"1"}, None)
        version = site.ring.version
        site.clock.advance(REFRESH)
        assert (len(site.fetched), site.ring.version) == (2, version)
        site.answer = jwk_set(jwk("RSA", "2"))
        site.clock.advance(REFRESH)
        assert (site.kids(), site.ring.version) == ({"2"}, version + 1)
    (line,) = (each for each in logs if "log_namespace" in each)
    assert line["at"] == "https://issuer.example/jwks.json"


@pytest.mark.parametrize(
    "answer", [OSError("there is no answer within 5 seconds"), b"", b"<html>", jwk_set(), b"[" * 99]
)
def test_an_outage_keeps_the_last_good_set(site: Site, answer: bytes | OSError) -> None:
    """The last good set goes on, and the log says so once."""
    site.ring.fetch()
    site.answer = answer
    with capturedLogs() as logs:
        for _ in range(20):
            site.clock.advance(REFRESH)
    assert (site.kids(), site.ring.trouble()) == ({"1"}, None)
    assert len(logs) == 1
    site.answer = jwk_set(jwk("RSA", "2"))
    site.clock.advance(AGAIN)
    assert site.kids() == {"2"}


def test_a_set_that_was_never_there_is_told(site: Site) -> None:
    """Monitors are told why, and it is tried again after half a minute."""
    site.answer = OSError("TLS: certificate verify failed")
    site.ring.fetch()
    assert site.ring.trouble() == (
        "the keys of tokens at https://issuer.example/jwks.json cannot be fetched: "
        "TLS: certificate verify failed"
    )
    site.answer = jwk_set(jwk("RSA", "1"))
    site.clock.advance(AGAIN)
    assert (site.kids(), site.ring.trouble()) == ({"1"}, None)


def test_a_new_key_fetches_the_set_once(site: Site) -> None:
    """A token by a new key has the set fetched again, once for all that wait."""
    site.ring.fetch()
    site.clock.advance(AGAIN)
    site.answer = None
    first, second = (Deferred.fromCoroutine(site.ring.look_for("2")) for _ in range(2))
    outcomes: list[bool] = []
    first.addCallback(outcomes.append)
    second.addCallback(outcomes.append)
    assert (len(site.fetched), outcomes) == (2, [])
    site.under_way[0].callback(jwk_set(jwk("RSA", "1"), jwk("RSA", "2")))
    assert outcomes == [True, True]
    assert site.kids() == {"1", "2"}
    assert not run(site.ring.look_for("1"))
    assert not run(site.ring.look_for(None))
    assert len(site.fetched) == 2


@pytest.mark.parametrize("answer", [None, jwk_set(jwk("RSA", "1")), OSError("away")])
def test_keys_that_never_are(site: Site, answer: bytes | OSError | None) -> None:
    """A thousand of them a second fetch the set twice a minute at most."""
    site.ring.fetch()
    site.answer = answer
    for second in range(600):
        for number in range(1_000 if second % 60 == 45 else 10):
            looking = Deferred.fromCoroutine(site.ring.look_for(f"{second} {number}"))
            looking.addCallback(lambda changed: [][changed:])
        site.clock.advance(1)
        if site.under_way and site.clock.seconds() - site.fetched[-1] >= 5:
            waiting, site.under_way = site.under_way, []
            waiting[0].errback(OSError("there is no answer within 5 seconds"))
    for start in site.fetched:
        assert len([at for at in site.fetched if start <= at < start + 60]) <= 2
    assert len(site.fetched) <= 21


def test_stops_under_way(site: Site) -> None:
    """A client that waits for a set when the server stops is answered; nothing is fetched again."""
    site.answer = None
    site.ring.fetch()
    looking = Deferred.fromCoroutine(site.ring.look_for("1"))
    outcomes: list[bool] = []
    looking.addCallback(outcomes.append)
    site.ring.stop()
    assert outcomes == [False]
    site.ring.fetch()
    assert not run(site.ring.look_for("1"))
    assert len(site.fetched) == 1


def test_a_bug_fetches_the_set_again(site: Site) -> None:
    """A bug is logged, and the set is fetched again."""
    site.answer = None
    site.ring.fetch()
    with capturedLogs() as logs:
        site.under_way[0].errback(ZeroDivisionError())
    assert [each["log_level"].name for each in logs] == ["critical"]
    site.answer = json.dumps(jwk("RSA", "1")).encode()
    site.clock.advance(AGAIN)
    assert site.kids() == {"1"}


def test_secrets_at_an_address(site: Site) -> None:
    """A secret that an address tells everybody is none."""
    site.answer = jwk_set({"kty": "oct", "kid": "1", "k": SECRET.hex()})
    site.ring.fetch()
    assert site.ring.fitting("1", "HS256") == ()
    assert "no key for" in (site.ring.trouble() or "")
