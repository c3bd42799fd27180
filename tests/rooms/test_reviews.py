"""`livechat.rooms.reviews`: decisions, at two processes, and whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.logger import capturedLogs

from livechat.backends.alone import LoneMap
from livechat.backends.nonces import NONCE_LASTS
from livechat.errors import ChatError, Kind
from livechat.events.recording import MOST_WAITING
from livechat.interfaces import IReceiver
from livechat.protocol.actions import Review
from livechat.protocol.audit import Action, Author
from livechat.protocol.messages import Draft, User
from livechat.protocol.moderation import Case, Verdict
from livechat.protocol.names import AUDIT_ROOM
from livechat.rooms.answers import Answer
from livechat.rooms.case_register import CaseRegister, cases_map
from livechat.rooms.reviews import DECIDED_LASTS, FINISH_EVERY, FINISH_WITHIN, Reviews
from tests.members.session_client import Client
from tests.rooms.moderating import code, manager, moderator, recorded, user
from tests.rooms.reporting import does, held, listed, reports, rules, says, texts
from tests.support import ADMIN, World, result
from tests.support.outcomes import refusing

ANN = User("42", "User 42", verified=True)
BOB = Author("user", User("7", "7", verified=True))
AWAY = ChatError(Kind.UNAVAILABLE, "It is away.")


def test_within_the_memory_of_nonces() -> None:
    """A message is tried again only while the store knows that it has it."""
    assert FINISH_WITHIN + FINISH_EVERY < NONCE_LASTS


class Held:
    """A room in which a message waits, its author, and somebody that moderates."""

    def __init__(self, world: World, **said: Any) -> None:
        self.world = world
        rules(world, hold="all")
        self.ann, self.bob = user(world), moderator(world)
        self.case = held(self.ann, **said)
        self.register = CaseRegister(cases_map(world.backend), lambda *_: None)

    def reviews(self, verdict: str, client: Client | None = None, **more: Any) -> Any:
        return does(client or self.bob, type="review", case=self.case, verdict=verdict, **more)

    def now(self) -> Case | None:
        found = self.register.find(self.case)
        return None if found is None else found.case

    def elsewhere(self, publish: Callable[[Draft, IReceiver], None]) -> Reviews:
        """Another process, which stores messages so."""
        chat = self.world.chat
        log: Any = SimpleNamespace(publish=publish)
        return Reviews(self.register, chat._policy, chat.audit, self.world.time, log)


@pytest.fixture
def waiting(world: World) -> Held:
    return Held(world)


@pytest.fixture
def shared(world: World) -> LoneMap:
    found: LoneMap = cases_map(world.backend)  # type: ignore[assignment]
    return found


def test_an_approved_message_is_said(world: World) -> None:
    """An approved message is published as its author's, with the present time and its data."""
    waiting = Held(world, text="hello", data={"a": 1}, reply_to=7)
    world.clock.advance(60)
    ack = waiting.reviews("approve", reason="fine")
    assert (ack["type"], ack["case"], ack["seq"]) == ("ack", waiting.case, 1)
    (message,) = result(world.backend.messages.read("r", 0, 9)).messages
    assert (message.message, message.user, message.reply_to) == ("hello", ANN, 7)
    assert bytes(message.data or b"") == b'{"a":1}'
    assert 1_790_000_060_000 <= message.time <= ack["time"]
    assert [each["message"] for each in waiting.ann.hears("message")] == ["hello"]
    assert listed(world) == []
    case = waiting.now()
    assert case is not None
    assert (case.state, case.seq, case.message, case.data) == ("approved", 1, "", "")
    assert recorded(world)[-1].action == Action(
        "review", seq=1, user=ANN, case=waiting.case, verdict="approve", reason="fine"
    )
    world.clock.advance(DECIDED_LASTS)
    assert waiting.now() is None


def test_a_rejected_message_is_in_the_audit_alone(waiting: Held, shared: LoneMap) -> None:
    """A rejected message is not published; its text is in the audit alone."""
    ack = waiting.reviews("reject", reason="no")
    assert (ack["type"], ack["case"], "seq" in ack) == ("ack", waiting.case, False)
    assert texts(waiting.world) == []
    record = recorded(waiting.world)[-1]
    assert (record.by, record.room, record.text) == (BOB, "r", "hi")
    assert record.action == Action(
        "review", user=ANN, case=waiting.case, verdict="reject", reason="no"
    )
    assert not any(b'"hi"' in value for _, value in shared.items())
    waiting.world.clock.advance(DECIDED_LASTS)
    assert waiting.now() is None


