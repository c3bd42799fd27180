"""`livechat.backends.redis.layout`, with a real Redis."""

from __future__ import annotations

from twisted.internet.defer import gatherResults

from livechat.backends.redis import connect
from livechat.backends.retention import Retention
from livechat.protocol.messages import Retraction
from tests.backends.redis.processes import Process, ProcessesTest, until
from tests.support.outcomes import amend


class LayoutTest(ProcessesTest):
    """The keys of another layout are taken over, or refused."""

    def before(self, *commands: str) -> None:
        """Fill Redis before any process comes."""
        self.server.ask("FLUSHALL")
        for command in commands:
            assert not self.server.ask(*command.split()).startswith("ERR")

    async def test_an_older_layout_is_taken_over(self) -> None:
        """Guests and operators stay the same, and rooms keep their epochs."""
        await gatherResults([each.backend.stop() for each in (self.here, self.there)])
        self.before(
            "SET lc:generation abc",
            "SET lc:secret 12345678901234567890123456789012",
            'SET lc:shelf:operators {"sessions":{"h":1790000000}}',
            "ZADD lc:processes 1 lc:process:gone",
            "XADD lc:{r}:s 1-0 t 1790000000000 i tag m old",
            "HSET lc:{r}:m s 1 t 1790000000000 i tag",
        )
        after = self.process()
        operators = after.backend.shared_map("operators", most=9, largest=32)
        await after.usable()
        assert await after.backend.processes.secret() == b"12345678901234567890123456789012"
        assert operators.items() == [("sessions:h", b"1790000000")]
        page = await after.backend.messages.read("r", 0, 10)
        assert [message.message for message in page.messages] == ["old"]
        assert page.position.epoch == after.backend.generation.epoch("r", b"")
        assert after.backend.generation.name == b"abc"
        names = set(self.server.ask("KEYS", "lc:*").split())
        assert names & {"lc:generation", "lc:secret", "lc:shelf:operators", "lc:processes"} == set()
        # Once: what is put there later is not.
        self.server.ask("SET", "lc:secret", "other")
        again = self.process()
        await again.usable()
        assert await again.backend.processes.secret() == b"12345678901234567890123456789012"

    async def test_not_taken_over_by_another_prefix(self) -> None:
        """The names of before are those of the default prefix."""
        self.before("SET lc:secret 12345678901234567890123456789012")
        other = Process(connect(self.url, self.reactor, Retention(), prefix="other"))
        self.addCleanup(other.backend.stop)
        await other.usable()
        assert await other.backend.processes.secret() != b"12345678901234567890123456789012"
        assert self.server.ask("EXISTS", "lc:secret") == "1"

    async def test_an_older_livechat_is_there(self) -> None:
        """Two layouts are not used at a time: the rooms wait until the older one has gone."""
        await gatherResults([each.backend.stop() for each in (self.here, self.there)])
        self.before("ZADD lc:processes 1 lc:process:old", "SET lc:process:old report")
        after = self.process()
        await after.troubled("an older livechat still serves its rooms")
        self.server.ask("DEL", "lc:process:old")
        await after.usable()

    async def test_rooms_of_messages_only(self) -> None:
        """
        Rooms of the layout before stay as they are, once its processes are gone: these would
        show events as messages.
        """
        await gatherResults([each.backend.stop() for each in (self.here, self.there)])
        self.before(
            "SET lc:{!}:format 2",
            "SET lc:{!}:generation abc",
            "ZADD lc:{!}:processes 1 lc:{!}:process:old",
            "SET lc:{!}:process:old report",
            "XADD lc:{r}:s 4-0 t 1790000000000 i tag4 m old",
            "XADD lc:{r}:s 5-0 t 1790000000000 i tag5 m older",
            "HSET lc:{r}:m s 5 t 1790000000000 i tag5 w word",
        )
        after = self.process()
        await after.troubled("an older livechat still serves its rooms")
        assert self.server.ask("GET", "lc:{!}:format") == "2"
        self.server.ask("DEL", "lc:{!}:process:old")
        await after.usable()
        assert self.server.ask("GET", "lc:{!}:format") == "3"
        page = await after.backend.messages.read("r", 0, 10)
        assert [each.seq for each in page.messages] == [4, 5]
        assert (page.position.oldest, page.position.event) == (4, 0)
        assert page.position.epoch == after.backend.generation.epoch("r", b"word")
        retraction = Retraction("r", (4,), moderates=True)
        assert (await amend(after.backend.messages, retraction)).event.seq == 6
        page = await after.backend.messages.read("r", 0, 10)
        assert [each.seq for each in page.entries] == [4, 5, 6]
        assert (page.position.oldest, page.position.event) == (4, 6)

    async def test_a_newer_layout_stops_a_new_process(self) -> None:
        """A process that has served nobody does not run; one that has waits."""
        self.server.ask("SET", "lc:{!}:format", "4")
        reasons: list[str] = []
        new = connect(self.url, self.reactor, Retention(), refuse=reasons.append)
        Process(new)
        self.addCleanup(new.stop)
        await until(lambda: reasons)
        assert "layout 4" in reasons[0]
        assert "--redis-prefix" in reasons[0]
        await new.stop()
        self.server.ask("CLIENT", "KILL", "TYPE", "normal")
        await self.here.troubled("layout 4")
        self.server.ask("SET", "lc:{!}:format", "3")
        await self.here.usable()
