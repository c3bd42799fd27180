"""An actor may act in a room if and only if `livechat.identity.rights` says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from livechat.errors import ChatError, Kind
from livechat.identity import rights
from livechat.identity.actor import Actor
from livechat.identity.rights import EVERYWHERE, Grants, Right
from livechat.protocol.messages import User
from livechat.protocol.settings import Guests
from livechat.protocol.settings import RoomSettings as Settings
from livechat.rooms.history import Window
from tests.support import SOMEBODY, RecordingClient, RecordingSink, World, result

ROOMS = ("lobby", "team-a", "team-b")
#: The refusals of acts that need a right.
REFUSED = {Kind.FORBIDDEN, Kind.UNAUTHORIZED}
AUTHOR = Actor("user", SOMEBODY.source, User("author", "Author", verified=True))


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Guests, World]]:
    """A world for each that guests may."""
    made: dict[Guests, World] = {}
    for guests in get_args(Guests):
        directory: Path = tmp_path_factory.mktemp(guests)
        made[guests] = World(directory, guests=guests)
    yield made
    for each in made.values():
        each.close()


def joins(world: World, actor: Actor, room: str) -> Any:
    client = RecordingClient()

    async def visit() -> None:
        await world.chat.join(actor, room, client)
        world.chat.leave(actor, room, client)

    return visit()


def watches(world: World, actor: Actor, room: str) -> Any:
    sink = RecordingSink()

    async def look() -> None:
        await world.chat.watch(actor, room, sink)
        world.chat.unwatch(room, sink)

    return look()


async def sends(world: World, actor: Actor, room: str) -> None:
    await world.chat.send(actor, room, "hi")


async def retracts_anothers(world: World, actor: Actor, room: str) -> None:
    said = await world.chat.send(AUTHOR, room, "by somebody else")
    await world.chat.retract(actor, room, [said.seq])


Act = Callable[[World, Actor, str], Any]
ACTS: list[tuple[Right, bool, Act]] = [
    ("join", False, joins),
    ("join", False, watches),
    ("join", False, lambda world, actor, room: world.chat.place(actor, room)),
    ("join", False, lambda world, actor, room: world.chat.overview.room(actor, room)),
    ("history", False, lambda world, actor, room: world.chat.history(actor, room, Window())),
    ("send", False, sends),
    ("moderate", False, retracts_anothers),
    ("manage", True, lambda world, actor, room: world.chat.overview.rooms(actor)),
    ("manage", True, lambda world, actor, room: world.chat.overview.reports(actor)),
    ("moderate", True, lambda world, actor, room: world.chat.audit.history(actor, Window())),
]
PATTERNS = st.sampled_from([*ROOMS, "team-*", "*", "lob*"])
GRANTS = st.dictionaries(PATTERNS, st.frozensets(st.sampled_from(get_args(Right))), max_size=4)


@given(
    guests=st.sampled_from(get_args(Guests)),
    kind=st.sampled_from(get_args(rights.Kind)),
    grants=st.none() | GRANTS,
    rooms=st.lists(st.sampled_from(ROOMS), min_size=1, max_size=3),
    acts=st.lists(st.sampled_from(ACTS), min_size=1, max_size=6),
)
def test_rights_of_one_room_say_nothing_of_another(
    worlds: dict[Guests, World],
    guests: Guests,
    kind: rights.Kind,
    grants: Grants | None,
    rooms: list[str],
    acts: list[tuple[Right, bool, Act]],
) -> None:
    """An actor's rights in one room say nothing of another, in any order of acts."""
    world = worlds[guests]
    user = User("42", "Ann", verified=kind == "user")
    actor = Actor(kind, SOMEBODY.source, user, returns=True, connection="c", grants=grants)
    for room in rooms:
        for needs, everywhere, act in acts:
            where = EVERYWHERE if everywhere else room
            may = needs in rights.rights(kind, grants, where, Settings(guests=guests))
            assert was_allowed(act(world, actor, room)) is may, (act, room)


def was_allowed(act: Any) -> bool:
    async def attempt() -> bool:
        try:
            await act
        except ChatError as error:
            return error.kind not in REFUSED
        return True

    return bool(result(Deferred.fromCoroutine(attempt())))
