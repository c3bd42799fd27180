"""`livechat.webhooks.telling`: the lease, and the receivers at the process that has it."""

from __future__ import annotations

from livechat import metrics
from livechat.events.leading import TRY_EVERY
from livechat.protocol.receivers import receiver_name
from livechat.webhooks.telling import REPORT_EVERY
from tests.support.outcomes import result
from tests.webhooks.receiving import NOW, URL, World, refused, status


def test_entries_are_kept_before_any_is_told() -> None:
    """Entries are kept for the receivers before any is told; while the store is away, later."""
    world = World()
    world.outbox.away = True
    world.telling.start()
    world.go(5)
    assert world.outbox.kept == []
    assert not world.telling.leads()
    world.outbox.away = False
    world.go(2)
    assert world.outbox.kept == [frozenset({receiver_name(URL)})]
    assert world.telling.leads()


def test_a_process_without_the_lease_sends_nothing() -> None:
    """A process without the lease sends nothing, and begins when it gets it."""
    world = World()
    world.outbox.leads_for = 0.0
    world.start()
    world.outbox.say("a")
    world.go(30)
    assert world.receiver.heard == []
    world.outbox.leads_for = 10.0
    world.go(TRY_EVERY + 1)
    assert world.receiver.heard == ["a"]


def test_nothing_is_sent_beyond_the_lease() -> None:
    """Nothing is sent beyond the lease, and what is on its way is cut off with it."""
    world = World()
    world.receiver.usual = world.receiver.hang
    world.start()
    world.outbox.say("a")
    world.go(1)
    assert len(world.receiver.ids) == 1
    world.outbox.away = True
    world.go(8)
    assert world.receiver.cut == 0
    world.go(3)
    assert world.receiver.cut == 1
    assert not world.telling.leads()
    world.go(30)
    assert len(world.receiver.ids) == 1
    world.outbox.away = False
    world.receiver.usual = status(200)
    world.go(10)
    assert world.receiver.heard == ["a", "a"]


def test_stopped_by_the_kernel() -> None:
    """A process that was held up for longer than its lease sends nothing of what it has read."""
    world = World()
    world.start()
    world.outbox.leads_for = 0.0
    world.outbox.say("a")
    world.clock.advance(60)
    world.go(5)
    assert world.receiver.heard == []


def test_a_stopped_process_sends_nothing() -> None:
    """Once it is stopped nothing is sent, and nothing is left to do."""
    world = World()
    world.receiver.usual = world.receiver.hang
    world.start()
    world.outbox.say("a")
    world.go(1)
    world.telling.stop()
    assert world.receiver.cut == 1
    world.outbox.say("b")
    world.go(60)
    assert len(world.receiver.ids) == 1
    assert world.clock.getDelayedCalls() == []


def test_all_processes_see_states_of_receivers() -> None:
    """All processes, and monitors, see the state of each receiver."""
    world = World()
    assert world.state().state == "unknown"
    world.receiver.usual = refused("no route")
    world.start()
    world.outbox.say("a", "b")
    world.go(60)
    state = world.state()
    assert (state.state, state.waiting, state.sent) == ("failing", 2, 0)
    assert state.failed == state.in_a_row >= 5
    assert (state.answer.status, state.answer.text) == (None, "no route")
    assert state.oldest == int(1000 * NOW)
    assert state.next > 1000 * world.time.wall()
    assert state.url == "https://hooks.example.org/…"
    figures = {
        (each.name, each.labels): each.value for each in metrics.samples() if "webhook" in each.name
    }
    assert figures["webhook_waiting", (world.name,)] == 2
    assert figures["webhook_oldest_seconds", (world.name,)] > 50
    world.receiver.usual = status(200, body=b"ok")
    world.go(60)
    state = world.state()
    assert (state.state, state.waiting, state.sent, state.in_a_row) == ("waiting", 0, 2, 0)
    assert (state.answer.status, state.answer.text) == (200, "ok")
    world.telling.stop()
    world.clock.advance(300)
    assert world.state().state == "unknown"


def test_a_rewound_receiver_is_told_anew() -> None:
    """A receiver is told anew from where somebody asks for, under other ids."""
    world = World()
    world.start()
    world.outbox.say("a")
    world.go(1)
    world.receiver.usual = status(410)
    world.outbox.say("b")
    world.go(1)
    assert world.delivery.counts.state == "gone"
    world.receiver.usual = status(200)
    asked: list[int] = []

    def rewind(receiver: str, since: int) -> object:
        asked.append(since)
        world.outbox.cursors[receiver] = {}
        from twisted.internet.defer import succeed  # noqa: PLC0415

        return succeed(1)

    world.outbox.rewind = rewind  # type: ignore[method-assign, assignment]
    from twisted.internet.defer import Deferred  # noqa: PLC0415

    done = Deferred.fromCoroutine(world.board.rewind([world.name], 17))
    world.go(1)
    assert result(done) == {world.name: 1}
    assert asked == [17]
    assert world.receiver.heard == ["a", "b", "a", "b"]
    assert len(set(world.receiver.ids)) == 3
    world.go(60)
    assert asked == [17]


def test_a_rewind_waits_for_a_leader() -> None:
    """While no process leads a request waits for one."""
    from twisted.internet.defer import Deferred  # noqa: PLC0415

    world = World()
    world.outbox.leads_for = 0.0
    world.start()
    done = Deferred.fromCoroutine(world.board.rewind([world.name], 17))
    world.go(11)
    assert result(done) == {world.name: None}
    world.outbox.leads_for = 10.0
    world.go(5)
    assert world.board.asked(world.name) is None


def test_an_emptied_store_gets_its_receivers() -> None:
    """A store that has lost the receivers is told of them again."""
    from livechat.errors import ChatError, Kind  # noqa: PLC0415

    world = World()
    world.start()
    usual = world.outbox._waiting

    def forgotten(*_: object) -> list[object]:
        raise ChatError(Kind.NOT_FOUND, "There is no such receiver.")

    world.outbox._waiting = forgotten  # type: ignore[method-assign, assignment]
    world.go(REPORT_EVERY + 1)
    assert len(world.outbox.kept) > 1
    world.outbox._waiting = usual  # type: ignore[method-assign]
    world.outbox.say("a")
    world.go(10)
    assert world.receiver.heard == ["a"]


def test_a_bug_costs_its_receiver_a_pause() -> None:
    """A bug costs one receiver a pause, and no other anything."""
    world = World(URL, "https://other.example/")
    usual = world.deliveries[world.name].feed.batch

    async def broken() -> object:
        raise RuntimeError("a bug")

    world.deliveries[world.name].feed.batch = broken  # type: ignore[method-assign, assignment]
    world.start()
    world.outbox.say("a")
    world.go(1)
    assert world.receivers["https://other.example/"].heard == ["a"]
    world.deliveries[world.name].feed.batch = usual  # type: ignore[method-assign]
    world.go(6)
    assert world.receiver.heard == ["a"]
