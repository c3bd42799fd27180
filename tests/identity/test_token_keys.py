"""`livechat.identity.token_keys`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from livechat.identity.token_keys import (
    MOST_KEYS,
    MOST_TRIED,
    Key,
    fitting,
    keys_of_file,
    keys_of_json,
)
from tests.support.certificates import issue
from tests.support.jwts import SECRET, jwk, jwk_set, pem, private_key

RSA, EC, OKP = ("RS256", "PS256"), ("ES256",), ("EdDSA",)
ALL_HMACS = ("HS256", "HS384", "HS512")


@pytest.mark.parametrize(("kind", "algorithms"), [("RSA", RSA), ("EC", EC), ("OKP", OKP)])
def test_the_key_decides(kind: str, algorithms: tuple[str, ...]) -> None:
    """A public key counts with the algorithms of its kind, in whatever form it comes."""
    for data in (pem(kind), json.dumps(jwk(kind)).encode(), jwk_set(jwk(kind))):
        (found,) = keys_of_file(data)
        assert (found.kid, found.algorithms) == (None, algorithms)


def test_a_key_that_says_more() -> None:
    """A JSON Web Key may have an id, and one algorithm."""
    (found,) = keys_of_json(json.dumps(jwk("RSA", "k1", alg="PS256", use="sig")).encode())
    assert (found.kid, found.algorithms) == ("k1", ("PS256",))


def test_a_certificate_gives_its_public_key(tmp_path: Path) -> None:
    """A certificate gives its public key; two in a file are refused."""
    chain, _ = issue(tmp_path)
    first = chain.read_bytes().split(b"-----END CERTIFICATE-----")[0] + b"-----END CERTIFICATE-----"
    (found,) = keys_of_file(first)
    assert found.algorithms in (RSA, EC)
    with pytest.raises(ValueError, match="certificates"):
        keys_of_file(first + b"\n" + first)


@pytest.mark.parametrize(
    ("length", "algorithms"), [(32, ALL_HMACS[:1]), (48, ALL_HMACS[:2]), (64, ALL_HMACS)]
)
def test_a_secret_counts_by_its_length(length: int, algorithms: tuple[str, ...]) -> None:
    """A secret counts with the algorithms that it is long enough for (RFC 7518, section 3.2)."""
    (found,) = keys_of_file(b"\xff" * length)
    assert (found.algorithms, found.material) == (algorithms, b"\xff" * length)
    with pytest.raises(ValueError, match="at least 32 bytes"):
        keys_of_file(b"\xff" * 31)


def test_a_line_end_is_no_part_of_a_secret() -> None:
    """An editor's line end is not part of a secret that is text; of bytes everything counts."""
    for data in (SECRET + b"\n", SECRET + b"\r\n", SECRET):
        assert keys_of_file(data)[0].material == SECRET
    raw = b"\x00\xff" * 16 + b"\n"
    assert keys_of_file(raw)[0].material == raw


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "at least 32 bytes"),
        (b"-----BEGIN PUBLIC KEY-----", "no PEM file"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "broken"),
        (b"{", "no JSON Web Key"),
        (b'{"a":' * 99 + b"1" + b"}" * 99, "no JSON Web Key"),
        (b'{"keys": 7}', "no JSON Web Key"),
        (b'{"keys": []}', "no key for"),
        (jwk_set(*[jwk("EC")] * (MOST_KEYS + 1)), "at most 100"),
        (b'{"kty": 7}', "cannot be used"),
        (b'{"kty": "RSA", "n": "AQAB"}', "cannot be used"),
        (b'{"kty": "EC", "crv": "P-256", "x": "!", "y": "AQAB"}', "cannot be used"),
        (b'{"kty": "RSA", "e": "AQAB", "n": "%b"}' % (b"A" * 2_000), "cannot be used"),
        (b'{"kty": "oct", "k": "AQAB"}', "at least 32 bytes"),
        (json.dumps(jwk("RSA", alg="RS512")).encode(), "no key for"),
        (json.dumps(jwk("RSA", alg="HS256")).encode(), "not for HS256"),
        (json.dumps(jwk("RSA", use="enc")).encode(), "no key for"),
        (json.dumps(jwk("RSA", key_ops=["encrypt"])).encode(), "no key for"),
        (json.dumps(jwk("P-384")).encode(), "no key for"),
        (pem("P-384"), "neither RSA nor P-256"),
    ],
)  # fmt: skip
def test_broken_key_files_say_why(data: bytes, reason: str) -> None:
    """A file that cannot be used says why."""
    with pytest.raises(ValueError, match=reason):
        keys_of_file(data)


def test_weak_keys_are_refused() -> None:
    """An RSA key of 1024 bits can be found out, so it is refused; in a set it does not count."""
    weak = jwk("RSA", bits=1_024)
    for data in (pem("RSA", 1_024), json.dumps(weak).encode(), jwk_set(jwk("EC"), weak)):
        with pytest.raises(ValueError, match="2048 to 8192 bits, and not 1024"):
            keys_of_file(data)
    (found,) = keys_of_json(jwk_set(weak, {"kty": 7}, jwk("EC")), of_others=True)
    assert found.algorithms == EC


def test_private_keys_are_refused() -> None:
    """The private half is not for this server: whoever reads its file could make tokens."""
    data = private_key("EC").private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )  # fmt: skip
    with pytest.raises(ValueError, match="give the public one"):
        keys_of_file(data)


@pytest.mark.parametrize("kind", ["RSA", "EC", "OKP"])
def test_public_keys_in_other_forms(kind: str) -> None:
    """A public key that is no PEM is never taken for a secret, which all would know."""
    public = private_key(kind).public_key()
    for data in (
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b" ann@site\n",
    ):
        with pytest.raises(ValueError, match="public key, which is needed as PEM"):
            keys_of_file(data)


def test_a_published_secret_is_refused() -> None:
    """A secret that is published is none."""
    secret = {"kty": "oct", "k": "A" * 64, "kid": "x"}
    assert keys_of_json(jwk_set(secret))[0].algorithms == ALL_HMACS[:2]
    with pytest.raises(ValueError, match="no key for"):
        keys_of_json(jwk_set(secret), of_others=True)


def test_a_token_is_verified_by_the_named_or_a_nameless_key() -> None:
    """A token may be signed by the key that it names, or by one that has no name."""
    one, two, nameless = (Key(kid, ("ES256",), b"") for kid in ("1", "2", None))
    other = Key("1", ("HS256",), b"")
    keys = [nameless, one, two, other]
    assert fitting(keys, "1", "ES256") == (one, nameless)
    assert fitting(keys, "3", "ES256") == (nameless,)
    assert fitting(keys, None, "ES256") == (nameless, one, two)
    assert fitting(keys, "1", "none") == ()
    assert len(fitting([one] * 99, None, "ES256")) == MOST_TRIED
