"""
Signatures of requests to the site: Standard Webhooks 1.0 (https://www.standardwebhooks.com).

A request has an id, a time and a signature for each secret.  While a secret is being replaced there
are two, and a receiver that knows either of them can verify the request.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from secrets import token_bytes
from typing import Final

PREFIX: Final = "whsec_"
#: Bytes of a secret, at least and at most; and those of a made one.
SHORTEST: Final = 24
LONGEST: Final = 64
MADE: Final = 32
#: Secrets at the same time at most.
MOST_SECRETS: Final = 2
#: Seconds by which a time may differ from the receiver's.
TOLERANCE: Final = 300
ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"
#: Signatures that are tried at most.
_MOST_SIGNATURES: Final = 8


def secret_of_text(text: str) -> bytes:
    """
    Read a secret, such as ``whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw``.

    @raise ValueError: it is none.
    """
    data = b""
    if text.startswith(PREFIX):
        coded = text.removeprefix(PREFIX).rstrip("=")
        try:
            data = b64decode(coded + "=" * (-len(coded) % 4), validate=True)
        except (binascii.Error, ValueError):
            data = b""
    if not SHORTEST <= len(data) <= LONGEST:
        raise ValueError(f"must be {PREFIX} and base64 of {SHORTEST} to {LONGEST} bytes")
    return data


def secret_to_text(secret: bytes) -> str:
    """Write a secret as receivers are given it."""
    return PREFIX + b64encode(secret).decode()


def make_secret() -> bytes:
    """Make a secret."""
    return token_bytes(MADE)


def signed(secrets: Sequence[bytes], known_as: str, timestamp: int, body: bytes) -> dict[str, str]:
    """
    Make the headers of a request.

    @param secrets: at least one; each of them makes a signature.
    @param known_as: the id of the request: the same where the same is sent again.
    @param timestamp: the second since 1970.
    """
    signatures = (_signature(each, known_as, str(timestamp), body) for each in secrets)
    return {ID: known_as, TIMESTAMP: str(timestamp), SIGNATURE: " ".join(signatures)}


def verify(secrets: Sequence[bytes], headers: Mapping[str, str], body: bytes, now: float) -> None:
    """
    Check a request as its receiver does.

    @param headers: by lower-case name.
    @param now: the second since 1970.
    @raise ValueError: a header is missing, the time is another, or no signature fits.
    """
    known_as, timestamp = headers.get(ID, ""), headers.get(TIMESTAMP, "")
    if not known_as or not timestamp or not headers.get(SIGNATURE):
        raise ValueError("it is not signed")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16):
        raise ValueError("its time cannot be one")
    if abs(now - int(timestamp)) > TOLERANCE:
        raise ValueError(f"its time differs from ours by more than {TOLERANCE} seconds")
    given = headers[SIGNATURE].encode(errors="replace").split(b" ")[:_MOST_SIGNATURES]
    for secret in secrets:
        expected = _signature(secret, known_as, timestamp, body).encode()
        if any(hmac.compare_digest(each, expected) for each in given):
            return
    raise ValueError("no signature fits: the secret is another")


def _signature(secret: bytes, known_as: str, timestamp: str, body: bytes) -> str:
    content = b".".join((known_as.encode(), timestamp.encode(), body))
    return f"v1,{b64encode(hmac.digest(secret, content, sha256)).decode()}"