def test_a_closed_report_leaves_the_message(world: World) -> None:
    """A report is closed by its review; the message stays."""
    ann, bob = user(world), moderator(world)
    says(ann, "spam")
    case = reports(ann)["case"]
    for verdict in ("approve", "reject"):
        assert code(does(bob, type="review", case=case, verdict=verdict)) == "bad_message"
    assert does(bob, type="review", case=case, verdict="close")["type"] == "ack"
    assert listed(world) == []
    assert texts(world) == ["spam"]
    record = recorded(world)[-1]
    assert (record.action.verdict, record.action.case, record.text) == ("close", case, None)


def test_reviewing_takes_the_right_to_moderate(waiting: Held) -> None:
    """Reviewing takes `moderate` in the case's room, from wherever; others learn nothing."""
    world, case = waiting.world, waiting.case
    for client in (waiting.ann, Client(world)):
        for known_as in (case, "0" * 16):
            answer = does(client, type="review", case=known_as, verdict="approve")
            assert code(answer) in {"forbidden", "unauthorized"}
    grants = {"s": ["join", "moderate"], "r": ["join", "history", "send"]}
    other = Client(world, "s", token=world.token("9", rooms=grants))
    assert code(waiting.reviews("approve", other)) == "not_found"
    assert code(does(waiting.bob, type="review", case="x", verdict="approve")) == "not_found"
    assert code(waiting.reviews("close")) == "bad_message"
    assert len(listed(world)) == 1
    both = Client(world, "s", token=world.token("9", rooms={"*": ["moderate", "join"]}))
    assert waiting.reviews("approve", both)["type"] == "ack"


@pytest.mark.parametrize(("first", "second"), [("approve", "reject"), ("reject", "approve")])
def test_a_repeated_decision_is_a_duplicate(waiting: Held, first: Verdict, second: Verdict) -> None:
    """The same decision again is a duplicate; another one is too late."""
    before = waiting.reviews(first)
    again = waiting.reviews(first, manager(waiting.world))
    assert again["duplicate"]
    assert again.get("seq") == before.get("seq")
    refused = waiting.reviews(second)
    assert code(refused) == "too_late"
    assert texts(waiting.world) == (["hi"] if first == "approve" else [])
    assert len(recorded(waiting.world)) == 2


@pytest.mark.parametrize(("first", "second"), [("approve", "reject"), ("reject", "approve")])
def test_at_the_same_moment(
    waiting: Held, shared: LoneMap, monkeypatch: pytest.MonkeyPatch, first: str, second: str
) -> None:
    """Both have seen it open: one decision counts, and the other is told."""
    put, late = shared.put, list[Callable[[], Any]]()

    def slow(*args: Any, **options: Any) -> Deferred[bool]:
        answer: Deferred[bool] = Deferred()
        late.append(lambda: put(*args, **options).chainDeferred(answer))
        return answer

    boss = manager(waiting.world)
    with monkeypatch.context() as delayed:
        delayed.setattr(shared, "put", slow)
        for client, verdict in ((boss, first), (waiting.bob, second)):
            client.sends({"type": "review", "case": waiting.case, "verdict": verdict})
    for each in late:
        each()
    waiting.world.clock.advance(1)
    assert len(boss.hears("ack")) == 1
    assert [code(each) for each in waiting.bob.hears("error")] == ["too_late"]
    assert texts(waiting.world) == (["hi"] if first == "approve" else [])
    assert len(recorded(waiting.world)) == 2


def test_killed_before_it_is_said(waiting: Held) -> None:
    """A process decides and is no more: another one says it, within ten seconds, and once."""
    killed = waiting.elsewhere(lambda *_: None)
    killed.review(ADMIN, "r", Review(waiting.case, "approve"))
    assert texts(waiting.world) == []
    waiting.world.clock.advance(FINISH_EVERY)
    assert texts(waiting.world) == ["hi"]
    assert waiting.ann.hears("case")[-1]["seq"] == 1
    waiting.world.clock.advance(10)
    assert texts(waiting.world) == ["hi"]


@pytest.mark.parametrize("nonce", ["mine", ""])
def test_killed_after_it_was_said(world: World, nonce: str) -> None:
    """The store knows it by its nonce: it is not said again, by its author neither."""
    waiting = Held(world, nonce=nonce)

    def killed(draft: Draft, _: IReceiver) -> None:
        world.backend.messages.publish(draft, Answer())

    waiting.elsewhere(killed).review(ADMIN, "r", Review(waiting.case, "approve"))
    assert texts(world) == ["hi"]
    rules(world, hold="none")
    if nonce:
        assert does(waiting.ann, type="message", message="hi", nonce=nonce)["duplicate"]
    world.clock.advance(10)
    case = waiting.now()
    assert case is not None
    assert (case.seq, texts(world)) == (1, ["hi"])


