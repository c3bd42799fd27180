"""`livechat.identity.claims`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from livechat.errors import ChatError, Kind
from livechat.identity.claims import (
    LONGEST,
    Claims,
    check_header,
    check_parties,
    check_times,
    claims_of,
    header_of,
    identity_of,
)
from livechat.identity.known import known
from tests.support.jwts import NOW, claims, forged, signed

HOUR = 3_600


def read(**more: Any) -> Claims:
    return claims_of(json.dumps(claims(**more)).encode())


@pytest.mark.parametrize(
    "token",
    ["", "opaque", "a.b", "a.b.c.d", "!.b.c", "e30.b.c", "W10.b.c", "eyJhbGciOjd9.b.c", "é.b.c",
     "A.b.c", "lck_1_2", "." * 9, signed() + ".x"],
)  # fmt: skip
def test_texts_that_are_no_token_are_left_to_others(token: str) -> None:
    """A text that is no token of this form is left to others."""
    assert header_of(token) is None


def test_json_nested_without_end_is_no_header() -> None:
    """JSON that is nested without end is no header."""
    deep: Any = {}
    for _ in range(900):
        deep = [deep]
    assert header_of(forged({"alg": "HS256", "x": deep})) is None


@pytest.mark.parametrize("name", ["jku", "x5u", "crit"])
@pytest.mark.parametrize("value", ["https://evil.example/", ["b64"], None, {}])
def test_headers_that_are_refused(name: str, value: Any) -> None:
    """Nothing that a stranger names is fetched, or taken for an extension."""
    token = forged({"alg": "HS256", name: value})
    header = header_of(token)
    assert header is not None
    with pytest.raises(ChatError, match=f"its header has '{name}'") as caught:
        check_header(token, header)
    assert caught.value.kind is Kind.UNAUTHORIZED


def test_a_token_is_bounded() -> None:
    """A token has an end."""
    token = signed(x="x" * LONGEST)
    header = header_of(token)
    assert header is not None
    with pytest.raises(ChatError, match="more than 4096 characters"):
        check_header(token, header)
    check_header(signed(), header)


@pytest.mark.parametrize(
    "more",
    [{"sub": None}, {"exp": None}, {"iat": None}, {"sub": 42}, {"exp": "soon"}, {"exp": True},
     {"iat": [1]}, {"nbf": "1"}, {"rooms": []}, {"rooms": {"a": "send"}}, {"rooms": {"a": [1]}},
     {"jti": 7}, {"jti": ""}, {"jti": "x" * 129}, {"aud": 7}, {"iss": ["a"]},
     {"x": json.loads("[" * 99 + "]" * 99)}],
)  # fmt: skip
def test_claims_of_another_type(more: dict[str, Any]) -> None:
    """Claims that decide on something must be of their type."""
    with pytest.raises(ChatError, match="its claims cannot be read") as caught:
        read(**more)
    assert caught.value.kind is Kind.UNAUTHORIZED


def test_a_payload_that_is_no_json_has_no_claims() -> None:
    """A payload need not be JSON at all."""
    for payload in (b"", b"x", b"[]", b"\xff", b'{"sub":NaN}', b'{"exp":Infinity}'):
        with pytest.raises(ChatError):
            claims_of(payload)


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({}, None),
        ({"exp": NOW + 0.5}, None),
        ({"exp": NOW}, Kind.TOKEN_EXPIRED),
        ({"exp": NOW - 600}, Kind.TOKEN_EXPIRED),
        ({"exp": -1e300}, Kind.TOKEN_EXPIRED),
        ({"exp": 1e300}, Kind.UNAUTHORIZED),
        ({"iat": -1e300}, Kind.UNAUTHORIZED),
        ({"iat": NOW + 30}, None),
        ({"iat": NOW + 31}, Kind.UNAUTHORIZED),
        ({"iat": NOW + 600, "exp": NOW + 1_200}, Kind.UNAUTHORIZED),
        ({"iat": NOW - 600}, None),
        ({"nbf": NOW + 30}, None),
        ({"nbf": NOW + 31}, Kind.UNAUTHORIZED),
        ({"exp": NOW + HOUR}, None),
        ({"exp": NOW + HOUR + 1}, Kind.UNAUTHORIZED),
    ],
)
def test_times_may_differ_by_half_a_minute(more: dict[str, Any], kind: Kind | None) -> None:
    """Clocks may differ by half a minute, but a token that is over is over."""
    if kind is None:
        check_times(read(**more), NOW, HOUR)
        return
    with pytest.raises(ChatError) as caught:
        check_times(read(**more), NOW, HOUR)
    assert caught.value.kind is kind


@pytest.mark.parametrize(
    ("more", "issuer", "audience", "counts"),
    [
        ({}, None, None, True),
        ({"iss": "a"}, None, None, True),
        ({"iss": "a"}, "a", None, True),
        ({"iss": "a/"}, "a", None, False),
        ({}, "a", None, False),
        ({"aud": "chat"}, None, "chat", True),
        ({"aud": ["x", "chat"]}, None, "chat", True),
        ({"aud": ["x"]}, None, "chat", False),
        ({"aud": []}, None, "chat", False),
        ({"aud": "chats"}, None, "chat", False),
        ({}, None, "chat", False),
        ({"aud": "another server"}, None, None, False),
    ],
)
def test_a_token_counts_from_its_issuer_for_its_audience(
    more: dict[str, Any], issuer: str | None, audience: str | None, counts: bool
) -> None:
    """A token counts from its issuer, and for its audience."""
    if counts:
        check_parties(read(**more), issuer, audience)
        return
    with pytest.raises(ChatError) as caught:
        check_parties(read(**more), issuer, audience)
    assert caught.value.kind is Kind.UNAUTHORIZED


@pytest.mark.parametrize(
    ("more", "name", "role"),
    [
        ({}, "Ann", None),
        ({"name": None, "preferred_username": "ann"}, "ann", None),
        ({"name": 7, "preferred_username": "ann"}, "ann", None),
        ({"name": "\u202e", "preferred_username": "ann"}, "ann", None),
        ({"name": ["Ann"]}, "42", None),
        ({"name": "  Ann\n" + "x" * 99}, "Ann" + "x" * 37, None),
        ({"name": "Admin"}, "42", None),
        ({"role": "vip"}, "Ann", "vip"),
        ({"role": 7}, "Ann", None),
        ({"role": "Operator"}, "Ann", None),
        ({"role": "x" * 99}, "Ann", "x" * 20),
    ],
)
def test_names_and_roles_are_cleaned(more: dict[str, Any], name: str, role: str | None) -> None:
    """Names and roles are cleaned, and never a reason to refuse."""
    user = known(identity_of(read(**more)), NOW).user
    assert (user.name, user.role, user.verified) == (name, role, True)
