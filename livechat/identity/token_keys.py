"""
Keys that verify tokens: from PEM files, from files with a secret, from JSON Web Keys (RFC 7517).

A key decides which algorithms count.  The header of a token only chooses among them, so a public
key is never taken for a secret (RFC 8725, section 3.1).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Final

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    load_der_public_key,
    load_pem_public_key,
    load_ssh_public_key,
)
from msgspec import Struct

from livechat.errors import ChatError
from livechat.protocol.wire import check_depth

#: Bytes that a secret must have, by the algorithm (RFC 7518, section 3.2).
_SECRETS: Final = {"HS256": 32, "HS384": 48, "HS512": 64}
#: Bits of an RSA key: fewer are weak, and more take long.
_WEAKEST: Final = 2_048
_LONGEST: Final = 8_192
#: Keys of a file, or of a set.
MOST_KEYS: Final = 100
#: Keys that are tried for one token.
MOST_TRIED: Final = 8
#: Bytes of a file, or of a set.
LARGEST: Final = 262_144

_PEM: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----", re.DOTALL)

Material = bytes | RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey
#: A number in base64: that of an RSA key of `_LONGEST` bits at most.
_Number = Annotated[str, msgspec.Meta(max_length=_LONGEST // 6 + 1)]


class Key(Struct, frozen=True):
    """
    A key that may have signed tokens.

    @ivar kid: the id that a token's header names it by; None if it has none.
    @ivar algorithms: those that count with it.
    @ivar material: a secret, or a public key.
    """

    kid: str | None
    algorithms: tuple[str, ...]
    material: Material


class _Jwk(Struct):
    """The public members of a JSON Web Key, and the secret of a symmetric one."""

    kty: str
    kid: str | None = None
    use: str | None = None
    alg: str | None = None
    key_ops: list[str] | None = None
    crv: str | None = None
    n: _Number | None = None
    e: _Number | None = None
    x: _Number | None = None
    y: _Number | None = None
    k: _Number | None = None


class _JwkSet(Struct):
    keys: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=MOST_KEYS)]


def fitting(keys: Sequence[Key], kid: str | None, algorithm: str) -> Sequence[Key]:
    """The keys that may have signed a token with this header; those that it names come first."""
    able = [key for key in keys if algorithm in key.algorithms]
    named = [key for key in able if kid is not None and key.kid == kid]
    others = [key for key in able if key.kid is None or kid is None]
    return (*named, *others)[:MOST_TRIED]


def keys_of_file(data: bytes) -> Sequence[Key]:
    """
    The keys in a file: PEM, a JSON Web Key, a set of them, or else a secret.

    @raise ValueError: none is in it, or one cannot be used.
    """
    if b"-----BEGIN " in data:
        return _keys_of_pem(data)
    if data.lstrip()[:1] == b"{":
        return keys_of_json(data)
    if _is_public(data):
        # As a secret it would be one that everybody knows.
        raise ValueError("it is a public key, which is needed as PEM (openssl pkey -pubin)")
    return [_key(None, _without_line_end(data))]


def keys_of_json(data: bytes, *, of_others: bool = False) -> Sequence[Key]:
    """
    The keys of a JSON Web Key, or of a set of them, that can verify tokens.

    @param of_others: it comes by the network.  Then secrets in it do not count, and keys that
        cannot be used are left out.
    @raise ValueError: none is left, or one cannot be used.
    """
    found = []
    # Most servers have no such keys.
    from jwt import PyJWTError  # noqa: PLC0415

    for one in _decoded(data):
        try:
            key = _key_of_jwk(msgspec.json.decode(one, type=_Jwk), secrets=not of_others)
        except (ValueError, TypeError, PyJWTError) as reason:
            if not of_others:
                raise ValueError(f"a key cannot be used: {reason}") from None
        else:
            found += [] if key is None else [key]
    if not found:
        raise ValueError(f"there is no key for {', '.join(_all_algorithms())}")
    return found


def _decoded(data: bytes) -> Sequence[bytes | msgspec.Raw]:
    """
    @raise ValueError: it is no JSON Web Key, and no set of them.
    """
    try:
        check_depth(data)
        is_set = "keys" in msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        return msgspec.json.decode(data, type=_JwkSet).keys if is_set else [data]
    except (msgspec.MsgspecError, UnicodeDecodeError, ChatError):
        raise ValueError(f"it is no JSON Web Key, and no set of at most {MOST_KEYS}") from None


def _keys_of_pem(data: bytes) -> Sequence[Key]:
    found = list(_PEM.finditer(data))
    if sum(each[1] == b"CERTIFICATE" for each in found) > 1:
        # The others are its issuers', as a rule, and those issue no tokens.
        raise ValueError("of its certificates only one can have the key; leave that")
    if not found or len(found) > MOST_KEYS:
        raise ValueError(f"it is no PEM file with 1 to {MOST_KEYS} keys")
    return [_key(None, _of_pem(each[1], each[0])) for each in found]


def _of_pem(label: bytes, text: bytes) -> object:
    if label.endswith(b"PRIVATE KEY"):
        raise ValueError("a private key is for the issuer alone; give the public one")
    try:
        if label == b"CERTIFICATE":
            return x509.load_pem_x509_certificate(text).public_key()
        return load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("it is broken, or of a kind that is not known") from None


def _is_public(data: bytes) -> bool:
    """Tell whether *data* is a public key or a certificate in a form other than PEM."""
    for load in (load_der_public_key, x509.load_der_x509_certificate, load_ssh_public_key):
        with suppress(ValueError, UnsupportedAlgorithm):
            load(data)
            return True
    return False


def _without_line_end(data: bytes) -> bytes:
    """A secret that is text has no line's end, which editors add; any other byte counts."""
    try:
        text = data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        return data
    return text.encode() if text.isprintable() else data


