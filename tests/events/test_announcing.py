"""Events without a number in a room, as they are written."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from livechat.errors import ChatError, Kind
from livechat.events import announcing
from livechat.events.announcing import AT_ONCE, RETRY_EVERY, Announcer
from livechat.events.recording import RETRY_EVERY as RECORDED_EVERY
from livechat.protocol.audit import Action, AuditRecord, Author
from livechat.protocol.events import KINDS, Note, note_of
from livechat.protocol.messages import Draft, Message, Place, User
from livechat.protocol.names import EVENTS_ROOM
from tests.support.outcomes import run

ANN = User("1", "Ann")
AWAY = ChatError(Kind.UNAVAILABLE, "away")


class Store:
    """
    A log that stores at once, refuses, or holds its answers.

    @ivar waits: answers are held until `answer`.
    """

    def __init__(self, wanted: Collection[str] = KINDS) -> None:
        self.clock = Clock()
        self.drafts: list[Draft] = []
        self.away = self.waits = False
        self.asked: list[Deferred[Any]] = []
        self.announcer = Announcer(self.publish, wanted, self.clock, self.place)

    def publish(self, draft: Draft) -> Deferred[Any]:
        if self.away:
            return fail(AWAY)
        self.drafts.append(draft)
        if not self.waits:
            return succeed(None)
        self.asked.append(Deferred())
        return self.asked[-1]

    def answer(self) -> None:
        asked, self.asked = self.asked, []
        for each in asked:
            each.callback(None)

    def place(self, room: str) -> Place | None:
        return Place("ep", 7) if room == "here" else None

    def notes(self) -> list[Note]:
        found = [note_of(Message(each.message, 1, 1, each.user)) for each in self.drafts]
        return [each for each in found if each is not None]

    def shown(self) -> list[str]:
        return [f"{each.event} {each.room or each.lost}" for each in self.notes()]


def test_comings_and_goings_are_written() -> None:
    """Users that come and go are written, with the place of their room where it is known."""
    store = Store()
    store.announcer.came("joined", "here", ANN)
    store.announcer.came("left", "there", ANN)
    assert store.shown() == ["joined here", "left there"]
    assert [(note.epoch, note.after) for note in store.notes()] == [("ep", 7), ("", 0)]
    assert {(each.room, each.user) for each in store.drafts} == {(EVENTS_ROOM, ANN)}


def test_unwanted_kinds_are_not_written() -> None:
    """A kind that no receiver wants is not written."""
    store = Store(wanted={"left"})
    store.announcer.came("joined", "r", ANN)
    run(store.announcer.case("held", "r", "c1", ANN))
    assert store.announcer.act(AuditRecord(Action("restrict"), Author("key"), "r")) is None
    assert store.announcer.act(AuditRecord(Action("sign_in"), Author("operator"))) is None
    assert not store.drafts
    assert store.announcer.wants("left")


def test_a_flood_drops_and_counts_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a flood few events are stored at a time; dropped ones are counted, and told."""
    monkeypatch.setattr(announcing, "MOST_COMINGS", 100)
    store = Store()
    store.waits = True
    for _ in range(1_000):
        store.announcer.came("joined", "r", ANN)
    most = 1
    while store.asked:
        most = max(most, len(store.asked))
        store.answer()
    assert most == AT_ONCE
    shown = store.shown()
    assert len(shown) < 250
    lost = sum(note.lost for note in store.notes())
    assert shown.count("joined r") + lost == 1_000


def test_comings_wait_while_the_store_is_away() -> None:
    """While the store is away users that come and go wait, in their order."""
    store = Store()
    store.away = True
    with capturedLogs() as logs:
        for number in range(5):
            store.announcer.came("joined", f"r{number}", ANN)
        store.clock.advance(RETRY_EVERY)
        store.away = False
        store.clock.advance(RETRY_EVERY)
    assert store.shown() == [f"joined r{number}" for number in range(5)]
    assert len(logs) == 1
    assert not store.clock.getDelayedCalls()


def test_a_case_is_written_before_the_answer() -> None:
    """A case is written before the answer, or retried until it is."""
    store = Store()
    run(store.announcer.case("held", "r", "c1", ANN))
    assert store.notes()[0].case == "c1"
    store.away = True
    with capturedLogs(), pytest.raises(ChatError, match="could not be recorded"):
        run(store.announcer.case("reported", "r", "c2", ANN))
    store.away = False
    with capturedLogs():
        store.clock.advance(RECORDED_EVERY)
    assert [note.case for note in store.notes()] == ["c1", "c2"]


def test_an_act_may_be_written_again() -> None:
    """The event of an act has a nonce: it may be tried again."""
    store = Store()
    draft = store.announcer.act(AuditRecord(Action("restrict", user=ANN), Author("key"), "here"))
    assert draft is not None
    assert draft.nonce
    assert draft.user == ANN


def test_rooms_that_fill_and_empty_are_written() -> None:
    store = Store()
    run(store.announcer.rooms("occupied", ["a", "b"]))
    assert store.shown() == ["occupied a", "occupied b"]
    store.away = True
    with pytest.raises(ChatError):
        run(store.announcer.rooms("vacated", ["a", "b"]))
