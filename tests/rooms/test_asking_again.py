"""Repeated messages that the site was asked about."""

from __future__ import annotations

import pytest
from twisted.internet.defer import succeed

from livechat.errors import ChatError, Kind
from livechat.protocol.asking import ACCEPT
from livechat.protocol.messages import Repeated
from livechat.rooms import asking
from livechat.rooms.asking import Answers
from tests.rooms.asked import MakeWorld, pump, send, sender
from tests.rooms.reporting import listed, texts
from tests.support import World, kind, result
from tests.support.asked import AskedSite


@pytest.fixture
def world(make_world: MakeWorld, there: AskedSite) -> World:
    """A world whose site is asked."""
    return make_world(asked=there)


def test_a_repeated_message_is_asked_about_once(world: World, there: AskedSite) -> None:
    """A message that is sent again with its nonce is asked about once, and said once."""
    ann = sender(world)
    first, again = (send(world, ann, "darn", nonce="n") for _ in range(2))
    assert len(there.asked) == 1
    there.asked[0].says("accept", message="d***")
    later = send(world, ann, "darn", nonce="n")
    found = [result(each) for each in (first, again, later)]
    assert [each.seq for each in found] == [1, 1, 1]
    assert [isinstance(each, Repeated) for each in found] == [False, True, True]
    assert texts(world) == ["d***"]
    assert len(there.asked) == 1
    with pytest.raises(ChatError) as caught:
        send(world, ann, "something else", nonce="n")
    assert caught.value.kind is Kind.NONCE_REUSED


def test_repeated_and_rejected(world: World, there: AskedSite) -> None:
    """The same answer a second time."""
    ann = sender(world)
    for _ in range(2):
        sent = send(world, ann, nonce="n")
        if not there.asked[0].answer.called:
            there.asked[0].says("reject", reason="No.")
        assert kind(sent) is Kind.REJECTED
    assert len(there.asked) == 1


def test_repeated_and_held(
    make_world: MakeWorld, there: AskedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A held message stays held, also when repeated at a process that knows no answer."""
    world = make_world(asked=there)
    ann = sender(world)
    sent = send(world, ann, nonce="n")
    there.asked[0].says("hold")
    pump(world)
    assert kind(sent) is Kind.HELD
    monkeypatch.setattr(world.chat._asking, "_answers", Answers(world.time))
    again = send(world, ann, nonce="n")
    pump(world)
    assert kind(again) is Kind.HELD
    assert len(there.asked) == len(listed(world)) == 1


def test_repeated_elsewhere(
    world: World, there: AskedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that knows no answer asks under the same id, and the message is not said twice."""
    ann = sender(world)
    first = send(world, ann, "darn", nonce="n")
    there.asked[0].says("accept", message="d***")
    monkeypatch.setattr(world.chat._asking, "_answers", Answers(world.time))
    again = send(world, ann, "darn", nonce="n")
    there.asked[1].says("accept", message="d..n")
    found = [result(each) for each in (first, again)]
    assert [each.seq for each in found] == [1, 1]
    assert isinstance(found[1], Repeated)
    assert len({each.headers["webhook-id"] for each in there.asked}) == 1
    assert texts(world) == ["d***"]


def test_repeated_after_no_answer(world: World, there: AskedSite) -> None:
    """A message about which nobody has decided is asked about anew."""
    ann = sender(world)
    first, again = (send(world, ann, nonce="n") for _ in range(2))
    there.asked[0].fails()
    assert kind(first) is kind(again) is Kind.UNAVAILABLE
    later = send(world, ann, nonce="n")
    there.asked[1].says()
    assert result(later).seq == 1


def test_answers_are_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are bounded in time and number."""
    monkeypatch.setattr(asking, "MOST_REMEMBERED", 3)
    answers = Answers(world.time)
    for number in range(5):
        answers.expect("r", str(number), b"d", succeed(ACCEPT))
    assert len(answers) == 3
    assert answers.find("r", "1", b"d") is None
    assert answers.find("r", "4", b"d") is not None
    world.clock.advance(asking.REMEMBERED_FOR + 1)
    assert answers.find("r", "4", b"d") is None
    answers.expect("r", "5", b"d", succeed(ACCEPT))
    assert len(answers) == 1
