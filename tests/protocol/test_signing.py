"""`livechat.protocol.signing`, beside the library that receivers use."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from livechat.protocol.signing import (
    LONGEST,
    SHORTEST,
    make_secret,
    secret_of_text,
    secret_to_text,
    signed,
    verify,
)

NOW = 1_790_000_000
OLD, NEW = b"o" * 24, b"n" * 32
BODY = b'{"type":"events","data":[{"message":"h\xc3\xa9"}]}'


@given(st.binary(min_size=SHORTEST, max_size=LONGEST), st.text(max_size=50))
def test_the_library_of_receivers_agrees(secret: bytes, text: str) -> None:
    """The receivers' own library takes what we sign, and we take what it signs."""
    body = json.dumps({"message": text}).encode()
    now = int(time.time())
    receiver = Webhook(secret_to_text(secret))
    assert receiver.verify(body, signed([secret], "msg_1", now, body)) == {"message": text}
    from datetime import UTC, datetime  # noqa: PLC0415

    theirs = receiver.sign("msg_2", datetime.fromtimestamp(now, UTC), body.decode())
    headers = {
        "webhook-id": "msg_2", "webhook-timestamp": str(now), "webhook-signature": theirs,
    }  # fmt: skip
    verify([secret], headers, body, now)


def test_either_of_two_secrets_verifies() -> None:
    """While a secret is replaced, receivers of either take what is sent."""
    now = int(time.time())
    headers = signed([NEW, OLD], "msg_1", now, BODY)
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (OLD, NEW):
        Webhook(secret_to_text(secret)).verify(BODY, headers)
        verify([secret], headers, BODY, now)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_to_text(b"x" * 24)).verify(BODY, headers)


@pytest.mark.parametrize(
    ("changed", "body", "why"),
    [
        ({"webhook-id": "msg_2"}, BODY, "no signature fits"),
        ({"webhook-timestamp": str(NOW + 1)}, BODY, "no signature fits"),
        ({}, BODY + b" ", "no signature fits"),
        ({"webhook-signature": "v1,"}, BODY, "no signature fits"),
        ({"webhook-signature": "v1a,é v1,\ud800"}, BODY, "no signature fits"),
        ({"webhook-signature": ""}, BODY, "not signed"),
        ({"webhook-id": ""}, BODY, "not signed"),
        ({"webhook-timestamp": "soon"}, BODY, "its time cannot be one"),
        ({"webhook-timestamp": "9" * 5_000}, BODY, "its time cannot be one"),
        ({"webhook-timestamp": "-1"}, BODY, "its time cannot be one"),
        ({"webhook-timestamp": str(NOW - 301)}, BODY, "differs"),
        ({"webhook-timestamp": str(NOW + 301)}, BODY, "differs"),
    ],
)
def test_a_changed_delivery_fails_verification(
    changed: dict[str, str], body: bytes, why: str
) -> None:
    """A changed or outdated delivery fails verification."""
    headers: dict[str, Any] = signed([OLD], "msg_1", NOW, BODY) | changed
    with pytest.raises(ValueError, match=why):
        verify([OLD], headers, body, NOW)


def test_secrets_are_read_without_padding() -> None:
    """A secret is read with and without the padding of base64."""
    for size in range(SHORTEST, LONGEST + 1):
        secret = bytes(range(size))
        assert secret_of_text(secret_to_text(secret)) == secret
        assert secret_of_text(secret_to_text(secret).rstrip("=")) == secret
    assert make_secret() != make_secret()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        b64encode(OLD).decode(),
        f"whsec_{b64encode(b's' * 23).decode()}",
        f"whsec_{b64encode(b's' * 65).decode()}",
        f"whsec_{'a' * 31}é",
        f"whsec_{'a' * 31} ",
        f"whsec_{'-' * 32}",
    ],
)
def test_bad_secrets_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be whsec_ and base64 of 24 to 64 bytes"):
        secret_of_text(text)
