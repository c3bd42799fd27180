"""`livechat.rooms.dossier`; `tests.web.test_histories` has what is in one."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from livechat.errors import ChatError
from livechat.protocol.messages import Draft, User
from livechat.rooms.dossier import MOST_AT_ONCE, End, Person, Progress
from tests.support import ADMIN, World, run
from tests.support.outcomes import result

ANN = User("42", "Ann", verified=True)


async def _first(lines: Any) -> Any:
    return await anext(lines)


async def _rest(lines: Any) -> list[Any]:
    return [each async for some in lines for each in some]


def test_dossiers_at_once_are_bounded(world: World) -> None:
    """Dossiers read at once are bounded; one that is broken off makes room."""
    world.store.write([Draft("r", "x", ANN)])
    read = world.chat.forgetting.dossiers.read
    made = [read(ADMIN, "42", guest=False) for _ in range(MOST_AT_ONCE)]
    assert all(isinstance(run(_first(each))[0], Person) for each in made)
    with pytest.raises(ChatError, match="already"):
        read(ADMIN, "42", guest=False)
    result(Deferred.fromCoroutine(made[0].aclose()))
    assert run(_rest(read(ADMIN, "42", guest=False)))[-1] == End(messages=1)


def test_one_page_is_in_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than a page of a room is in memory, and the next is read when it is wanted."""
    world.store.write([Draft("r", "x" * 1_000, ANN) for _ in range(500)])
    reads: list[int] = []
    read = world.backend.messages.read

    def counted(room: str, after: int, limit: int) -> Any:
        reads.append(after)
        return read(room, after, limit)

    monkeypatch.setattr(world.backend.messages, "read", counted)
    lines = world.chat.forgetting.dossiers.read(ADMIN, "42", guest=False)
    for _ in range(4):
        run(_first(lines))
    assert reads == [0, 0]
    assert len(run(_first(lines))) < 100
    assert len(reads) == 3


def test_a_store_without_an_archive_refuses(world: World) -> None:
    world.chat.forgetting.dossiers._archive = None
    with pytest.raises(ChatError, match="cannot list its rooms"):
        world.chat.forgetting.dossiers.read(ADMIN, "42", guest=False)


def test_a_long_silence_has_lines_of_progress(world: World) -> None:
    """A long silence is filled with lines of progress."""
    world.store.write([Draft(f"r{number}", "x") for number in range(9)])

    read = world.backend.messages.read

    def slow(room: str, after: int, limit: int) -> Any:
        world.clock.advance(1)
        return read(room, after, limit)

    world.backend.messages.read = slow  # type: ignore[method-assign]
    lines = run(_rest(world.chat.forgetting.dossiers.read(ADMIN, "42", guest=False)))
    assert [type(each) for each in lines[1:-1]] == [Progress] * len(lines[1:-1])
    assert len(lines) > 3
