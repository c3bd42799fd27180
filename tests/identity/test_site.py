"""`livechat.identity.site`."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from livechat import metrics
from livechat.errors import ChatError, Kind
from livechat.identity.actor import ALL_GRANTS, Actor, Lease
from livechat.identity.site import BOUNDS, MOST_FAILURES, PAUSE, STOP_WITHIN, WITHIN, owner_of
from livechat.limits.rates import Rate
from livechat.limits.source import Source
from livechat.protocol.asking import ACCEPT, HOLD, Question, Ruling
from livechat.protocol.messages import User
from livechat.system.time import Time
from tests.support.asked import AskedSite
from tests.support.outcomes import kind, result

QUESTION = Question("send", "r", message="hi")
NOW = 1_790_000_000.0


class Asker:
    """A core that asks."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.there = AskedSite(**options)
        self.site = self.there.site(Time(self.clock, lambda: NOW + self.clock.seconds()))

    def ask(self, owner: str = "a", **more: Any) -> Deferred[Ruling]:
        return self.site.ask("send", QUESTION, owner, **more)


def test_each_question_gets_its_own_answer() -> None:
    """Each question gets its own answer, in any order."""
    asker = Asker()
    one, two, three = asker.ask(), asker.ask(), asker.ask()
    first, second, third = asker.there.asked
    assert first.question == {"type": "ask", "about": "send", "room": "r", "message": "hi"}
    third.says("reject", reason="no")
    first.says()
    second.says("hold")
    assert (result(one), result(two)) == (ACCEPT, HOLD)
    assert result(three) == Ruling("reject", reason="no")
    assert asker.site.waiting == 0


def test_a_repeated_question_has_its_id() -> None:
    """A question has an id of its own, or the one that its repetition has too."""
    asker = Asker()
    for known_as in (None, None, "ask_1", "ask_1"):
        asker.ask(known_as=known_as)
    ids = [each.headers["webhook-id"] for each in asker.there.asked]
    assert len(set(ids)) == 3
    assert ids[2] == ids[3] == "ask_1"
    assert ids[0].startswith("ask_")


@pytest.mark.parametrize("usual", [OSError("it answers 500"), b"<html>", {"verdict": "maybe"}])
@pytest.mark.parametrize("failing", ["refuse", "accept"])
def test_without_an_answer_the_option_decides(failing: str, usual: Any) -> None:
    """A site that does not answer, or with rubbish, decides nothing: the operator did."""
    asker = Asker(failing=failing, usual=usual)
    asked = asker.ask()
    if failing == "accept":
        assert result(asked) == ACCEPT
    else:
        assert kind(asked) is Kind.UNAVAILABLE


def test_a_hanging_site_is_given_up() -> None:
    """A site that hangs is given up in time, and its late answer is nobody's."""
    asker = Asker()
    asked = asker.ask()
    asker.clock.advance(WITHIN - 0.01)
    assert not asked.called
    asker.clock.advance(0.02)
    assert kind(asked) is Kind.UNAVAILABLE
    asker.there.asked[0].says("reject")


def test_five_failures_make_a_pause() -> None:
    """After five failures in a row the site has a pause, and what waits is answered at once."""
    asker = Asker()
    owners = [f"a{number}" for number in range(BOUNDS.running + 10)]
    asked = [asker.ask(owner) for owner in owners]
    assert asker.site.waiting == BOUNDS.running + 10
    for number in range(MOST_FAILURES):
        assert asker.site.trouble() is None
        asker.there.asked[number].fails()
    assert asker.site.trouble() == "it is away"
    # The last five, and those that had not been asked.
    assert sum(each.called for each in asked) >= MOST_FAILURES + 5
    count = len(asker.there.asked)
    assert kind(asker.ask()) is Kind.UNAVAILABLE
    assert len(asker.there.asked) == count
    for seconds in (WITHIN, PAUSE - WITHIN):
        asker.clock.advance(seconds)
    asked.append(asker.ask("somebody"))
    assert len(asker.there.asked) == count + 1
    for each in asked:
        each.addErrback(lambda failure: failure.trap(ChatError))


def test_pause_accepts() -> None:
    """A pausing site whose silence means yes accepts everything, unasked."""
    asker = Asker(failing="accept", usual=OSError("away"))
    for _ in range(MOST_FAILURES + 3):
        assert result(asker.ask()) == ACCEPT
    assert len(asker.there.asked) == MOST_FAILURES


