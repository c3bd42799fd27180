"""`livechat.web.token_check`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import LOCAL_KEY, Answer, Port, World, result, run

PATH = "/chat/token/check/"


def check(port: Port, credential: str | None) -> Answer:
    given = {} if credential is None else {"Authorization": f"Bearer {credential}"}
    return port.ask("GET", PATH, **given)


def minted(world: World, **claims: Any) -> str:
    token: str = run(world.door._tokens.mint("42", **claims)).token
    return token


def test_a_check_has_user_end_and_rights(port: Port, world: World) -> None:
    """A token's check has its user, its end and its rights."""
    token = minted(world, name="Ann", role="vip", rooms={"lobby": ["join"]}, seconds=90)
    user = {"id": "42", "name": "Ann", "role": "vip", "verified": True}
    assert check(port, token).json() == {
        "user": user,
        "expires": int(world.wall) + 90,
        "rooms": {"lobby": ["join"]},
    }
    assert check(port, minted(world)).json()["rooms"] is None


def test_why_it_is_refused(port: Port, world: World) -> None:
    """A refused token has the same words as in any other request."""
    token = minted(world, seconds=90)
    altered = f"{token[:-4]}{'A' * 4}"
    for credential, code in (
        (None, "unauthorized"),
        ("nonsense", "unauthorized"),
        ("a.b.c", "unauthorized"),
        (altered, "unauthorized"),
        ("x" * 5_000, "unauthorized"),
    ):
        answer = check(port, credential)
        assert (answer.status, answer.code()) == (401, code), credential
    result(world.leases.revoke_user("42"))
    assert check(port, token).code() == "token_revoked"
    world.wall += 90
    assert check(port, token).code() == "token_expired"


@pytest.mark.parametrize("key", [LOCAL_KEY, "lck_a_b"])
def test_keys_are_no_tokens(port: Port, key: str) -> None:
    assert check(port, key).status == 400
