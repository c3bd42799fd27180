"""Tokens that are revoked, by `livechat.rooms.actions`."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from livechat.errors import ChatError, Kind
from livechat.identity.actor import ALL_GRANTS, Actor, Lease
from livechat.identity.rights import ALL_RIGHTS
from livechat.protocol.audit import Action as Recorded
from livechat.protocol.messages import (
    User,
)
from livechat.protocol.v1 import Ack
from tests.rooms.acting import does, records, refusal
from tests.support import SOMEBODY, World

MANAGER = Actor(
    "key", SOMEBODY.source, grants=ALL_GRANTS, lease=Lease(key="local"), name="back end"
)


@pytest.mark.parametrize(
    "action",
    [
        {},
        {"user": "42", "token": "t"},
        {"user": ""},
        {"user": "a!b"},
        {"user": "!operator"},
        {"user": "x" * 65},
        {"user": 42},
        {"token": ""},
        {"token": "x" * 201},
    ],
)
def test_what_cannot_be_revoked(world: World, action: dict[str, Any]) -> None:
    """Neither nobody nor everybody; and it is refused before anything is known of who asks."""
    for actor in (MANAGER, SOMEBODY):
        assert refusal(world, actor, {"type": "revoke", **action}) is Kind.BAD_MESSAGE


def test_who_may_not_revoke(world: World) -> None:
    """Revoking takes the right to manage everywhere, not in one room only."""
    for grants in ({"r": ALL_RIGHTS}, {"*": ALL_RIGHTS - {"manage"}}, {}):
        lesser = replace(MANAGER, grants=grants, rights={})
        assert refusal(world, lesser, {"type": "revoke", "user": "42"}) is Kind.FORBIDDEN
    assert refusal(world, SOMEBODY, {"type": "revoke", "user": "42"}) is Kind.UNAUTHORIZED
    assert records(world) == []


def test_a_revocation_is_in_force_and_recorded(world: World) -> None:
    """A user's tokens count no more, and it is recorded by whom; so is a single token."""
    users = [
        Actor("user", SOMEBODY.source, User(known_as, "A", verified=True), lease=Lease(1, token=t))
        for known_as, t in (("42", "a"), ("7", "b"), ("8", "c"))
    ]
    ack = does(world, MANAGER, {"type": "revoke", "user": "42", "nonce": "n"})
    assert ack == Ack(time=world.chat.now(), nonce="n")
    does(world, MANAGER, {"type": "revoke", "token": "b"})
    for revoked in users[:2]:
        with pytest.raises(ChatError) as refused:
            world.chat.leases.check(revoked)
        assert refused.value.kind is Kind.TOKEN_REVOKED
    world.chat.leases.check(users[2])
    assert [(each.action, each.by.name) for each in records(world)] == [
        (Recorded("revoke", user=User("42", "42", verified=True)), "back end"),
        (Recorded("revoke", token="b"), "back end"),
    ]


def test_revoked_without_a_record(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room for the record nobody is revoked."""
    monkeypatch.setattr("livechat.events.recording.MOST_WAITING", 0)
    assert refusal(world, MANAGER, {"type": "revoke", "user": "42"}) is Kind.UNAVAILABLE
