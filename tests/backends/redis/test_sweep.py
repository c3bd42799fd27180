"""`livechat.backends.redis.sweep`, with a real Redis."""

from __future__ import annotations

from twisted.internet.defer import gatherResults
from twisted.logger import capturedLogs

from livechat.backends.redis import sweep
from livechat.backends.redis.backend import RedisBackend
from livechat.backends.redis.connection import RefusedError
from livechat.backends.retention import Retention, RoomRetention
from livechat.protocol.messages import Draft, Edit, Retraction, User
from livechat.protocol.names import AUDIT_ROOM
from livechat.system.wallclock import DAY, HOLD
from tests.backends.redis.processes import Process, ProcessesTest, until
from tests.support.outcomes import amend, publish
from tests.told_outside import take

AGE = 30 * 86_400
NOW = 1_790_000_000.0


class SweepTest(ProcessesTest):
    """
    Messages that are too old, under a clock that the test moves.

    @ivar later: seconds that have passed since `NOW`.
    @ivar ahead: by how much Redis's clock is wrong.
    """

    async def setUp(self) -> None:  # type: ignore[override]
        self.later = self.ahead = 0.0
        for name in ("STEP_EVERY", "LOOK_EVERY"):
            self.patch(sweep, name, 1_000.0)
        self.patch(sweep, "WALK_EVERY", 0.0)
        self.patch(sweep, "KEEP_EVERY", 0.0)
        await super().setUp()
        # The leader, from now on.
        self.backend = (await self.another()).backend

    def process(self, **options: int) -> Process:
        made = super().process(**options)
        made.backend.wall._wall = lambda: NOW + self.later + self.ahead
        made.backend.wall._elapsed = lambda: self.later
        return made

    async def another(self) -> Process:
        made = self.process(seconds=AGE)
        await made.usable()
        return made

    async def say(self, *rooms: str) -> None:
        await gatherResults([publish(self.backend.messages, Draft(room, "x")) for room in rooms])

    async def sweep(self, backend: RedisBackend | None = None, steps: int = 1) -> None:
        for _ in range(steps):
            (backend or self.backend).wall.compare()
            await (backend or self.backend)._sweep.step()

    async def run_for(self, seconds: float) -> None:
        """Pass time, in which the process looks at its clocks; sweep at the end."""
        end = self.later + seconds
        while self.later < end:
            self.later = min(end, self.later + HOLD)
            self.backend.wall.compare()
        await self.sweep()

    def length(self, room: str = "r") -> int:
        return int(self.server.ask("XLEN", f"lc:{{{room}}}:s"))

    def known(self) -> set[str]:
        """The rooms that a sweep looks at."""
        streams = self.server.ask("ZRANGE", "lc:{!}:idle", "0", "-1").split()
        return {stream.removeprefix("lc:{").removesuffix("}:s") for stream in streams}

    async def test_idle_rooms_take_no_room(self) -> None:
        """Rooms in which nobody speaks any more take no room; their numbers go on."""
        rooms = [f"room{number}" for number in range(120)]
        await self.say(*rooms)
        assert self.known() == set(rooms)
        await self.sweep()
        assert self.length("room7") == 1
        self.later = AGE + 1
        await self.say("other")
        await self.sweep()
        assert self.known() == {"other"}
        assert self.server.ask("EXISTS", "lc:{room7}:s") == "0"
        assert (await publish(self.backend.messages, Draft("room7", "y"))).seq == 2

    async def test_old_messages_go_from_rooms_that_go_on(self) -> None:
        """Old messages go where newer ones stay, some at a time."""
        self.patch(sweep, "MOST", 10)
        await self.say(*["r"] * 25)
        self.later = AGE / 2
        await self.say("r", "r")
        self.later = AGE + 1
        for left in (17, 7, 2, 2):
            await self.sweep()
            assert self.length() == left
        page = await self.backend.messages.read("r", 0, 9)
        assert [message.seq for message in page.messages] == [26, 27]

    async def test_internal_rooms_expire_by_their_own_age(self) -> None:
        """Internal rooms expire by an age of their own, longer or shorter."""
        for age in (AGE // 2, 2 * AGE):
            self.backend._sweep._retention = RoomRetention(Retention(0, AGE, age))
            before = self.later
            await self.say("r", AUDIT_ROOM)
            for later in sorted((age, AGE)):
                self.later = before + later + 1
                await self.sweep()
                assert self.length("r") == (later < AGE)
                assert self.length(AUDIT_ROOM) == (later < age)

    async def test_changed_entries_expire_with_those_of_their_age(self) -> None:
        """Entries that were changed go with those of their age; what stays has no holes."""
        self.patch(sweep, "MOST", 3)
        ann = User("1", "Ann")
        log = self.backend.messages
        for text in "abcd":
            await publish(log, Draft("r", text, ann))
        await amend(log, Retraction("r", (2, 3), ann.subject))
        self.later = AGE / 2
        await amend(log, Edit("r", 1, "e", ann.subject))
        await publish(log, Draft("r", "f", ann))
        self.later = AGE + 1
        for left in (4, 2, 2):
            await self.sweep()
            changed = int(self.server.ask("HLEN", "lc:{r}:x"))
            assert self.length() + changed == left
            page = await log.read("r", 0, 9)
            assert ([each.seq for each in page.entries], page.position.oldest) == ([6, 7], 6)
        self.later = 2 * AGE
        await self.sweep()
        assert self.server.ask("EXISTS", "lc:{r}:s", "lc:{r}:x") == "0"
        page = await log.read("r", 0, 9)
        assert (page.entries, page.position.seq, page.position.oldest) == ((), 7, 8)
        assert (await publish(log, Draft("r", "h", ann))).seq == 8
        assert (await amend(log, Retraction("r", (8,), ann.subject))).event.seq == 9
        assert len((await log.read("r", 0, 9)).entries) == 2

    async def test_rooms_that_keep_less(self) -> None:
        """Entries over a room's own limits go under any clock, also in a silent room."""
        self.patch(sweep, "MANY", 4)
        limits = {"r": (3, 0), "short": (0, 60)}
        await self.say(*["r", "other", "short"] * 10)
        self.backend.messages.retain(lambda room: limits.get(room, (0, 0)))
        self.ahead = 40 * DAY
        for left in (6, 3, 3):
            await self.sweep()
            assert [self.length(room) for room in ("r", "other", "short")] == [left, 10, 10]
        self.ahead, self.later = 0, 61
        await self.sweep()
        assert [self.length(room) for room in ("r", "other", "short")] == [3, 10, 0]
        limits.clear()
        await self.say("r", "short")
        pages = [await self.backend.messages.read(room, 0, 99) for room in ("r", "short")]
        assert [[each.seq for each in page.entries] for page in pages] == [[8, 9, 10, 11], [11]]

    async def test_amended_rooms_that_keep_less(self) -> None:
        """Changed entries go with the others, and what stays has no holes."""
        self.patch(sweep, "MANY", 3)
        ann, log = User("1", "Ann"), self.backend.messages
        for text in "abcdef":
            await publish(log, Draft("r", text, ann))
        await amend(log, Retraction("r", (2, 3), ann.subject))
        log.retain(lambda _: (2, 0))
        for left in (4, 2, 2):
            await self.sweep()
            assert self.length() + int(self.server.ask("HLEN", "lc:{r}:x")) == left
            page = await log.read("r", 0, 9)
            assert ([each.seq for each in page.entries], page.position.oldest) == ([6, 7], 6)
        log.retain(lambda _: (0, 0))
        assert (await log.read("r", 0, 9)).position.oldest == 6

    async def test_storing_removes_nothing_for_its_age(self) -> None:
        """Redis's own clock ends no stream."""
        await self.say("r")
        self.later = AGE + 1
        await self.say("r")
        assert self.length() == 2
        assert self.server.ask("PTTL", "lc:{r}:s") == "-1"
        assert (await self.backend.messages.read("r", 0, 9)).position.oldest == 2

    async def test_one_process_sweeps(self) -> None:
        """A single process sweeps; when it stops or is killed, another one does."""
        await self.say("r")
        self.later = AGE + 1
        await self.sweep()
        other = (await self.another()).backend
        # A new process trusts the time that the leader has kept.
        assert other.wall.trusted
        await self.say("r")
        self.later *= 2
        await self.sweep(other)
        assert self.length() == 1
        await self.backend.stop()
        await until(lambda: self.server.ask("EXISTS", "lc:{!}:sweeper") == "0")
        await self.sweep(other)
        assert self.known() == set()
        assert 0 < int(self.server.ask("PTTL", "lc:{!}:sweeper")) <= 1_000 * sweep.LEASE

    async def test_streams_that_end_by_themselves_are_found(self) -> None:
        """Streams that end by themselves are found, or spoken in, and do not any more."""
        old = [f"old{number}" for number in range(30)]
        for room in old:
            self.server.ask(
                "XADD", f"lc:{{{room}}}:s", "1-0", "t", f"{int(1000 * NOW)}", "i", "a", "m", "x"
            )
            self.server.ask("PEXPIRE", f"lc:{{{room}}}:s", "100000")
        self.server.ask("SET", "lc:{r}:n:a}:s", "a nonce that looks like a stream")
        self.server.ask("SET", "lc:{no}:s", "no stream at all")
        await self.say("old7")
        assert self.server.ask("PTTL", "lc:{old7}:s") == "-1"
        assert self.server.ask("PTTL", "lc:{old8}:s") != "-1"
        self.patch(sweep, "SCANNED", 10)
        self.patch(sweep, "BATCHES", 1)
        await self.sweep(steps=10)
        assert self.known() == set(old)
        assert {self.server.ask("PTTL", f"lc:{{{room}}}:s") for room in old} == {"-1"}
        self.later = AGE + 1
        await self.sweep(steps=3)
        assert self.known() == set()

    async def test_search_is_made_once_a_day(self) -> None:
        """The set is made anew if it was lost."""
        await self.say("r")
        await self.sweep()
        self.server.ask("DEL", "lc:{!}:idle")
        await self.sweep()
        assert self.known() == set()
        assert 0 < int(self.server.ask("PTTL", "lc:{!}:searched")) <= 1_000 * sweep.SEARCH_EVERY
        self.server.ask("DEL", "lc:{!}:searched")
        await self.sweep()
        assert self.known() == {"r"}

    async def test_a_clock_ahead_for_a_minute_loses_nothing(self) -> None:
        """A Redis whose clock is ahead for a minute loses nothing, and stamps go on rightly."""
        await self.say("r")
        self.ahead = 40 * DAY
        await self.run_for(1)
        await self.run_for(HOLD - 1)
        assert (await publish(self.backend.messages, Draft("r", "x"))).time == 1000 * (NOW + HOLD)
        await self.run_for(3)
        assert (await publish(self.backend.messages, Draft("r", "x"))).time > 1000 * (
            NOW + 39 * DAY
        )
        assert [m.seq for m in (await self.backend.messages.read("r", 0, 9)).messages] == [3]
        self.ahead = 0
        await self.run_for(1)
        assert (await publish(self.backend.messages, Draft("r", "x"))).time == 1000 * (
            NOW + self.later
        )
        assert [m.seq for m in (await self.backend.messages.read("r", 0, 9)).messages] == [
            1,
            2,
            3,
            4,
        ]
        assert self.length() == 4

    async def test_stamps_of_a_wrong_clock(self) -> None:
        """Stamps of a wrong clock expire with later entries, and hold up no other room."""
        self.patch(sweep, "BATCH", 1)
        await self.say("r")
        self.ahead = 40 * DAY
        await self.run_for(HOLD + 3)
        await self.run_for(HOLD)
        await self.say("r")
        self.ahead = 0
        await self.run_for(1)
        await self.say("r")
        self.later += 1
        await self.say("other")
        self.later += AGE + 1
        assert (await self.backend.messages.read("r", 0, 9)).position.oldest == 4
        await self.sweep()
        assert self.length() == 2
        assert self.known() == {"r"}
        self.later += 40 * DAY
        await self.sweep()
        assert self.known() == set()

    async def test_a_clock_that_stays_removes_after_a_day(self) -> None:
        """Messages that a new time made too old are removed after a day."""
        await self.say("r")
        self.ahead = 40 * DAY
        await self.run_for(DAY)
        assert self.length() == 1
        await self.run_for(2 * HOLD)
        assert self.known() == set()

    async def test_starts_under_a_wrong_clock(self) -> None:
        """The day is one of running, over all starts; the right time is known again."""
        await self.say("r")
        await self.sweep()
        self.ahead = 40 * DAY
        for _ in range(30):
            await self.backend.stop()
            with capturedLogs() as events:
                self.backend = (await self.another()).backend
            assert any("40 days" in event.get("line", "") for event in events)
            await self.run_for(1_800)
            assert self.length() == 1
        self.ahead = 0
        await self.backend.stop()
        self.backend = (await self.another()).backend
        assert self.backend.wall.trusted
        assert len((await self.backend.messages.read("r", 0, 9)).messages) == 1

    async def test_rooms_without_a_known_time(self) -> None:
        """Without a trusted time nothing is removed for a day."""
        await self.say("r")
        self.server.ask("DEL", "lc:{!}:clock")
        self.server.ask("DEL", "lc:{!}:sweeper")
        self.later = 40 * DAY
        self.backend = (await self.another()).backend
        assert not self.backend.wall.trusted
        await self.sweep()
        assert self.length() == 1

    async def test_a_redis_that_refuses_sweeps_is_seldom_logged(self) -> None:
        """A Redis that refuses is said seldom."""

        async def refused() -> None:
            raise RefusedError("NOPERM no")

        self.patch(self.backend._sweep, "step", refused)
        with capturedLogs() as events:
            for _ in range(20):
                await self.backend._sweep._step_if_possible()
        said = [event for event in events if "cannot be removed" in event["log_format"]]
        assert len(said) == 2

    async def test_held_beside_others(self) -> None:
        """Rooms in which all waits for receivers stay, and hold no other room up."""
        self.patch(sweep, "BATCH", 2)
        self.patch(sweep, "BATCHES", 1)
        held = [f"held{number}" for number in range(5)]
        await self.backend.outbox.keep(["a"])
        for room in (*held, "told"):
            await self.say(room)
            self.later += 0.1
        assert len(await take(self.backend, room="told")) == 1
        self.later = AGE + 1_000
        await self.sweep(steps=4)
        assert self.known() == set(held)
        assert (await self.backend.messages.read("held0", 0, 9)).entries == ()
        for room in held:
            assert len(await take(self.backend, room=room)) == 1
        self.later += 60
        await self.sweep(steps=4)
        assert self.known() == set()
