"""`livechat.web.key_office`: one check of the keys that programs and operators make."""

from __future__ import annotations

import pytest

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor, Lease
from livechat.identity.rights import ALL_RIGHTS
from livechat.protocol.back_ends import KeyRequest
from livechat.web.key_office import KeyOffice, checked_grants
from tests.support import ADMIN, World, run

NEWS = {"news": ["send"]}


def office(world: World) -> KeyOffice:
    return KeyOffice(world.chat, world.keys, world.time)


def test_keys_are_made_and_dropped(world: World) -> None:
    made, credential = run(office(world).make(ADMIN, KeyRequest("news", NEWS, as_users=True)))
    assert world.keys.find(credential, here=False).id == made.id
    assert [each.id for each in office(world).all()] == [made.id]
    assert run(office(world).drop(ADMIN, made.id)).record.name == "news"
    assert office(world).all() == []


def test_no_more_than_one_has(world: World) -> None:
    """A key has no more rights than its maker, no later end, and no users unless the maker has."""
    lease = Lease(ends=int(world.wall) + 60, key="k")
    actor = Actor(
        "key", world.source("192.0.2.1"), grants={"news": ALL_RIGHTS}, lease=lease, name="k"
    )
    for asked in (KeyRequest("x", {"*": ["send"]}), KeyRequest("x", NEWS, as_users=True)):
        with pytest.raises(ChatError) as refused:
            run(office(world).make(actor, asked))
        assert refused.value.kind is Kind.FORBIDDEN
    made, _ = run(office(world).make(actor, KeyRequest("x", NEWS, seconds=3_600)))
    assert made.record.expires == lease.ends


@pytest.mark.parametrize("name", ["", " x", "\u200b", "x" * 41])
def test_names_of_keys_are_checked(world: World, name: str) -> None:
    with pytest.raises(ChatError):
        run(office(world).make(ADMIN, KeyRequest(name, NEWS)))


def test_grants_of_keys_are_kept() -> None:
    assert checked_grants(NEWS) == {"news": frozenset({"send"})}


@pytest.mark.parametrize(
    "rooms", [{"a b": ["send"]}, {"a": ["fly"]}, {f"r{n}": ["send"] for n in range(101)}]
)
def test_bad_grants_are_refused(rooms: dict[str, list[str]]) -> None:
    with pytest.raises(ChatError):
        checked_grants(rooms)
