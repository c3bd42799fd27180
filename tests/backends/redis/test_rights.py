"""`livechat.backends.redis.rights`: a real Redis that does not let one do all."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.defer import gatherResults

import livechat.backends.redis
from livechat.backends.redis.acts import MOST_IN_NODE, Nodes
from livechat.backends.redis.base import LOST
from livechat.backends.redis.health import find_nodes
from livechat.backends.redis.keys import Keys
from livechat.errors import Kind
from livechat.protocol.cluster import Share
from livechat.protocol.messages import Draft, Retraction, User
from tests.backends.redis.processes import ProcessesTest, until
from tests.backends.redis.server import RedisServer
from tests.live.daemon import ROOT
from tests.support.outcomes import amend, publish

DIRECTORY = Path(livechat.backends.redis.__file__).parent
#: Commands that the script does not try: they are tried elsewhere, or not needed.
ELSEWHERE = {
    "EVAL", "EVALSHA", "SCRIPT", "SUBSCRIBE", "UNSUBSCRIBE", "PING", "INFO", "CONFIG",
    # Commands of a cluster.
    "CLUSTER", "ASKING", "SPUBLISH",
}  # fmt: skip


def shown() -> list[str]:
    """The words of the line of docs/operations.md."""
    (line,) = re.findall(
        r"^redis-cli (ACL SETUSER .*)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE
    )
    return shlex.split(line)


def test_all_are_tried() -> None:
    """No script, and no module, does what is not tried before."""
    given: set[str] = set()
    for path in (*DIRECTORY.glob("*.lua"), *DIRECTORY.rglob("*.py")):
        if path.name != "rights.lua":
            text = path.read_text()
            given |= set(re.findall(r"redis\.p?call\('([A-Z]+)'", text))
            given |= set(re.findall(r"\bcommand\(\s*b\"([A-Z]+)\"", text))
    tried = set(re.findall(r"\{'([A-Z]+)'", (DIRECTORY / "rights.lua").read_text()))
    assert {"XADD", "PUBLISH", "TIME", "ZADD"} <= given
    assert given - ELSEWHERE <= tried
    assert tried <= given | {"SUBSCRIBE"}


class RightsTest(ProcessesTest):
    """Two processes whose user has the rights that docs/operations.md names."""

    user = "livechat"

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> Iterator[None]:
        with RedisServer(tmp_path / "redis") as self.server:
            assert self.server.ask(*shown()) == "OK"
            password = next(word[1:] for word in shown() if word.startswith(">"))
            self.url = f"unix://{self.user}:{password}@{self.server.socket}"
            yield

    def allow(self, *rights: str) -> None:
        assert self.server.ask("ACL", "SETUSER", self.user, *rights) == "OK"

    def only_when_asked(self) -> None:
        """Beats come from the test, and none in between."""
        for each in (self.here, self.there):
            each.backend._beating.stop()

    async def not_ready(self, *said: str) -> None:
        for each in (self.here, self.there):
            for word in said:
                await each.troubled(word)

    async def test_the_documented_rights(self) -> None:
        """The rights of the line suffice: no command is refused."""
        await self.traffic(20)
        nonce = Draft("r", "once", nonce="n")
        await gatherResults([publish(self.here.backend.messages, nonce) for _ in range(2)])
        await amend(self.here.backend.messages, Retraction("r", (3, 21), moderates=True))
        self.here.backend.presence.share("r", Share((User("id", "Ann"),), 1))
        self.here.backend.presence.typing("r", User("id", "Ann"))
        shared = self.here.backend.shared_map("x", most=9, largest=9)
        await shared.put("k", b"1")
        await shared.drop("k")
        await self.here.backend.messages.newest(["r"])
        await self.here.backend.processes.reports()
        await self.here.backend.begin_anew()
        self.here.backend.messages.unsubscribe("r")
        self.server.ask("SCRIPT", "FLUSH")
        await self.here.backend.beat()
        await self.here.backend._subscriptions.sweep()
        await self.there.backend.stop()
        assert self.server.ask("ACL", "LOG") == ""
        assert self.server.ask("EXISTS", Keys().trial.decode()) == "0"

    async def test_the_size_of_nodes_is_read_or_assumed(self) -> None:
        """The size of nodes is read from Redis if that is allowed, else the default is used."""
        connection = self.here.backend._connection
        self.server.ask("CONFIG", "SET", "stream-node-max-entries", "7")
        self.server.ask("CONFIG", "SET", "stream-node-max-bytes", "0")
        assert await find_nodes(connection) == Nodes(7, MOST_IN_NODE.size)
        self.allow("-config|get")
        assert await find_nodes(connection) == Nodes(100, 4096)

    async def test_a_missing_right_stops_storing(self) -> None:
        """Any missing right is found at the beat and reported, and nothing is stored meanwhile."""
        for command in ("XADD", "PUBLISH", "evalsha", "HSET", "TIME", "ZADD", "subscribe"):
            self.allow(f"-{command}")
            await self.here.backend.beat()
            await self.here.troubled("NOPERM")
            await self.here.troubled(command)
            self.allow(f"+{command}")
            await self.usable()
        assert await self.all_is_well() == []

    async def test_a_right_to_publish_that_is_taken_away(self) -> None:
        """A message of that moment is stored once, and not denied; then nothing is taken."""
        self.only_when_asked()
        await self.traffic(10)
        self.allow("resetchannels")
        await self.send(self.here, "just then")
        assert Kind.UNAVAILABLE not in self.refused
        self.refused.clear()
        await self.here.backend.beat()
        await self.there.backend.beat()
        await self.not_ready("NOPERM", "PUBLISH")
        await self.send(self.here, "no")
        assert self.refused == [Kind.UNAVAILABLE]
        self.allow("&lc:*")
        await self.usable()
        await self.traffic(10)
        stored = await self.all_is_well()
        assert stored[10:11] == ["just then"]
        assert len(stored) == 21
        assert len(self.here.epochs()) == 1

    async def test_a_right_to_subscribe_that_is_missing(self) -> None:
        """Messages that nobody here could hear are refused at once."""
        self.only_when_asked()
        self.allow("-subscribe")
        self.server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        await self.not_ready("NOPERM", "subscribe")
        await until(lambda: self.here.backend._unheard > LOST)
        refused = self.send(self.here, "no")
        assert refused.called
        assert self.refused == [Kind.UNAVAILABLE]
        self.allow("+subscribe")
        await self.usable()
        await self.traffic(10)
        assert len(await self.all_is_well()) == 10

    async def test_what_comes_after_storing(self) -> None:
        """A message that is stored is acknowledged, whatever the script may not do then."""
        self.only_when_asked()
        self.allow("-set", "-hset", "-zadd", "-publish")
        await publish(self.here.backend.messages, Draft("r", "stored", nonce="n"))
        self.allow("+set", "+hset", "+zadd", "+publish")
        await self.usable()
        await self.traffic(1)
        assert (await self.all_is_well())[0] == "stored"

    async def test_a_right_to_keys_that_is_missing(self) -> None:
        self.allow("resetkeys")
        await self.here.backend.beat()
        await self.here.troubled("NOPERM")
        self.allow("~lc:*")
        await self.usable()
        await self.traffic(10)
        await self.all_is_well()

    async def test_what_can_be_changed_and_not_told(self) -> None:
        """A map that was changed, and a generation that began, are so."""
        self.only_when_asked()
        shared = self.here.backend.shared_map("x", most=9, largest=9)
        self.allow("resetchannels")
        await shared.put("k", b"1")
        assert shared.get("k") == b"1"
        before = self.here.backend.generation.name
        await self.here.backend.begin_anew()
        assert self.here.backend.generation.name not in (before, b"")

    async def test_info_is_not_needed(self) -> None:
        """INFO is asked for, but not needed."""
        self.allow("-info", "-config")
        third = self.process()
        await third.usable()
