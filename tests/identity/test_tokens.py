"""`livechat.identity.tokens`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jwt
import pytest
from twisted.internet.defer import Deferred, fail, succeed

from livechat.errors import ChatError, Kind
from livechat.identity import tokens as module
from livechat.identity.claims import LONGEST
from livechat.identity.key_ring import KeyRing
from livechat.identity.token_keys import Key, keys_of_file
from livechat.identity.tokens import Tokens, Trust
from tests.support import World, run
from tests.support.jwts import NOW, SECRET, forged, pem, private_key, signed

DAY = 86_400


@pytest.fixture
def at(world: World) -> World:
    """A world in which it is `NOW`."""
    world.wall = NOW
    return world


def trusting(world: World, *files: bytes, **parties: str) -> Tokens:
    """Tokens that are verified with what is in these files."""
    ring = KeyRing([Path("keys")], [], lambda _: fail(OSError("no network")), world.time)
    ring.take([key for data in files for key in keys_of_file(data)])
    secret = world.backend.processes.secret
    return Tokens(secret, world.time, 30 * DAY, Trust(ring, **parties))


def kind_of(tokens: Tokens, token: str) -> Kind | None:
    """Why *token* is refused; None if nobody here knows it."""
    try:
        assert run(tokens.known(token)) is None
    except ChatError as error:
        return error.kind
    return None


def test_a_minted_token_says_whose_it_is(world: World) -> None:
    """A token of livechat's own says whose it is, and how long."""
    minted = run(world.tokens.mint("42", name="Ann", seconds=90))
    found = run(world.tokens.known(minted.token))
    assert (found.user.id, found.user.name, found.user.verified) == ("42", "Ann", True)
    assert found.lease.ends == minted.expires == int(world.wall) + 90
    world.wall += 91
    assert kind_of(world.tokens, minted.token) is Kind.TOKEN_EXPIRED


@pytest.mark.parametrize(
    "more", [{"user": "a b"}, {"seconds": 0}, {"seconds": 31 * DAY}, {"rooms": {"a": ["fly"]}},
             {"rooms": {f"room-{n:0>100}": ["send"] for n in range(99)}}]
)  # fmt: skip
def test_cannot_be_minted(world: World, more: dict[str, Any]) -> None:
    """A token that would be refused is not issued."""
    with pytest.raises(ChatError) as caught:
        run(world.tokens.mint(**{"user": "42", **more}))
    assert caught.value.kind is Kind.BAD_REQUEST


def test_own_tokens_always_count(at: World) -> None:
    """Neither the issuer nor the audience of others' tokens is asked of livechat's own."""
    tokens = trusting(at, SECRET, issuer="https://site.example", audience="chat")
    minted = run(tokens.mint("42"))
    assert run(tokens.known(minted.token)).user.id == "42"
    forgery = signed(b"x" * 32, headers={"kid": "livechat"})
    assert kind_of(tokens, forgery) is Kind.UNAUTHORIZED
    assert kind_of(at.tokens, forgery) is Kind.UNAUTHORIZED


@pytest.mark.parametrize(
    "token", ["opaque", signed(), "x" * 2 * LONGEST, signed(x="x" * LONGEST), "é"]
)
def test_without_keys_foreign_tokens_are_ignored(at: World, token: str) -> None:
    """Without trusted keys tokens of other issuers are ignored."""
    assert not at.tokens.strict
    assert kind_of(at.tokens, token) is None


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [("RSA", "RS256"), ("RSA", "PS256"), ("EC", "ES256"), ("OKP", "EdDSA")],
)
def test_tokens_of_a_site_name_users_and_rights(at: World, kind: str, algorithm: str) -> None:
    """A site's tokens say who its users are, and what they may do."""
    tokens = trusting(at, pem(kind))
    given: dict[str, Any] = {"role": "vip", "jti": "t-1", "rooms": {"team-*": ["join", "send"]}}
    found = run(tokens.known(signed(private_key(kind), algorithm, **given)))
    assert (found.user.id, found.user.name, found.user.role) == ("42", "Ann", "vip")
    assert found.grants == {"team-*": {"join", "send"}}
    assert found.lease.ends == NOW + 600
    assert (found.lease.issued, found.lease.token) == (NOW, "t-1")


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_tokens_signed_by_a_shared_secret_count(at: World, algorithm: str) -> None:
    """A secret that the site and the server share will do."""
    found = run(trusting(at, SECRET + b"\n").known(signed(SECRET, algorithm)))
    assert found.user.id == "42"


def test_an_unsigned_token_is_refused(at: World) -> None:
    """A token without a signature is nobody's, whichever key it names."""
    tokens = trusting(at, SECRET, pem("RSA"))
    for header in ({"alg": "none"}, {"alg": "None"}, {"alg": ""}, {"alg": "none", "kid": "x"}):
        assert kind_of(tokens, forged(header)) is None
    assert kind_of(tokens, forged({"alg": "none", "kid": "livechat"})) is Kind.UNAUTHORIZED
    assert tokens.strict


@pytest.mark.parametrize("kind", ["RSA", "EC", "OKP"])
def test_public_key_as_a_secret(at: World, kind: str) -> None:
    """A public key is known to all, so no HMAC with it counts."""
    tokens = trusting(at, pem(kind))
    for key in (pem(kind), pem(kind).strip()):
        assert kind_of(tokens, forged({"alg": "HS256"}, key)) is None


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS512", "HS256"])
def test_a_header_chooses_among_algorithms_of_the_key(at: World, algorithm: str) -> None:
    """A header chooses among what the key is for."""
    key: Any = SECRET if algorithm == "HS256" else private_key("RSA")
    assert kind_of(trusting(at, pem("RSA")), signed(key, algorithm)) is None


