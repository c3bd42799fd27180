"""`livechat.rooms.cases`: messages that wait for a review, and reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.logger import capturedLogs

from livechat.backends.alone import LoneMap
from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.protocol.actions import Complain
from livechat.protocol.messages import Gone, User
from livechat.protocol.settings import SettingsChange
from livechat.rooms.case_register import MOST_CASES, MOST_OF_AN_OWNER, cases_map
from livechat.rooms.cases import CLOSE_EVERY, owner_of
from livechat.rooms.reviews import DECIDED_LASTS, HELD_LASTS, REPORT_LASTS
from tests.members.plain_client import Client as PlainClient
from tests.members.session_client import KEY, Client
from tests.rooms.moderating import code, manager, moderator, recorded, user
from tests.rooms.reporting import does, held, listed, reports, rules, says, texts
from tests.support import ADMIN, World, kind, result, run


@pytest.fixture
def shared(world: World) -> LoneMap:
    found: LoneMap = cases_map(world.backend)  # type: ignore[assignment]
    return found


class TestHold:
    """A message that waits."""

    def test_a_held_message_is_acknowledged_and_hidden(self, world: World) -> None:
        """A held message is acknowledged as held, kept whole, and hidden from everybody else."""
        rules(world, hold="all")
        ann, other = user(world), Client(world)
        case = held(ann, "hello", data={"a": [1, "x"]}, reply_to=3, nonce="mine")
        assert other.hears("message") == texts(world) == []
        ((known_as, kept),) = listed(world)
        assert known_as == case
        assert (kept.kind, kept.room, kept.message) == ("held", "r", "hello")
        assert (kept.data, kept.reply_to, kept.nonce) == ('{"a":[1,"x"]}', 3, "mine")
        assert kept.user == User("42", "User 42", verified=True)

    def test_messages_of_guests_or_the_restricted_wait(self, world: World) -> None:
        """Guests' only, or of those whom a restriction says; never of those that moderate."""
        rules(world, hold="guests", links="hold")
        ann, guest, bob = user(world), Client(world), moderator(world)
        held(guest)
        assert says(ann)["type"] == says(bob, "http://x")["type"] == "ack"
        held(ann, "see http://x")
        rules(world, hold=None, links=None)
        does(bob, type="restrict", user="42", kind="hold")
        held(ann, "me")
        assert says(guest)["type"] == "ack"

    def test_words_and_links_are_refused_before_they_wait(self, world: World) -> None:
        """Words and links are refused before anything waits, in edits as well."""
        ann, bob = user(world), moderator(world)
        ref = says(ann, "x")["seq"]
        rules(world, hold="all", words=["bad", "worse"], links="refuse")
        for text in ("so b\u0301ad", "see example.com"):
            assert code(says(ann, text)) == "rejected"
            assert code(does(ann, type="edit", ref=ref, message=text)) == "rejected"
        assert "worse" not in says(ann, "bad")["error"]["detail"]
        assert listed(world) == []
        assert says(bob, "bad example.com")["type"] == "ack"

    def test_an_edit_cannot_wait(self, world: World) -> None:
        """An edit cannot wait, so it is refused; the moderators' own are done."""
        ann, bob = user(world), moderator(world)
        hers, his = says(ann, "x")["seq"], says(bob, "x")["seq"]
        rules(world, hold="all")
        refused = does(ann, type="edit", ref=hers, message="y")
        assert code(refused) == "forbidden"
        assert "send it as a new message" in refused["error"]["detail"]
        assert does(bob, type="edit", ref=his, message="y")["type"] == "ack"
        assert listed(world) == []

    def test_a_repeated_message_is_the_one_that_waits(self, world: World) -> None:
        """A message that comes again is the one that waits; another text is refused."""
        rules(world, hold="all")
        ann, ben = user(world), user(world, "43")
        case = held(ann, nonce="1")
        assert held(ann, nonce="1") == held(user(world), nonce="1") == case
        assert code(says(ann, "other", nonce="1")) == "nonce_reused"
        assert code(says(ann, "hi", data={}, nonce="1")) == "nonce_reused"
        assert held(ben, nonce="1") != case
        assert kind(world.chat.send(ann.session._actor, "r", "hi")) is Kind.HELD
        assert kind(world.chat.send(ann.session._actor, "r", "hi")) is Kind.HELD
        assert len(listed(world)) == 4

    def test_a_repetition_is_answered_by_the_decision(self, world: World) -> None:
        """A repetition is answered by it: the number, or the reason."""
        rules(world, hold="all")
        ann, bob = user(world), moderator(world)
        said = does(bob, type="review", case=held(ann, "yes", nonce="1"), verdict="approve")["seq"]
        no = held(ann, "no", nonce="2")
        does(bob, type="review", case=no, verdict="reject", reason="not here")
        ann.sends({"message": "yes", "nonce": "1"}, {"message": "no", "nonce": "2"})
        (ack,) = [each for each in ann.hears("ack") if each["nonce"] == "1"]
        assert (ack["seq"], ack["duplicate"]) == (said, True)
        ann.sends({"message": "no", "nonce": "2"})
        error = ann.hears("error")[-1]["error"]
        assert (error["code"], error["reason"]) == ("rejected", "not here")
        ann.sends({"message": "evil", "nonce": "1"})
        assert code(ann.hears("error")[-1]) == "nonce_reused"
        assert texts(world) == ["yes"]
        assert listed(world) == []

    def test_held_messages_of_an_owner_are_bounded(self, world: World) -> None:
        """Held messages are bounded for a user, and for all guests of an address together."""
        rules(world, hold="all")
        ann = user(world)
        for number in range(MOST_OF_AN_OWNER):
            held(ann, nonce=str(number))
            held(Client(world, key=f"{number}" * 16))
        assert code(says(ann, nonce="x")) == "overloaded"
        assert code(says(Client(world, key="x" * 16))) == "overloaded"
        held(user(world, "43"))

    def test_a_text_too_large_for_a_case_is_refused(self, world: World) -> None:
        """A text that is too large for a case is refused, and not cut."""
        rules(world, hold="all")
        assert code(says(user(world), "x" + "\x01" * 4_000)) == "message_too_long"
        held(user(world, "43"), "\u0416" * 8_000, data={"a": "x" * 2_000})

    def test_an_unstored_case_does_not_wait(
        self, world: World, shared: LoneMap, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing waits that is not kept."""
        rules(world, hold="all")
        ann = user(world)
        away = ChatError(Kind.UNAVAILABLE, "It is away.")
        monkeypatch.setattr(shared, "put", lambda *_, **__: fail(away))
        assert code(says(ann)) == "unavailable"
        monkeypatch.undo()
        held(ann)

    def test_nobody_reviews_it(self, world: World) -> None:
        rules(world, hold="all")
        ann = user(world)
        held(ann)
        world.clock.advance(HELD_LASTS - 1)
        assert len(listed(world)) == 1
        world.clock.advance(1)
        assert listed(world) == []

    def test_slow_mode_does_not_count(self, world: World) -> None:
        """The pace of a room is of what is said."""
        rules(world, hold="all", slow=60)
        ann = user(world)
        held(ann, nonce="1")
        held(ann, nonce="2")

    def test_a_plain_client_is_told_that_it_waits(self, world: World) -> None:
        """A plain client gets the error frame that it knows."""
        rules(world, hold="all")
        plain = PlainClient(world)
        plain.says({"message": "hi"})
        assert [each["error"]["code"] for each in plain.heard()] == ["held"]


class TestReport:
    """A message that somebody complains of."""

    def test_a_report_keeps_text_author_and_reason(self, world: World) -> None:
        """A report keeps text, author and reason; repeating it opens no second case."""
        eve, ann = user(world, "13"), user(world)
        says(eve, "spam", data={"a": 1})
        ack = reports(ann, reason="is \u202ebad")
        assert (ack["type"], "duplicate" in ack) == ("ack", False)
        again = reports(ann, reason="another")
        assert (again["case"], again["duplicate"]) == (ack["case"], True)
        ((known_as, case),) = listed(world)
        assert known_as == ack["case"]
        assert (case.message, case.data, case.ref, case.reason) == (
            "spam",
            '{"a":1}',
            1,
            "is \u202ebad",
        )
        assert case.user == User("13", "User 13", verified=True)
        assert case.reporter == User("42", "User 42", verified=True)
        assert reports(user(world, "43"))["case"] != ack["case"]

    def test_missing_messages_cannot_be_reported(self, world: World) -> None:
        """Gone messages, events and numbers that never were cannot be reported."""
        ann = user(world)
        says(ann, "x", nonce="1")
        says(ann, "y", nonce="2")
        does(ann, type="retract", ref=2)
        does(ann, type="edit", ref=1, message="xx")
        for ref in (2, 3, 4, 99, 2**53 - 1):
            assert code(reports(ann, ref)) == "not_found"
        assert listed(world) == []

    def test_reporting_takes_the_right_to_join(self, world: World) -> None:
        """Reporting takes the right to join; internal rooms have no reports."""
        ann, bob = user(world), moderator(world)
        says(bob, "x")
        does(bob, type="restrict", user="42", kind="mute")
        assert reports(ann)["type"] == "ack"
        chat, somebody = world.chat, Actor("key", world.source("192.0.2.7"))
        for room in ("r", "!audit"):
            with pytest.raises(ChatError) as refused:
                chat.cases.report(somebody, room, Complain(1))
            assert refused.value.kind is Kind.FORBIDDEN

    def test_a_long_message_is_reported_in_part(self, world: World) -> None:
        """A long message is reported with as much text as fits."""
        eve, ann = user(world, "13"), user(world)
        says(eve, "x" + "\x01" * 16_000, data={"x": '"\\' * 1_000})
        assert reports(ann)["type"] == "ack"
        ((_, case),) = listed(world)
        assert case.message == "x" + "\x01" * 1_499 + "\u2026"

    def test_reports_of_an_address_are_bounded(self, world: World) -> None:
        """Five of one address."""
        eve = user(world, "13")
        for number in range(MOST_OF_AN_OWNER + 1):
            says(eve, str(number), nonce=str(number))
        for number in range(MOST_OF_AN_OWNER):
            assert reports(Client(world, key=f"{number}" * 16), number + 1)["type"] == "ack"
        assert code(reports(Client(world, key=KEY), MOST_OF_AN_OWNER + 1)) == "overloaded"

    def test_an_expired_case_is_gone(self, world: World) -> None:
        ann = user(world)
        says(ann)
        reports(ann)
        world.clock.advance(REPORT_LASTS)
        assert listed(world) == []


class TestClosedByOthers:
    """A retraction or a ban closes what it hits."""

    def test_a_retraction_empties_its_cases(self, world: World, shared: LoneMap) -> None:
        """A retraction by anybody removes the text from its cases with the ack."""
        eve, ann, bob = user(world, "13"), user(world), moderator(world)
        for number, text in enumerate(("secret", "spam")):
            says(eve, text, nonce=str(number))
            reports(ann, number + 1)
        reports(bob, 1)
        assert len(listed(world)) == 3
        ann.heard()
        does(eve, type="retract", ref=1)
        ((_, left),) = listed(world)
        assert left.message == "spam"
        assert not any(b"secret" in value for _, value in shared.items())
        assert [each["state"] for each in ann.hears("case")] == ["closed"]
        does(bob, type="retract", ref=2)
        assert listed(world) == []

    def test_while_it_is_reported(
        self, world: World, shared: LoneMap, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A retraction that does not know of the report yet: the report finds out."""
        eve, ann = user(world, "13"), user(world)
        says(eve, "secret")
        put, late = shared.put, Deferred[Any]()

        def slow(*args: Any, **options: Any) -> Deferred[bool]:
            return late.addCallback(lambda _: put(*args, **options))

        monkeypatch.setattr(shared, "put", slow)
        ann.sends({"type": "report", "ref": 1, "nonce": "r"})
        does(eve, type="retract", ref=1)
        monkeypatch.undo()
        late.callback(None)
        world.clock.advance(1)
        assert [code(each) for each in ann.hears("error")] == ["not_found"]
        assert listed(world) == []
        assert not any(b"secret" in value for _, value in shared.items())

    def test_when_the_map_is_away(
        self, world: World, shared: LoneMap, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The retraction is done and recorded; the report is closed as soon as that can be."""
        eve, ann, bob = user(world, "13"), user(world), moderator(world)
        says(eve, "secret")
        reports(ann)
        away = ChatError(Kind.UNAVAILABLE, "It is away.")
        with capturedLogs(), monkeypatch.context() as broken:
            broken.setattr(shared, "put", lambda *_, **__: fail(away))
            assert does(bob, type="retract", ref=1)["type"] == "ack"
            world.clock.advance(CLOSE_EVERY)
        assert isinstance(result(world.backend.messages.read("r", 0, 1)).entries[0], Gone)
        assert [each.text for each in recorded(world)] == ["secret"]
        assert len(listed(world)) == 1
        world.clock.advance(CLOSE_EVERY)
        assert listed(world) == []

    def test_a_ban_closes_cases_of_its_user(self, world: World) -> None:
        """A ban rejects held messages and closes reports on them, in the room or everywhere."""
        rules(world, hold="all")
        eve, elsewhere = user(world, "13"), user(world, "13", "s")
        bob, boss = moderator(world), manager(world)
        held(eve, nonce="1")
        says(elsewhere)
        reports(user(world, "43", "s"))
        held(user(world))
        does(bob, type="restrict", user="13", kind="mute")
        assert len(listed(world)) == 3
        does(bob, type="restrict", user="13", kind="ban")
        assert [case.room for _, case in listed(world)] == ["s", "r"]
        does(boss, type="restrict", user="13", kind="ban", everywhere=True)
        assert [case.user and case.user.id for _, case in listed(world)] == ["42"]


def test_cases_are_listed_oldest_first(make_world: Callable[..., World]) -> None:
    """The oldest first; of one room to those that moderate it, of all where one does so."""
    world = make_world()
    for room in ("r", "s"):
        run(world.chat.settings.change(room, SettingsChange(hold="all")))
    for number, room in enumerate(("r", "s", "r")):
        world.clock.advance(1)
        held(user(world, str(number + 1), room), str(number))
    bob = moderator(world).session._actor
    cases = world.chat.cases
    assert [case.message for _, case in cases.listed(ADMIN)] == ["0", "1", "2"]
    assert [case.message for _, case in cases.listed(bob, "r")] == ["0", "2"]
    somebody = Client(world).session._actor
    for actor, where in ((bob, "s"), (bob, None), (somebody, "r")):
        with pytest.raises(ChatError) as refused:
            cases.listed(actor, where)
        assert refused.value.kind in {Kind.FORBIDDEN, Kind.UNAUTHORIZED}


def test_an_owner_is_a_user_or_an_unreadable_address(world: World) -> None:
    """A user of the site, or an address, of which nothing can be read."""
    guest, other = Client(world, key=KEY).session._actor, Client(world).session._actor
    assert owner_of(guest) == owner_of(other)
    assert "192.0.2.1" not in owner_of(guest)
    assert owner_of(user(world).session._actor) == "u:42"
    # The address's mark could not be made.
    assert owner_of(Actor("guest", world.source("192.0.2.1"), User("x", "X"))) == "g:x"
    assert "192" not in owner_of(Actor("guest", world.source("192.0.2.1")))


def test_two_thousand_open(world: World) -> None:
    """The map is full: others are told so, a review works, and what ended is forgotten."""
    rules(world, hold="all")
    for index in range(MOST_CASES):
        actor = Actor("user", world.source("192.0.2.1"), User(f"u{index}", "U", verified=True))
        assert kind(world.chat.send(actor, "r", "x")) is Kind.HELD
    ann, bob = user(world), moderator(world)
    assert code(says(ann)) == "overloaded"
    known_as, _ = listed(world)[0]
    assert does(bob, type="review", case=known_as, verdict="reject")["type"] == "ack"
    assert len(listed(world)) == MOST_CASES - 1
    world.clock.advance(DECIDED_LASTS)
    held(ann, nonce="1")
    assert code(says(ann, nonce="2")) == "overloaded"
    world.clock.advance(HELD_LASTS)
    later = user(world, "43")
    held(later, nonce="1")
    held(later, nonce="2")
    assert len(world.chat.cases._register._known) <= 3
