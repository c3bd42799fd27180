"""Tokens of a site, and its keys."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import algorithms

#: The time of tests, in seconds since 1970.
NOW = 1_790_000_000
SECRET = b"a secret of sixty-four bytes, so that every kind of HMAC takes it"
Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def private_key(kind: str, bits: int = 2_048) -> Private:
    """A key, made once."""
    return _made(kind, bits)


@cache
def _made(kind: str, bits: int) -> Private:
    match kind:
        case "RSA":
            return rsa.generate_private_key(65_537, bits)
        case "EC":
            return ec.generate_private_key(ec.SECP256R1())
        case "P-384":
            return ec.generate_private_key(ec.SECP384R1())
        case _:
            return ed25519.Ed25519PrivateKey.generate()


def pem(kind: str, bits: int = 2_048) -> bytes:
    """The public half of a key."""
    public = private_key(kind, bits).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def jwk(kind: str, kid: str | None = None, bits: int = 2_048, **more: Any) -> dict[str, Any]:
    """The public half of a key, as a JSON Web Key."""
    kinds: dict[str, Any] = {
        "RSA": algorithms.RSAAlgorithm,
        "EC": algorithms.ECAlgorithm,
        "P-384": algorithms.ECAlgorithm,
        "OKP": algorithms.OKPAlgorithm,
    }
    made: dict[str, Any] = kinds[kind].to_jwk(private_key(kind, bits).public_key(), as_dict=True)
    made.pop("key_ops", None)
    return made | ({} if kid is None else {"kid": kid}) | more


def jwk_set(*keys: Mapping[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


def claims(now: float = NOW, **more: Any) -> dict[str, Any]:
    """The claims of a token; None leaves one out."""
    given = {"sub": "42", "name": "Ann", "iat": int(now), "exp": int(now) + 600} | more
    return {name: value for name, value in given.items() if value is not None}


def signed(
    key: Any = SECRET,
    algorithm: str = "HS256",
    *,
    headers: dict[str, Any] | None = None,
    now: float = NOW,
    **more: Any,
) -> str:
    """A token of the site."""
    # Not jwt.encode, which knows what claims should be like.
    payload = json.dumps(claims(now, **more)).encode()
    return jwt.PyJWS().encode(payload, key, algorithm, headers)


def forged(header: Mapping[str, Any], key: bytes = b"", **more: Any) -> str:
    """A token with any header, perhaps with an HMAC by any key."""
    parts = [_encoded(json.dumps(each).encode()) for each in (header, claims(**more))]
    signature = hmac.digest(key, ".".join(parts).encode(), "sha256") if key else b""
    return ".".join([*parts, _encoded(signature)])


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def secret_file(directory: Path, data: bytes = SECRET) -> Path:
    path = directory / "secret"
    path.write_bytes(data)
    return path
