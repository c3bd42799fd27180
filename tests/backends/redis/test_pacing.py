"""The pace of rooms over several processes, with a real Redis."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from livechat.backends.redis.acts import Sending
from livechat.backends.redis.publisher import PUBLISH, WAIT
from livechat.errors import Kind
from livechat.protocol.messages import Draft, Message
from livechat.rooms.answers import Answer
from tests.backends.redis.notes import note
from tests.backends.redis.processes import ProcessesTest
from tests.pace_contract import outcome, outcomes, paced, waits
from tests.support.outcomes import publish


class PacingTest(ProcessesTest):
    """Two processes in the same room, whose pace Redis keeps."""

    async def race(self, *drafts: Draft) -> list[float | None]:
        """The waits of *drafts*, each of which both processes send in the same moment."""
        both = [outcomes(each.backend, *drafts) for each in (self.here, self.there)]
        found = await gatherResults([Deferred.fromCoroutine(each) for each in both])
        return [waits(each) for some in found for each in some]

    async def test_two_messages_race_in_slow_mode(self) -> None:
        """Two messages race, and exactly one is stored."""
        for number in range(20):
            found = await self.race(paced(f"{number}", f"g:{number}", slow=10))
            assert sorted(wait is None for wait in found) == [False, True]
            assert all(wait is None or 9 < wait <= 10 for wait in found)
        assert len(await self.stored()) == 20

    async def test_slow_is_raced_by_clocks_that_differ(self) -> None:
        """So it is where processes believe other times."""
        self.there.backend.wall._offset -= 5
        for number in range(20):
            found = await self.race(paced(f"{number}", f"g:{number}", slow=10))
            assert sorted(wait is None for wait in found) == [False, True]

    async def test_two_processes_race_for_the_rate_of_a_room(self) -> None:
        """A room takes as many as it may, from all processes together."""
        found = await self.race(*(paced("a", f"g:{n}", rate=50) for n in range(300)))
        # The race itself takes some hundredths of a second.
        assert 50 <= sum(wait is None for wait in found) < 100
        assert len(await self.stored()) == sum(wait is None for wait in found)

    async def test_connections_that_are_cut(self) -> None:
        """No message is refused because of its own first time."""
        sent = []
        for number in range(200):
            if number in (50, 120):
                self.server.ask("CLIENT", "KILL", "TYPE", "normal")
            draft = paced(f"{number}", f"g:{number}", slow=3_600)
            sent.append(publish((self.here, self.there)[number % 2].backend.messages, draft))
            await deferLater(self.reactor, 0)
        kinds: list[Any] = []
        await gatherResults([each.addErrback(note, kinds) for each in sent])
        assert set(kinds) <= {Kind.UNAVAILABLE, Kind.UNKNOWN}
        await self.usable()
        assert len(await self.stored()) >= 200 - len(kinds)

    async def test_a_stored_message_is_found_by_its_tag(self) -> None:
        """A message that was stored is found by its tag, and answered; another one is refused."""
        deadline = self.reactor.seconds() + WAIT
        draft = paced("x", slow=10, room="s")
        found: list[Any] = []
        for tag, again in ((b"tag", False), (b"tag", True), (b"other", True)):
            answer = Answer()
            sending = Sending(draft, tag, answer)
            sending.deadline = deadline
            answer.fired.addBoth(found.append)
            self.here.backend._publisher._send([sending], again=again)
        await outcome(self.here.backend, Draft("s", "y"))
        first, second, other = found
        assert isinstance(first, Message)
        assert second == first
        assert other.value.kind is Kind.SLOW_MODE
        page = await self.here.backend.messages.read("s", 0, 9)
        assert [each.message for each in page.messages] == ["x", "y"]

    async def test_refused_by_a_full_redis(self) -> None:
        """A message that is not stored does not count."""
        self.server.ask("CONFIG", "SET", "maxmemory", "1")
        assert await self._kind(paced("a", slow=10, rate=1)) is Kind.UNAVAILABLE
        self.server.ask("CONFIG", "SET", "maxmemory", "0")
        assert await self._kind(paced("a", slow=10, rate=1)) is None
        assert await self._kind(paced("a", slow=10)) is Kind.SLOW_MODE

    async def _kind(self, draft: Draft) -> Kind | None:
        found = await outcome(self.here.backend, draft)
        return None if isinstance(found, Message) else found.kind

    async def test_an_emptied_redis_begins_its_pace_anew(self) -> None:
        """A lost pace holds nobody up, and the next message counts."""
        await outcome(self.here.backend, paced("a", slow=3_600, rate=1))
        self.server.ask("FLUSHALL")
        assert (await self.race(paced("b", slow=3_600, rate=1))).count(None) == 1

    async def test_slow_mode_outlives_a_killed_redis(self) -> None:
        """A slow mode of hours outlives it."""
        await outcome(self.here.backend, paced("a", slow=3_600))
        self.server.restart()
        await self.usable()
        (here, there) = await self.race(paced("b", slow=3_600))
        assert here is not None
        assert there is not None

    async def test_keys_of_the_pace_expire_and_name_nobody(self) -> None:
        """Keys of the pace expire, do not name the user, and are not written by refusals."""
        await outcome(self.here.backend, paced("a", "u:somebody", slow=10, rate=2))
        keys = {key for key in self.server.ask("KEYS", "lc:{r}:*").split() if key[7] in "tr"}
        (last,) = keys - {"lc:{r}:r"}
        assert last.startswith("lc:{r}:t:")
        assert len(keys) == 2
        assert "somebody" not in last
        assert 5_000 < int(self.server.ask("PTTL", last)) <= 10_000
        assert 0 < int(self.server.ask("PTTL", "lc:{r}:r")) <= 2_000
        before = self.server.ask("GET", last)
        await outcome(self.here.backend, paced("b", "u:somebody", slow=10, rate=2))
        assert self.server.ask("GET", last) == before

    async def test_foreign_values_hold_nobody_up(self) -> None:
        """A key with any other value holds nobody up, and is a time from then on."""
        await outcome(self.here.backend, paced("a", slow=10))
        (key,) = self.server.ask("KEYS", "lc:{r}:t:*").split()
        self.server.ask("DEL", key, "lc:{r}:r")
        for words in (["LPUSH", key, "x"], ["SET", key, "nonsense"], ["SET", key, "1e400"]):
            self.server.ask("DEL", key)
            self.server.ask(*words)
            found = [waits(await outcome(self.here.backend, paced("b", slow=10))) for _ in "12"]
            assert found[1] is not None
            assert 9 < found[1] <= 10

    async def test_messages_without_a_pace_cost_nothing(self) -> None:
        """Without a pace a call has one empty argument more, and no key more."""
        calls: list[tuple[int, int]] = []
        call = self.here.backend._connection.call

        def counted(script: Any, keys: Any, args: Any) -> Any:
            if script is PUBLISH:
                calls.append((len(keys), len(args)))
                assert args[7] == b""
            return call(script, keys, args)

        self.patch(self.here.backend._connection, "call", counted)
        await outcomes(self.here.backend, *[Draft("r", "x")] * 20)
        assert calls == [(6, 8 + 5 * 20)]
