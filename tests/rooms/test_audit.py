"""`livechat.rooms.audit`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.logger import capturedLogs

from livechat import metrics
from livechat.errors import ChatError, Kind
from livechat.events.recording import MOST_WAITING, RETRY_EVERY
from livechat.identity.actor import OPERATOR, Actor
from livechat.interfaces import IReceiver
from livechat.protocol.audit import Action, AuditRecord, Author, record_of_text
from livechat.protocol.messages import Amended, Draft, User
from livechat.protocol.names import AUDIT_ROOM
from livechat.rooms.answers import Answer
from livechat.rooms.history import Window
from tests.support import ADMIN, ANN, SOMEBODY, RecordingClient, RecordingSink, World, kind, result

BY = Author("operator", OPERATOR)
EVE = User("eve", "Eve")


def going(coroutine: Any) -> Deferred[Any]:
    return Deferred.fromCoroutine(coroutine)


def records(world: World) -> list[AuditRecord]:
    """Everything that is recorded."""
    page = result(world.backend.messages.read(AUDIT_ROOM, 0, 1_000))
    return [record_of_text(each.message) for each in page.messages]


def say(world: World, text: str, user: User | None = EVE) -> int:
    return result(world.chat.send(world.caller("192.0.2.1", user), "r", text)).seq


def texts(world: World, room: str = "r") -> list[str]:
    return [each.message for each in result(world.backend.messages.read(room, 0, 99)).messages]


class Broken:
    """Has the log of a world refuse records, until it is mended."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stores = False
        self._publish = world.backend.messages.publish
        monkeypatch.setattr(world.backend.messages, "publish", self.publish)

    def publish(self, draft: Draft, receiver: IReceiver) -> None:
        if self.stores or draft.room != AUDIT_ROOM:
            self._publish(draft, receiver)
        else:
            receiver.not_stored(ChatError(Kind.UNAVAILABLE, "away"))


class TestInternalRoom:
    """No actor gets in by the ways of other rooms, whatever its rights."""

    @pytest.mark.parametrize("actor", [SOMEBODY, ANN, ADMIN])
    def test_clients_cannot_enter_the_audit(self, world: World, actor: Actor) -> None:
        chat = world.chat
        watcher, member = RecordingSink(), RecordingClient()
        assert kind(going(chat.join(actor, AUDIT_ROOM, member))) is Kind.FORBIDDEN
        assert kind(going(chat.watch(actor, AUDIT_ROOM, watcher))) is Kind.FORBIDDEN
        assert kind(going(chat.history(actor, AUDIT_ROOM, Window()))) is Kind.FORBIDDEN
        calls: list[Callable[[], object]] = [
            lambda: chat.send(actor, AUDIT_ROOM, "x"),
            lambda: chat.edit(actor, AUDIT_ROOM, 1, "x"),
            lambda: chat.retract(actor, AUDIT_ROOM, [1]),
            lambda: chat.replay(actor, AUDIT_ROOM, member),
        ]
        for call in calls:
            with pytest.raises(ChatError) as caught:
                call()
            assert caught.value.kind is Kind.FORBIDDEN
        assert records(world) == []
        assert world.hub.rooms() == {}
        assert world.hub._watchers == {}

    @pytest.mark.parametrize("actor", [SOMEBODY, ANN])
    def test_only_managers_read(self, world: World, actor: Actor) -> None:
        watcher = RecordingSink()
        assert kind(going(world.chat.audit.history(actor, Window()))) is Kind.UNAUTHORIZED
        assert kind(going(world.chat.audit.watch(actor, watcher))) is Kind.UNAUTHORIZED
        assert world.hub._watchers == {}

    def test_the_audit_is_in_no_list(self, make_world: Callable[..., World]) -> None:
        """The audit room is no active room, counts in no metric, and no extension is told of it."""

        class Told:
            def __getattr__(self, name: str) -> Callable[..., None]:
                return lambda *what: told.append(what)

        told: list[object] = []
        world = make_world(listeners=[Told()])
        before = metrics.stored.count
        result(going(world.chat.audit.watch(ADMIN, RecordingSink())))
        result(going(world.chat.audit.record(ADMIN, Action("sign_in"))))
        world.clock.advance(10)
        assert len(records(world)) == 1
        assert result(going(world.chat.overview.rooms(ADMIN))) == []
        assert world.chat.directory.report("x", 0, 0).rooms == ()
        assert (metrics.stored.count, told) == (before, [])


def test_recorded_before_the_answer(make_world: Callable[..., World]) -> None:
    """While the record is not stored nobody is told that the act was done."""
    world = make_world(held=True)
    said = world.chat.send(world.caller("192.0.2.1", EVE), "r", "spam")
    world.write()
    answers: list[Amended] = []
    world.chat.retract(ADMIN, "r", [result(said).seq]).addCallback(answers.append)
    world.write()
    assert texts(world) == []
    assert (records(world), answers) == ([], [])
    world.write()
    assert len(records(world)) == 1
    assert answers[0].before[0].message == "spam"


def test_removals_keep_texts_of_others(world: World) -> None:
    """The text of others is kept there, message by message, with the author and the room."""
    client = RecordingClient()
    result(going(world.chat.join(ANN, "r", client)))
    say(world, "spam")
    say(world, "from nobody", None)
    say(world, "stays")
    client.frames()
    result(world.chat.retract(ADMIN, "r", [1, 2, 77]))
    assert records(world) == [
        AuditRecord(Action("retract", ref=1, user=EVE), BY, "r", "spam"),
        AuditRecord(Action("retract", ref=2), BY, "r", "from nobody"),
    ]
    assert texts(world) == ["stays"]
    assert client.frames() == []


