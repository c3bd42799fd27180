"""`livechat.backends.sqlite.archive`; `tests/archive_contract.py` has the rest."""

from __future__ import annotations

import pytest

from livechat.backends.sqlite import archive
from livechat.protocol.messages import Draft
from tests.support import World
from tests.support.outcomes import result


def test_rooms_are_named_in_steps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rooms are named in steps, by name; a cursor outlives what is said meanwhile."""
    monkeypatch.setattr(archive, "ROOMS", 2)
    world.store.write([Draft(room, "x") for room in ("c", "a", "d", "b")])
    names, cursor = result(world.backend.archive.rooms(""))
    assert (names, cursor) == (["a", "b"], "b")
    world.store.write([Draft("bb", "x")])
    names, cursor = result(world.backend.archive.rooms(cursor))
    assert names == ["bb", "c"]
    assert result(world.backend.archive.rooms(cursor)) == (["d"], "")
