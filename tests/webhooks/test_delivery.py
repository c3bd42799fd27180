"""`livechat.webhooks.delivery`: one receiver, well or badly behaved, on a clock."""

from __future__ import annotations

from itertools import pairwise

import pytest
from twisted.internet.defer import succeed
from twisted.logger import LogLevel, capturedLogs

from livechat.net.posting import Answered
from livechat.webhooks.delivery import WITHIN
from tests.webhooks.receiving import URL, World, refused, status


@pytest.fixture
def world() -> World:
    return World()


def test_messages_are_delivered_in_order_and_signed(world: World) -> None:
    """Every message is delivered in order, once, and signed."""
    world.start()
    world.outbox.say("a", "b")
    world.outbox.say("c", room="q")
    world.go(1)
    world.outbox.say("d")
    world.go(1)
    assert [each for each in world.receiver.heard if each != "c"] == ["a", "b", "d"]
    assert sorted(world.receiver.heard) == ["a", "b", "c", "d"]
    assert len(set(world.receiver.ids)) == 2
    assert world.outbox.told(world.name) == 3
    assert world.counted == [(3, 0), (1, 0)]
    assert world.delivery.counts.sent == 4


@pytest.mark.parametrize(
    "answer",
    [
        status(500), status(404), status(301), status(307), status(304), status(101),
        refused(), refused("TLS: certificate verify failed"),
    ],
)  # fmt: skip
def test_an_unaccepted_batch_is_sent_again(world: World, answer: object) -> None:
    """An answer without a 2xx is tried again, with the same id; later messages wait."""
    world.receiver.answers = [answer] * 4  # type: ignore[list-item]
    world.start()
    world.outbox.say("a")
    world.go(0.5)
    world.outbox.say("b")
    world.go(20)
    # Each attempt has all that waits then: "b" came while "a" was failing.
    first = world.receiver.heard[0]
    assert first == "a"
    assert world.receiver.heard[-2:] == ["a", "b"]
    assert world.outbox.told(world.name) == 2
    assert world.counted == [(0, 1)] * 4 + [(2, 0)]
    assert len(set(world.receiver.ids[-3:])) == 1


def test_pauses_grow_and_begin_anew(world: World) -> None:
    """The pauses grow to five minutes, and begin anew after a success."""
    world.receiver.usual = status(503)
    world.start()
    world.outbox.say("a")
    world.go(35)
    world.go(1_465, 5)
    times = world.receiver.times
    gaps = [after - before for before, after in pairwise(times)]
    wanted = [0.1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert gaps[:5] == pytest.approx(wanted[:5], abs=0.5)
    assert gaps[5:12] == pytest.approx(wanted[5:], abs=11)
    world.receiver.usual = status(200)
    world.go(305, 5)
    assert world.outbox.told(world.name) == 1
    world.receiver.answers = [status(500)]
    began = len(times)
    world.outbox.say("b")
    world.go(2)
    assert times[began + 1] - times[began] < 0.5


def test_a_receiver_comes_back_after_three_days(world: World) -> None:
    """A receiver that is away for three days gets all entries when it is back, as they are then."""
    world.receiver.usual = refused()
    world.outbox.leads_for = 1e6
    world.start()
    with capturedLogs() as logs:
        for hour in range(72):
            world.outbox.say(f"m{hour}")
            world.go(3_600, 300)
    assert len(world.receiver.ids) < 72 * 14
    assert len([each for each in logs if each["log_level"] is LogLevel.warn]) <= 72 * 6 + 1
    world.outbox.retract(5)
    world.receiver.heard.clear()
    world.receiver.usual = status(200)
    with capturedLogs() as logs:
        world.go(320, 20)
    assert world.receiver.heard == [
        "gone" if hour == 4 else f"m{hour}" for hour in range(72)
    ]  # fmt: skip
    assert "takes events again" in logs[0]["log_format"]
    assert "geheim" not in str(logs)


@pytest.mark.parametrize(
    ("given", "least", "most"), [("30", 30, 31), ("86400", 3_600, 3_610), ("soon", 0, 1)]
)
def test_a_receiver_names_its_pause(world: World, given: str, least: float, most: float) -> None:
    """A receiver says when to come back, within bounds."""
    world.receiver.answers = [status(429, retry_after=given)]
    world.start()
    world.outbox.say("a")
    world.go(35, 0.5)
    world.go(3_600, 5)
    first, second = world.receiver.times
    assert least - 0.01 <= second - first <= most


def test_a_receiver_that_is_gone_is_told_no_more(world: World) -> None:
    """A receiver that answers 410 is told no more, with a loud line in the log."""
    world.receiver.usual = status(410)
    world.outbox.leads_for = 1e6
    world.start()
    with capturedLogs() as logs:
        world.outbox.say("a")
        world.go(3_600, 300)
        world.outbox.say("b")
        world.go(3_600, 300)
    assert world.receiver.heard == ["a"]
    assert [each["log_level"] for each in logs].count(LogLevel.error) == 1
    assert world.state().state == "gone"
    # The next process asks once more.
    again = World(outbox=world.outbox)
    again.start()
    again.go(1)
    assert again.receiver.heard == ["a", "b"]


def test_a_hanging_receiver_is_cut_off(world: World) -> None:
    """A receiver that does not answer is cut off in time; a 200 that is too late is none."""
    world.receiver.answers = [world.receiver.hang]
    world.start()
    world.outbox.say("a")
    world.go(WITHIN - 1)
    assert (len(world.receiver.ids), world.receiver.cut) == (1, 0)
    assert world.delivery.counts.state == "sending"
    world.go(2.5)
    assert world.receiver.cut == 1
    assert len(world.receiver.ids) == 2
    assert len(set(world.receiver.ids)) == 1
    assert world.outbox.told(world.name) == 1


def test_the_clock_set_back(world: World) -> None:
    """A wall clock that jumps delays nothing; signatures have the time as it is."""
    world.receiver.answers = [status(500)] * 3
    world.start()
    world.outbox.say("a")
    world.go(0.5)
    world.ahead -= 7_200
    world.go(20)
    assert world.outbox.told(world.name) == 1
    world.ahead += 14_400
    world.outbox.say("b")
    world.go(1)
    assert world.receiver.heard[-1] == "b"


def test_nothing_slows_others() -> None:
    """A receiver that hangs or fails delays no other."""
    other = "https://other.example/"
    world = World(URL, other)
    world.receiver.usual = world.receiver.hang
    world.start()
    for number in range(5):
        world.outbox.say(f"m{number}")
        world.go(1)
    assert world.receivers[other].heard == [f"m{number}" for number in range(5)]
    assert len(world.receiver.ids) == 1


def test_a_thousand_at_once(world: World) -> None:
    """Much that waits comes in few requests, each of which is bounded."""
    world.receiver.usual = lambda: succeed(Answered(200, b"x" * 4_096, whole=False))
    world.outbox.say(*(f"m{number}" for number in range(2_500)))
    world.start()
    world.go(3)
    assert world.receiver.heard == [f"m{number}" for number in range(2_500)]
    assert len(world.receiver.ids) == 3


def test_dropped_messages_are_told_as_a_gap(world: World) -> None:
    """Dropped messages are told as a gap."""
    world.receiver.usual = refused()
    world.start()
    world.outbox.say("a", "b", "c", "d")
    world.go(5)
    world.outbox.trim(4)
    world.receiver.events.clear()
    world.receiver.usual = status(200)
    world.go(30)
    gap, message = world.receiver.events[-2:]
    assert (gap["event"], gap["lost"], gap["room"]) == ("gap", 3, "r")
    assert message["message"] == "d"