def test_own_retractions_keep_no_text(world: World) -> None:
    """An author's retraction leaves no text; an operator's leaves a record without the text."""
    eve = world.caller("192.0.2.1", EVE)
    say(world, "mine")
    result(world.chat.retract(eve, "r", [1]))
    assert records(world) == []
    result(world.chat.send(ADMIN, "r", "secret"))
    say(world, "spam")
    operators, hers = (each.seq for each in result(world.backend.messages.read("r", 2, 9)).messages)
    result(world.chat.retract(ADMIN, "r", [operators, hers]))
    assert records(world) == [
        AuditRecord(Action("retract", ref=operators, user=OPERATOR), BY, "r"),
        AuditRecord(Action("retract", ref=hers, user=EVE), BY, "r", "spam"),
    ]


def test_refused_acts_are_not_recorded(world: World) -> None:
    """Refused acts are not recorded."""
    say(world, "x")
    for refs in ([], [2], list(range(200))):
        with pytest.raises(ChatError):
            result(world.chat.retract(ADMIN, "r", refs))
    with pytest.raises(ChatError):
        result(world.chat.retract(world.caller("192.0.2.1"), "r", [1]))
    assert records(world) == []
    assert texts(world) == ["x"]


def test_audit_that_cannot_be_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The act is not answered as done; its text waits, is tried again, and recorded once."""
    log = Broken(world, monkeypatch)
    say(world, "spam")
    with capturedLogs() as logged:
        assert kind(world.chat.retract(ADMIN, "r", [1])) is Kind.UNKNOWN
    assert texts(world) == []
    assert "spam" not in str(logged)
    assert any("cannot be recorded" in each["log_format"] for each in logged)
    world.clock.advance(RETRY_EVERY)
    assert records(world) == []
    log.stores = True
    world.clock.advance(RETRY_EVERY)
    assert records(world) == [AuditRecord(Action("retract", ref=1, user=EVE), BY, "r", "spam")]
    world.clock.advance(3 * RETRY_EVERY)
    assert len(records(world)) == 1


def test_stored_without_an_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record of which nobody knows whether it is stored is not stored twice."""
    publish = world.backend.messages.publish

    def unsure(draft: Draft, receiver: IReceiver) -> None:
        if draft.room != AUDIT_ROOM:
            publish(draft, receiver)
            return
        publish(draft, Answer())
        receiver.not_stored(ChatError(Kind.UNKNOWN, "It may be stored."))

    monkeypatch.setattr(world.backend.messages, "publish", unsure)
    say(world, "spam")
    assert kind(world.chat.retract(ADMIN, "r", [1])) is Kind.UNKNOWN
    monkeypatch.setattr(world.backend.messages, "publish", publish)
    world.clock.advance(RETRY_EVERY)
    assert len(records(world)) == 1
    world.clock.advance(3 * RETRY_EVERY)
    assert len(records(world)) == 1


def test_repeated_while_its_record_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking again, under the same nonce, brings no answer before the record is stored."""
    log = Broken(world, monkeypatch)
    say(world, "spam")
    for _ in range(2):
        assert kind(world.chat.retract(ADMIN, "r", [1], nonce="n" * 16)) is Kind.UNKNOWN
    log.stores = True
    world.clock.advance(RETRY_EVERY)
    assert result(world.chat.retract(ADMIN, "r", [1], nonce="n" * 16)).repeated
    assert len(records(world)) == 1


def test_too_many_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full audit refuses acts that could not be recorded; authors still retract their own."""
    log = Broken(world, monkeypatch)
    for _ in range(MOST_WAITING):
        going(world.chat.audit.record(ADMIN, Action("sign_in"))).addErrback(lambda _: None)
    say(world, "spam")
    with pytest.raises(ChatError) as caught:
        world.chat.retract(ADMIN, "r", [1])
    assert caught.value.kind is Kind.UNAVAILABLE
    assert texts(world) == ["spam"]
    result(world.chat.retract(world.caller("192.0.2.1", EVE), "r", [1]))
    log.stores = True
    world.clock.advance(RETRY_EVERY)
    assert len(records(world)) == MOST_WAITING


def test_a_watcher_gets_new_records(world: World) -> None:
    """A watcher gets what is recorded from then on, and leaves nothing behind."""
    audit, watcher = world.chat.audit, RecordingSink()
    result(going(audit.record(ADMIN, Action("sign_in"))))
    result(going(audit.watch(ADMIN, watcher)))
    result(going(audit.record(ADMIN, Action("sign_out"))))
    assert [record_of_text(text).action.type for text in watcher.texts(AUDIT_ROOM)] == ["sign_out"]
    audit.unwatch(watcher)
    audit.unwatch(watcher)
    assert world.hub._watchers == {}
    assert world.backend.messages._subscribed == {}


def test_watching_what_cannot_be_delivered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = ChatError(Kind.UNAVAILABLE, "away")
    monkeypatch.setattr(world.backend.messages, "subscribe", lambda _: fail(refusal))
    assert kind(going(world.chat.audit.watch(ADMIN, RecordingSink()))) is Kind.UNAVAILABLE
    assert world.hub._watchers == {}


def test_no_record_has_an_address(world: World) -> None:
    """No record says from where something was done."""
    say(world, "spam")
    result(world.chat.retract(ADMIN, "r", [1]))
    result(going(world.chat.audit.record(ADMIN, Action("sign_in"))))
    assert not [text for text in texts(world, AUDIT_ROOM) if "192.0.2" in text]