def test_a_process_that_begins_later(waiting: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new process finishes reviews that others have left."""
    monkeypatch.setattr(waiting.world.chat.cases._reviews, "finish_soon", lambda: None)
    waiting.elsewhere(lambda *_: None).review(ADMIN, "r", Review(waiting.case, "approve"))
    said: list[Draft] = []

    def publish(draft: Draft, receiver: IReceiver) -> None:
        said.append(draft)
        waiting.world.backend.messages.publish(draft, receiver)

    waiting.elsewhere(publish)
    waiting.world.clock.advance(FINISH_EVERY)
    assert [each.message for each in said] == ["hi"]
    assert texts(waiting.world) == ["hi"]


def without_room(broken: pytest.MonkeyPatch, world: World, room: str) -> None:
    """Make every publish in *room* fail."""
    log: Any = world.backend.messages
    publish = log.publish

    def refusing_some(draft: Draft, receiver: IReceiver) -> None:
        (refusing(AWAY) if draft.room == room else publish)(draft, receiver)

    broken.setattr(log, "publish", refusing_some)


def test_messages_cannot_be_stored(waiting: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """The decision holds, and is recorded; it is said when that can be."""
    with capturedLogs(), monkeypatch.context() as broken:
        without_room(broken, waiting.world, "r")
        refused = waiting.reviews("approve")
        assert code(refused) == "unknown"
        assert code(waiting.reviews("reject")) == "too_late"
        waiting.world.clock.advance(FINISH_EVERY)
    assert recorded(waiting.world)[-1].action.verdict == "approve"
    assert texts(waiting.world) == []
    waiting.world.clock.advance(FINISH_EVERY)
    assert texts(waiting.world) == ["hi"]
    assert waiting.reviews("approve")["seq"] == 1


def test_an_unstored_approval_waits_again(waiting: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some minutes nobody knows whether it was said: it waits for another review."""
    with capturedLogs(), monkeypatch.context() as broken:
        broken.setattr(waiting.world.backend.messages, "publish", refusing(AWAY))
        waiting.reviews("approve")
        waiting.world.clock.pump([FINISH_EVERY] * int(FINISH_WITHIN / FINISH_EVERY + 2))
    ((_, case),) = listed(waiting.world)
    assert (case.message, case.reviewer, case.decided) == ("hi", None, None)
    assert waiting.reviews("approve")["seq"] == 1


def test_nonce_used_for_another(world: World) -> None:
    """A message that can never be stored is closed, and its reviewer is told."""
    ann = user(world)
    says(ann, "first", nonce="1")
    rules(world, hold="all")
    case, bob = held(ann, "second", nonce="1"), moderator(world)
    assert code(does(bob, type="review", case=case, verdict="approve")) == "nonce_reused"
    assert listed(world) == []
    world.clock.advance(10)
    assert texts(world) == ["first"]


def test_an_absent_map_decides_nothing(
    waiting: Held, shared: LoneMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is decided, and nothing lost."""
    with monkeypatch.context() as broken:
        broken.setattr(shared, "put", lambda *_, **__: fail(AWAY))
        for verdict in ("approve", "reject"):
            assert code(waiting.reviews(verdict)) == "unavailable"
    assert [case.message for _, case in listed(waiting.world)] == ["hi"]
    assert texts(waiting.world) == []
    assert waiting.reviews("approve")["type"] == "ack"


def test_map_is_away_in_between(
    waiting: Held, shared: LoneMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message was said; that the case says so is made good."""
    put, calls = shared.put, list[None]()

    def once(*args: Any, **options: Any) -> Deferred[bool]:
        calls.append(None)
        return put(*args, **options) if len(calls) == 1 else fail(AWAY)

    with capturedLogs(), monkeypatch.context() as broken:
        broken.setattr(shared, "put", once)
        assert waiting.reviews("approve")["seq"] == 1
    waiting.world.clock.advance(FINISH_EVERY)
    case = waiting.now()
    assert case is not None
    assert (case.seq, texts(waiting.world)) == (1, ["hi"])


def test_a_full_audit_decides_nothing(waiting: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """No decision that could not be recorded."""
    audit = waiting.world.chat.audit
    monkeypatch.setattr(audit._recorder, "_waiting", [None] * MOST_WAITING)
    assert code(waiting.reviews("approve")) == "unavailable"
    assert len(listed(waiting.world)) == 1


def test_not_recorded_yet(waiting: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """An approval without its record is published; its reviewer gets `unknown`."""
    with capturedLogs(), monkeypatch.context() as broken:
        without_room(broken, waiting.world, AUDIT_ROOM)
        assert code(waiting.reviews("approve")) == "unknown"
    assert texts(waiting.world) == ["hi"]
    assert code(waiting.reviews("reject")) == "too_late"