def test_a_changed_token_is_refused(at: World) -> None:
    """Nothing of a token can be changed, and nothing of it left out."""
    token = signed()
    tokens = trusting(at, SECRET)
    header, payload, signature = token.split(".")
    other = signed(sub="1").split(".")[1]
    for wrong in (
        f"{header}.{other}.{signature}",
        f"{header}.{payload}.",
        f"{header}.{payload}.{signature[:-4]}",
        f"{header}.{payload}.!",
        signed(SECRET[:-1]),
    ):
        assert kind_of(tokens, wrong) is None
    assert run(tokens.known(token)).user.id == "42"


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"exp": NOW - 600, "iat": NOW - 1_200}, Kind.TOKEN_EXPIRED),
        ({"iat": NOW + 600, "exp": NOW + 1_200}, Kind.UNAUTHORIZED),
        ({"nbf": NOW + 600}, Kind.UNAUTHORIZED),
        ({"exp": NOW + 31 * DAY}, Kind.UNAUTHORIZED),
        ({"iss": "https://other.example"}, Kind.UNAUTHORIZED),
        ({"aud": "another"}, Kind.UNAUTHORIZED),
        ({"sub": "a b"}, Kind.UNAUTHORIZED),
        ({"sub": "x" * 65}, Kind.UNAUTHORIZED),
        ({"sub": None}, Kind.UNAUTHORIZED),
        ({"rooms": {"lobby": ["fly"]}}, Kind.UNAUTHORIZED),
        ({"rooms": {"!audit": ["join"]}}, Kind.UNAUTHORIZED),
        ({"x": "x" * LONGEST}, Kind.UNAUTHORIZED),
        ({"headers": {"crit": ["b64"], "b64": True}}, Kind.UNAUTHORIZED),
        ({"headers": {"jku": "https://evil.example/jwks.json"}}, Kind.UNAUTHORIZED),
    ],
)
def test_a_well_signed_token_may_be_wrong(at: World, more: dict[str, Any], kind: Kind) -> None:
    """A token that is signed well may be wrong all the same."""
    tokens = trusting(at, SECRET, issuer="https://site.example", audience="chat")
    right: dict[str, Any] = {"iss": "https://site.example", "aud": "chat"}
    assert kind_of(tokens, signed(**{**right, **more})) is kind
    assert run(tokens.known(signed(**right))).user.id == "42"


class Counted:
    """Counts the signatures that are verified."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count = 0
        patch.setattr(module, "_verifier", lambda: self)

    def decode(self, token: str, key: Any, algorithms: Sequence[str]) -> Any:
        self.count += 1
        return jwt.PyJWS().decode(token, key, algorithms)


def test_verified_tokens_are_remembered(at: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A storm of reconnects verifies nothing again, until the keys are others."""
    ring = KeyRing([Path("keys")], [], lambda _: fail(OSError("no network")), at.time)
    ring.take(keys_of_file(SECRET))
    tokens = Tokens(at.backend.processes.secret, at.time, DAY, Trust(ring))
    verified, token = Counted(monkeypatch), signed()
    first = run(tokens.known(token))
    for _ in range(9):
        assert run(tokens.known(token)) == first
    assert verified.count == 1
    assert kind_of(tokens, token[:-4] + "AAAA") is None
    ring.take([])
    assert kind_of(tokens, token) is None
    ring.take(keys_of_file(SECRET))
    assert run(tokens.known(token)) == first
    at.wall += 601
    assert kind_of(tokens, token) is Kind.TOKEN_EXPIRED


def test_remembers_so_many(at: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory has a bound; tokens that are used stay."""
    monkeypatch.setattr(module, "MOST_REMEMBERED", 3)
    tokens, verified = trusting(at, SECRET), Counted(monkeypatch)
    first, *others = (signed(sub=str(number)) for number in range(9))
    run(tokens.known(first))
    for each in others:
        run(tokens.known(each))
        run(tokens.known(first))
    assert verified.count == 9
    assert len(tokens._remembered) == 3


class Published:
    """An address of keys, as a test wants it."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: bytes | OSError | Deferred[bytes] = OSError("the address is away")

    def __call__(self, url: str) -> Deferred[bytes]:
        self.asked += 1
        if isinstance(self.answer, Deferred):
            return self.answer
        return fail(self.answer) if isinstance(self.answer, OSError) else succeed(self.answer)


def test_keys_that_cannot_be_had(at: World) -> None:
    """A token that they might verify is refused for now; one of a file's key counts."""
    published = Published()
    ring = KeyRing([], ["https://issuer.example/jwks.json"], published, at.time)
    ring.take([Key(None, ("HS256",), SECRET)])
    tokens = Tokens(at.backend.processes.secret, at.time, DAY, Trust(ring))
    ring.fetch()
    assert run(tokens.known(signed())).user.id == "42"
    for token in (signed(private_key("RSA"), "RS256", headers={"kid": "1"}), signed(b"x" * 32)):
        assert kind_of(tokens, token) is Kind.UNAVAILABLE
    assert kind_of(tokens, "opaque") is None
    ring.stop()
