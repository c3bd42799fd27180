"""`livechat.backends.redis.presence`, with a real Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from livechat.backends.redis import presence, registry
from livechat.interfaces import IPresenceSink
from livechat.protocol.cluster import Share
from livechat.protocol.messages import User
from tests.backends.redis.processes import Process, ProcessesTest, until

ANN = Share((User("1", "Ann Lee"),), 1, 2)
BOB = Share((User("2", "Bob"),), 1, 1)


@implementer(IPresenceSink)
class Listener:
    """Remembers what other processes say."""

    def __init__(self) -> None:
        self.shares: dict[str, list[Share]] = {}
        self.typed: list[tuple[str, User]] = []
        self.names: list[tuple[str, User, int]] = []

    def present(self, room: str, shares: Sequence[Share]) -> None:
        self.shares[room] = list(shares)

    def typing(self, room: str, user: User) -> None:
        self.typed.append((room, user))

    def renamed(self, room: str, user: User, when: int) -> None:
        self.names.append((room, user, when))


class PresenceRelayTest(ProcessesTest):
    """Two processes that say who is where."""

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        self.listener = self.listens(self.here)

    def listens(self, process: Process) -> Listener:
        listener = Listener()
        known: Any = process.backend.presence
        known.start(listener)
        return listener

    async def hears(self, *shares: Share) -> None:  # type: ignore[override]
        """Until these are at the other process."""
        await until(lambda: self.listener.shares.get("r") == list(shares))

    async def test_changes_are_told_to_the_other_process(self) -> None:
        """Changes at one process are told to the other, and not back to itself."""
        there = self.listens(self.there)
        self.there.backend.presence.share("r", ANN)
        await self.hears(ANN)
        self.there.backend.presence.share("r", BOB)
        await self.hears(BOB)
        self.there.backend.presence.share("r", Share())
        await self.hears()
        assert there.shares.get("r", []) == []
        assert self.server.ask("EXISTS", "lc:{r}:p") == "0"

    async def test_known_when_one_comes(self) -> None:
        """Subscribing to a room brings its present users."""
        self.there.backend.presence.share("other", ANN)
        await until(lambda: self.server.ask("EXISTS", "lc:{other}:p") == "1")
        await self.here.backend.messages.subscribe("other")
        assert self.listener.shares["other"] == [ANN]

    async def test_typing_is_told_and_not_stored(self) -> None:
        """Typing is told to the other process, and stored nowhere."""
        self.there.backend.presence.typing("r", User("1", "Ann Lee"))
        await until(lambda: self.listener.typed)
        assert self.listener.typed == [("r", User("1", "Ann Lee"))]
        assert (await self.here.backend.messages.read("r", 0, 10)).position.seq == 0

    async def test_a_new_name_is_told_to_the_other_process(self) -> None:
        """A guest's new name is told to the other process, and to itself not."""
        there = self.listens(self.there)
        self.there.backend.presence.renamed("r", User("1", "Ann Lee"), 1_790_000_000_123)
        await until(lambda: self.listener.names)
        assert self.listener.names == [("r", User("1", "Ann Lee"), 1_790_000_000_123)]
        assert there.names == []

    async def test_users_of_a_killed_process_go_with_its_lease(self) -> None:
        """The people of a process that was killed are gone when its lease ends."""
        self.patch(registry, "LEASE", 0.3)
        await self.there.backend.beat()
        self.there.backend.presence.share("r", ANN)
        await self.hears(ANN)
        self.there.backend._beating.stop()
        while self.listener.shares["r"]:
            await self.here.backend.beat()
        await until(lambda: self.server.ask("EXISTS", "lc:{r}:p") == "0")

    async def test_users_of_a_stopped_process_stay_for_a_while(self) -> None:
        """Users of a stopped process stay present a while longer, since they may return."""
        third = self.process()
        await third.usable()
        third.backend.presence.share("r", ANN)
        await self.hears(ANN)
        await third.backend.stop()
        await self.here.backend.beat()
        assert self.listener.shares["r"] == [ANN]
        processes = self.here.backend.processes
        now = processes._now
        # The processes' clocks differ a little, hence a second more.
        self.patch(processes, "_now", lambda: now() + int(1000 * (registry.FAREWELL + 1)))
        await self.here.backend.beat()
        assert self.listener.shares["r"] == []

    async def test_what_was_lost_is_said_again(self) -> None:
        """Shares made while Redis was away are known when it is back."""
        await self.kill()
        self.there.backend.presence.share("r", ANN)
        self.server.start()
        await self.usable()
        await self.hears(ANN)

    async def test_many_rooms_are_said_step_by_step(self) -> None:
        """Shares of many rooms are sent in steps, with no more than a step under way."""
        self.patch(presence, "STEP", 10)
        # The beat at the start refreshes, too.
        await self.there.backend.beat()
        relay: Any = self.there.backend.presence
        say, under_way, most, said = relay._say, 0, 0, set()

        def counted(room: str, share: Share, **more: Any) -> Any:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            said.add(room)

            def answered(found: Any) -> Any:
                nonlocal under_way
                under_way -= 1
                return found

            return say(room, share, **more).addBoth(answered)

        relay._mine.update({f"r{number}": ANN for number in range(95)})
        relay._say = counted
        relay.refresh(now=True)
        # A refresh in the middle of another begins with the first room again.
        relay.refresh(now=True)
        await until(lambda: not relay._walking)
        assert len(said) == 95
        assert most <= 20
        # The next refresh is not due yet.
        said.clear()
        relay.refresh()
        assert not said

    async def test_a_room_at_many_processes(self) -> None:
        """Saying it again keeps it in Redis; the others hear of it the more rarely."""
        self.patch(presence, "REFRESH", 0.0)
        self.there.backend.presence.share("r", ANN)
        await self.hears(ANN)
        heard: list[bytes] = []
        published = self.here.backend.published

        def listen(channel: bytes, payload: bytes) -> None:
            if payload.startswith(presence.SHARE):
                heard.append(payload)
            published(channel, payload)

        self.here.backend.published = listen  # type: ignore[method-assign]
        relay: Any = self.there.backend.presence
        relay._others["r"] = {b"%d" % number: BOB for number in range(3 * presence.FEW)}
        for _ in range(8):
            self.server.ask("PEXPIRE", "lc:{r}:p", "5000")
            relay.refresh()
            await until(lambda: not relay._walking)
            assert int(self.server.ask("PTTL", "lc:{r}:p")) > 5_000
        await until(lambda: len(heard) == 2)
        # A lost name is told with the next refresh.
        relay._walk = 0
        relay._unsaid.add("r")
        relay.refresh()
        await until(lambda: len(heard) == 3)

    async def test_that_nobody_is_there_is_said_again(self) -> None:
        """An empty share is repeated after Redis was away, and after a lost push."""
        for cut in (False, True):
            self.there.backend.presence.share("r", ANN)
            await self.hears(ANN)
            if cut:
                told, self.here.backend.published = self.here.backend.published, lambda *_: None  # type: ignore[method-assign]
                self.there.backend.presence.share("r", Share())
                await until(lambda: self.server.ask("EXISTS", "lc:{r}:p") == "0")
                self.server.ask("CLIENT", "KILL", "TYPE", "pubsub")
                self.here.backend.published = told  # type: ignore[method-assign]
            else:
                await self.kill()
                self.there.backend.presence.share("r", Share())
                self.server.start()
                await self.usable()
            await self.hears()

    async def test_a_room_that_is_listened_to_still(self) -> None:
        """Subscribing again brings the users, although the process never stopped listening."""
        self.there.backend.presence.share("r", ANN)
        await self.hears(ANN)
        self.here.backend.messages.unsubscribe("r")
        self.listener.shares.clear()
        await self.here.backend.messages.subscribe("r")
        assert self.listener.shares["r"] == [ANN]

    async def test_one_that_was_taken_for_dead(self) -> None:
        """A process taken for dead publishes its shares as soon as it can."""
        self.there.backend.presence.share("r", ANN)
        await self.hears(ANN)
        for key in self.server.ask("ZRANGE", "lc:{!}:processes", "0", "-1").split():
            self.server.ask("ZREM", "lc:{!}:processes", key)
        await self.here.backend.beat()
        await self.hears()
        await self.there.backend.beat()
        await self.hears(ANN)

    async def test_a_process_that_comes_while_the_registry_is_read(self) -> None:
        """The users of a process stay that came after another had read the registry."""
        processes: Any = self.here.backend.processes
        alive, read, go_on = processes.alive, Deferred[None](), Deferred[None]()

        async def slowly() -> list[bytes]:
            processes.alive = alive
            found: list[bytes] = await alive()
            read.callback(None)
            await go_on
            return found

        processes.alive = slowly
        beaten = Deferred.fromCoroutine(self.here.backend.beat())
        await read
        third = self.process()
        await third.usable()
        third.backend.presence.share("r", ANN)
        await self.hears(ANN)
        go_on.callback(None)
        await beaten
        assert self.listener.shares["r"] == [ANN]
        assert self.server.ask("EXISTS", "lc:{r}:p") == "1"

    async def test_a_process_is_registered_before_it_shares(self) -> None:
        """A process that can use Redis is in the registry: others would drop its shares else."""
        third = self.process()
        not_yet: Deferred[None] = Deferred()
        self.patch(third.backend, "beat", lambda: not_yet)
        await third.usable()
        assert third.backend.processes.name in await self.here.backend.processes.alive()
        not_yet.callback(None)

    async def test_a_lost_push(self) -> None:
        """A push that gets lost is made good by what is said again."""
        self.there.backend.presence.share("r", ANN)
        await self.hears(ANN)
        told, lost = self.here.backend.published, []
        self.here.backend.published = lambda *payload: lost.append(payload)  # type: ignore[method-assign]
        self.there.backend.presence.share("r", BOB)
        await until(lambda: lost)
        self.patch(presence, "REFRESH", 0.0)
        self.here.backend.published = told  # type: ignore[method-assign]
        await self.there.backend.beat()
        await self.hears(BOB)

    async def test_messages_of_an_unknown_version_are_ignored(self) -> None:
        """Messages of an unknown version are ignored."""
        self.there.backend.presence.share("r", ANN)
        await self.hears(ANN)
        self.server.ask("PUBLISH", "lc:0:{r}", "company other nonsense")
        self.server.ask("PUBLISH", "lc:0:{r}", "company")
        self.server.ask("PUBLISH", "lc:0:{r}", "typing other nobody")
        self.server.ask("PUBLISH", "lc:0:{r}", "renamed other 17 nobody")
        self.server.ask("PUBLISH", "lc:0:{r}", "renamed other soon 1 Ann")
        self.there.backend.presence.share("r", BOB)
        await self.hears(BOB)
        assert self.listener.typed == []
        assert self.listener.names == []
