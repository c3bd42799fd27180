"""`livechat.backends.redis.keys`: installations that share a Redis, with a real one."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater

from livechat.backends.redis import connect
from livechat.backends.redis.keys import Keys
from livechat.backends.retention import Retention
from livechat.protocol.cluster import Share
from livechat.protocol.messages import Draft, User
from tests.backends.redis.processes import Process, ProcessesTest
from tests.support.outcomes import publish


@pytest.mark.parametrize("keys", [Keys(), Keys("a-b_C", 12)], ids=str)
def test_keys_of_a_room_share_a_hash_tag(keys: Keys) -> None:
    """All keys of a room have the same hash tag, and its channel gives its name back."""
    for room in ("r", "a.b", "~", "x" * 128):
        assert keys.room(keys.channel(room)) == room
        more = keys.nonce(room, "n"), keys.presence(room), keys.last_of(room, "m"), keys.rate(room)
        assert keys.cursors_of(keys.stream(room)) == keys.cursors(room)
        for key in (*keys.numbering(room), keys.cursors(room), *more):
            assert key.startswith(f"{keys.prefix}:{{{room}}}:".encode())
    assert keys.control == f"{keys.prefix}:{keys.database}:{{!}}".encode()
    for key in (keys.format, keys.generation, keys.secret, keys.processes, keys.shelf("x")):
        assert key.startswith(f"{keys.prefix}:{{!}}:".encode())


class Listener:
    """Hears what other processes say of people."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def present(self, room: str, shares: Any) -> None:
        if shares:
            self.heard.append(shares)

    def typing(self, room: str, user: User) -> None:
        self.heard.append(user)


class InstallationsTest(ProcessesTest):
    """Installations with another database, or another prefix, know nothing of each other."""

    def foreign(self, url: str, prefix: str = "lc") -> Process:
        made = Process(connect(url, self.reactor, Retention(), prefix=prefix))
        self.addCleanup(made.backend.stop)
        return made

    async def apart(self, other: Process) -> None:
        await other.usable()
        await other.backend.messages.subscribe("r")
        listener = Listener()
        assert other.backend.presence is not None
        other.backend.presence.start(listener)  # type: ignore[arg-type]
        generation = other.backend.generation.name
        assert generation != self.here.backend.generation.name
        await self.traffic(10)
        self.here.backend.presence.share("r", Share((User("1", "Ann"),), 1))
        self.here.backend.presence.typing("r", User("1", "Ann"))
        await self.here.backend.begin_anew()
        await self.all_is_well()
        told = [
            gatherResults([publish(other.backend.messages, Draft("r", f"{n}")) for n in range(5)])
        ]
        await gatherResults(told)
        # Pushes that were sent before this answer have arrived.
        await other.backend.beat()
        await deferLater(self.reactor, 0)
        assert other.seqs() == [1, 2, 3, 4, 5]
        assert len(other.epochs()) == 1
        assert other.backend.generation.name == generation
        assert listener.heard == []
        assert len(self.here.heard()) == 10
        assert await self.here.backend.processes.secret() != await other.backend.processes.secret()
        assert len(await other.backend.processes.reports()) == 1

    async def test_channels_know_no_databases(self) -> None:
        """Channels know no databases."""
        await self.apart(self.foreign(f"{self.server.url}?db=3"))

    async def test_two_prefixes_stay_apart(self) -> None:
        """Two prefixes in the same database stay apart."""
        await self.apart(self.foreign(self.server.url, "shop_2"))
        found = set(self.server.ask("KEYS", "*").split())
        assert {key.partition(":")[0] for key in found} == {"lc", "shop_2"}