def test_one_tries_after_a_pause() -> None:
    """After a pause one question tries the site; others do not wait for it until it answers."""
    asker = Asker()
    for number in range(MOST_FAILURES):
        asker.ask(f"a{number}").addErrback(lambda failure: failure.trap(ChatError))
    for each in asker.there.asked:
        each.fails()
    for answers in (False, True):
        asker.clock.advance(PAUSE)
        tries = asker.ask("b")
        count = len(asker.there.asked)
        assert kind(asker.ask("c")) is Kind.UNAVAILABLE
        assert len(asker.there.asked) == count
        if answers:
            asker.there.asked[-1].says()
            assert result(tries) == ACCEPT
        else:
            asker.there.asked[-1].fails()
            assert kind(tries) is Kind.UNAVAILABLE
            assert asker.site.trouble() == "it is away"
    asker.ask("d")
    asker.ask("e")
    assert len(asker.there.asked) == count + 2


def test_failures_not_in_a_row() -> None:
    """A site that fails now and then is asked on."""
    asker = Asker()
    for number in range(3 * MOST_FAILURES):
        asker.ask().addErrback(lambda failure: failure.trap(ChatError))
        if number % MOST_FAILURES:
            asker.there.asked[-1].fails()
        else:
            asker.there.asked[-1].says()
    assert asker.site.trouble() is None
    assert len(asker.there.asked) == 3 * MOST_FAILURES


def test_questions_beyond_the_bounds_are_refused() -> None:
    """Among 1,100 questions at once 64 are asked, 1,000 wait and the rest are refused."""
    asker = Asker()
    asked: list[Deferred[Ruling]] = []
    refused = 0
    for number in range(1_100):
        try:
            asked.append(asker.ask(str(number)))
        except ChatError as error:
            refused += error.kind is Kind.OVERLOADED
    assert (len(asker.there.asked), asker.site.waiting, refused) == (64, 1_064, 36)
    while waiting := [each for each in asker.there.asked if not each.answer.called]:
        for each in waiting:
            each.says()
    assert [result(each) for each in asked] == [ACCEPT] * 1_064


def test_a_loud_client_takes_nothing_from_others() -> None:
    """A client with very much to say takes nothing from others."""
    asker = Asker()
    refused = 0
    for _ in range(1_100):
        try:
            asker.ask("loud")
        except ChatError:
            refused += 1
    assert refused == 1_100 - BOUNDS.running_of_one - BOUNDS.waiting_of_one
    quiet = asker.ask("quiet")
    asker.there.asked[-1].says()
    assert result(quiet) == ACCEPT


def test_stopping_refuses_waiting_questions() -> None:
    """Stopping waits for running questions and refuses waiting and new ones."""
    asker = Asker(failing="accept")
    asked = [asker.ask(str(number)) for number in range(BOUNDS.running + 1)]
    stopped = asker.site.stop()
    assert kind(asked[-1]) is Kind.UNAVAILABLE
    assert kind(asker.ask()) is Kind.UNAVAILABLE
    assert not stopped.called
    for each in asker.there.asked:
        each.says()
    assert [result(each) for each in asked[:-1]] == [ACCEPT] * BOUNDS.running
    result(stopped)
    result(asker.site.stop())


def test_stop_without_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A site that hangs does not keep the process."""
    asker = Asker()
    asker.ask().addErrback(lambda _: None)
    stopped = asker.site.stop()
    monkeypatch.setattr("livechat.identity.site.WITHIN", 100)
    asker.clock.advance(STOP_WITHIN)
    result(stopped)


def test_answers_of_a_site_are_counted() -> None:
    """Monitors see how it answers."""

    def count(answer: str) -> float:
        return sum(
            each.value
            for each in metrics.samples()
            if each.name == "asked_total" and each.labels == ("send", answer)
        )

    names = ("accept", "rewrite", "reject", "hold", "failed", "not_asked")
    before = [count(each) for each in names]
    asker = Asker()
    for says in ({}, {"message": "x"}):
        asker.ask()
        asker.there.asked[-1].says("accept", **says)
    for verdict in ("reject", "hold"):
        asker.ask()
        asker.there.asked[-1].says(verdict)
    for _ in range(MOST_FAILURES):
        asker.ask().addErrback(lambda _: None)
        asker.there.asked[-1].fails()
    asker.ask().addErrback(lambda _: None)
    assert [count(each) for each in names] == [
        each + more for each, more in zip(before, (1, 1, 1, 1, MOST_FAILURES, 1), strict=True)
    ]


def test_guests_of_an_address_share_their_part() -> None:
    """Guests of an address share their part; a user and a key have their own."""
    source = Source("192.0.2.1", Rate.of(0))
    ann = User("42", "Ann", verified=True)
    guests = [Actor("guest", source), Actor("guest", source, User("x", "X"))]
    assert {owner_of(each) for each in guests} == {"a:192.0.2.1"}
    assert owner_of(Actor("user", source, ann)) == "u:42"
    key = Actor("key", source, ann, grants=ALL_GRANTS, lease=Lease(key="k1"))
    assert owner_of(key) == "k:k1"