def _key_of_jwk(jwk: _Jwk, *, secrets: bool) -> Key | None:
    """
    Make a key; None for one that is for something else.

    @raise ValueError: it is broken, or weak.
    """
    if jwk.use not in (None, "sig") or not (jwk.key_ops is None or "verify" in jwk.key_ops):
        return None
    if jwk.alg is not None and jwk.alg not in _all_algorithms():
        return None
    members = {
        name: value
        for name in ("kty", "crv", "n", "e", "x", "y", "k")
        if (value := getattr(jwk, name)) is not None
    }
    from jwt import algorithms  # noqa: PLC0415

    material: object
    match jwk.kty, jwk.crv:
        case "RSA", _:
            material = algorithms.RSAAlgorithm.from_jwk(members)
        case "EC", "P-256":
            material = algorithms.ECAlgorithm.from_jwk(members)
        case "OKP", "Ed25519":
            material = algorithms.OKPAlgorithm.from_jwk(members)
        case "oct", _ if secrets:
            material = algorithms.HMACAlgorithm.from_jwk(members)
        case _:
            return None
    return _key(jwk.kid, material, jwk.alg)


def _key(kid: str | None, material: object, only: str | None = None) -> Key:
    """
    @param only: the one algorithm that it is for.
    @raise ValueError: it is weak, or of a kind that is not known.
    """
    counting, found = _usable(material)
    if only is not None:
        counting = tuple(each for each in counting if each == only)
    if not counting:
        raise ValueError(f"it is not for {only}")
    return Key(kid, counting, found)


def _usable(material: object) -> tuple[tuple[str, ...], Material]:
    match material:
        case bytes():
            counting = tuple(each for each, least in _SECRETS.items() if len(material) >= least)
            if not counting:
                raise ValueError(f"a secret has at least {_SECRETS['HS256']} bytes")
            return counting, material
        case RSAPublicKey():
            if not _WEAKEST <= material.key_size <= _LONGEST:
                raise ValueError(
                    f"an RSA key has {_WEAKEST} to {_LONGEST} bits, and not {material.key_size}"
                )
            return ("RS256", "PS256"), material
        case EllipticCurvePublicKey() if isinstance(material.curve, SECP256R1):
            return ("ES256",), material
        case Ed25519PublicKey():
            return ("EdDSA",), material
    raise ValueError("it is neither RSA nor P-256 nor Ed25519")


def _all_algorithms() -> tuple[str, ...]:
    return (*_SECRETS, "RS256", "PS256", "ES256", "EdDSA")
