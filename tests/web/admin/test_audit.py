"""`livechat.web.admin.audit`."""

from __future__ import annotations

import re
from html import unescape

import pytest
from twisted.internet.defer import fail

from livechat.errors import ChatError, Kind
from livechat.identity.actor import OPERATOR
from livechat.interfaces import IReceiver
from livechat.protocol.audit import Action, AuditRecord, Author, record_to_text
from livechat.protocol.messages import Draft, User
from livechat.protocol.names import AUDIT_ROOM
from livechat.web.admin.audit import RECORDS_PER_PAGE
from tests.support import ADMIN, HANDSHAKE, PASSWORD, Browser, Port, World, result, run
from tests.support.outcomes import publish

EVE = User("eve", "Eve <b>")
AUDIT = "/admin/audit/"
TARGETS = [AUDIT, "/admin/audit/events"]


def acts(text: str) -> list[str]:
    """The records that a page lists, as they are read, the newest first."""
    found = re.findall(r'<div class="did">(.*?)</div>', text, re.DOTALL)
    return [" ".join(unescape(re.sub(r"<[^>]*>", " ", each)).split()) for each in found]


def page(browser: Browser, target: str = "/admin/audit/") -> str:
    answer = browser.get(target)
    assert answer.status == 200, answer
    return answer.body.decode()


def say(world: World, text: str, user: User | None = EVE, room: str = "lobby") -> int:
    return result(world.chat.send(world.caller("198.51.100.1", user), room, text)).seq


def write(world: World, *records: str) -> None:
    for text in records:
        result(publish(world.backend.messages, Draft(AUDIT_ROOM, text)))


def refuse_records(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    publish = world.backend.messages.publish

    def refusing(draft: Draft, receiver: IReceiver) -> None:
        if draft.room != AUDIT_ROOM:
            publish(draft, receiver)
        else:
            receiver.not_stored(ChatError(Kind.UNAVAILABLE, "away"))

    monkeypatch.setattr(world.backend.messages, "publish", refusing)


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/ws/chat/{}/", b""),
        ("GET", "/chat/events/{}/", b""),
        ("GET", "/chat/history/{}/", b""),
        ("GET", "/chat/history/?room={}", b""),
        ("POST", "/chat/send/{}/", b'{"message":"x"}'),
        ("POST", "/chat/send/?room={}", b'{"message":"x"}'),
        ("POST", "/chat/send/", b'{"message":"x","room":"!audit"}'),
        ("POST", "/chat/actions/{}/", b'{"type":"message","message":"x"}'),
        ("POST", "/chat/actions/{}/", b'{"type":"retract","ref":1}'),
    ],
)
@pytest.mark.parametrize("name", ["!audit", "%21audit", "%2521audit", "!AUDIT"])
def test_no_way_for_clients(
    port: Port, world: World, method: str, target: str, body: bytes, name: str
) -> None:
    """No client can name the audit's room: the name is refused, however it is written."""
    write(world, "{}")
    headers = HANDSHAKE if "/ws/" in target else {}
    media = {"Content_Type": "application/json"} if body else {}
    answer = port.ask(method, target.format(name), body, **headers, **media)
    assert (answer.status, answer.code()) == (400, "bad_room")
    assert result(world.backend.messages.read(AUDIT_ROOM, 0, 9)).position.seq == 1
    assert world.hub.rooms() == {}


@pytest.mark.parametrize(
    "target", ["/admin/rooms/%21audit/", "/admin/rooms/?room=!audit", "/rooms/!audit/"]
)
def test_no_page_of_a_room(browser: Browser, target: str) -> None:
    """The audit has no page as other rooms have one, for operators neither."""
    assert browser.get(target).status == 400


def test_no_removal_from_the_audit(browser: Browser, world: World) -> None:
    before = page(browser)
    answer = browser.post("/admin/rooms/%21audit/remove/", seq="1")
    assert answer.status == 400
    assert acts(page(browser)) == acts(before) == ["Operator signed in"]


@pytest.mark.parametrize("target", TARGETS)
def test_a_stranger_sees_no_audit(port: Port, target: str) -> None:
    """A stranger sees nothing of the audit, and gets there by signing in."""
    stranger = Browser(port)
    answer = stranger.get(target)
    assert (answer.status, b"Operator" in answer.body) in ((303, False), (403, False))
    if answer.status == 303:
        assert answer.headers["location"] == "/admin/sign-in/?next=%2Fadmin%2Faudit%2F"
        assert stranger.sign_in(next="/admin/audit/").headers["location"] == "/admin/audit/"


def test_what_operators_do(browser: Browser, world: World) -> None:
    """Signing in and out, posting, and removing: in plain words, the newest first."""
    browser.get("/admin/rooms/lobby/")
    browser.post("/admin/rooms/lobby/", message="hello")
    browser.post("/admin/rooms/lobby/remove/", seq=str(say(world, "buy <b>this</b>")))
    browser.post("/admin/rooms/lobby/remove/", seq=str(say(world, "that", None)))
    browser.post("/admin/rooms/lobby/remove/", seq="1")
    browser.post("/admin/sign-out/")
    browser.sign_in("wrong")
    browser.sign_in()
    assert acts(page(browser)) == [
        "Operator signed in",
        "Operator signed out",
        "Operator removed a message of Operator in lobby",
        "Operator removed a message in lobby : that",
        "Operator removed a message of Eve <b> in lobby : buy <b>this</b>",
        "Operator posted in lobby",
        "Operator signed in",
    ]


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", '"><img src=x>', "{{7*7}}", "\u202e"]
)
def test_hostile_records_are_shown_as_text(browser: Browser, world: World, text: str) -> None:
    """Texts of a record are shown as text."""
    action = Action(text, ref=1, user=User(text, text))
    write(
        world,
        record_to_text(AuditRecord(action, Author("operator", User(text, text)), text, text)),
        record_to_text(
            AuditRecord(Action("retract", user=User("x", text)), Author(text), text, text)
        ),
        record_to_text(AuditRecord(Action("message", seq=1), Author(text), text)),
    )
    listed = page(browser).partition('<ol class="records">')[2]
    assert "<script" not in listed
    assert "<img" not in listed
    assert "49" not in re.findall(r">(49)<", listed)
    assert text in acts(listed)[1]
    assert not re.search(r'href="/admin/rooms/[^"]*[<>\s]', listed)


def test_records_of_another_livechat(browser: Browser, world: World) -> None:
    """A record that is unknown or unreadable here hides no other record."""
    by = Author("operator", OPERATOR)
    write(
        world,
        record_to_text(AuditRecord(Action("restrict"), by, "lobby")),
        "not a record",
        record_to_text(AuditRecord(Action("message"), by)),
    )
    assert acts(page(browser)) == [
        "Operator did “message”, which this version does not know",
        "This record cannot be read.",
        "Operator did “restrict” in lobby , which this version does not know",
        "Operator signed in",
    ]


def test_acts_of_back_ends_are_shown(browser: Browser, world: World) -> None:
    """Acts of a back end are shown with its name, and what they were about."""
    by = Author("key", name="back end")
    user = User("42", "42", verified=True)
    acts_of_a_key = (
        Action("key_add", name="<news>", key="a1"),
        Action("key_drop", name="<news>", key="a1"),
        Action("revoke", user=user),
        Action("revoke", token="jti"),
    )
    write(world, *[record_to_text(AuditRecord(each, by)) for each in acts_of_a_key])
    assert acts(page(browser))[:4] == [
        "back end revoked the token jti",
        "back end revoked all tokens of the user 42",
        "back end dropped the key <news> (a1)",
        "back end made the key <news> (a1)",
    ]


def test_pages_of_the_audit_miss_no_record(browser: Browser, world: World) -> None:
    """From the newest records one gets to the oldest, and back, without missing one."""
    by = Author("operator", OPERATOR)
    write(world, *[record_to_text(AuditRecord(Action(f"x{n}"), by)) for n in range(2, 131)])
    target, seen = "/admin/audit/", list[str]()
    while target:
        text = page(browser, target)
        seen += re.findall(r"“x(\d+)”", text)
        assert ("data-live" in text) == (target == "/admin/audit/")
        links = re.findall(r'href="(/admin/audit/\?before=\d+)"', text)
        target = links[0] if links else ""
    assert seen == [str(number) for number in range(130, 1, -1)]
    assert "The audit begins here." in text
    later = page(browser, re.findall(r'href="(/admin/audit/\?after=\d+)"', text)[0])
    assert len(acts(later)) == RECORDS_PER_PAGE
    for bad in ("before=x", "before=1&after=1"):
        assert browser.get(f"/admin/audit/?{bad}").status == 400


def test_new_records_come_by_themselves(browser: Browser, world: World) -> None:
    """New records come by themselves, and a watcher leaves nothing behind."""
    stream = browser.events("/admin/audit/events")
    (first,) = stream.events()
    assert (first[0], acts(first[1])) == ("records", ["Operator signed in"])
    world.clock.advance(1)
    assert stream.events() == []
    run(world.chat.audit.record(ADMIN, Action("sign_out")))
    world.clock.advance(1)
    (second,) = stream.events()
    assert acts(second[1]) == ["Operator signed out", "Operator signed in"]
    stream.hang_up()
    assert world.hub._watchers == {}
    assert world.backend.messages._subscribed == {}


def test_an_audit_that_cannot_be_read(
    browser: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unreadable audit has no stream, and its page says why."""
    refusal = ChatError(Kind.UNAVAILABLE, "The history cannot be read just now.")
    monkeypatch.setattr(world.backend.messages, "read", lambda *_: fail(refusal))
    assert browser.get("/admin/audit/events").code() == "unavailable"
    answer = browser.get("/admin/audit/")
    assert (answer.status, "cannot be read just now" in answer.body.decode()) == (503, True)


def test_signing_in_and_out_while_nothing_is_recorded(
    browser: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator gets in and out all the same."""
    refuse_records(world, monkeypatch)
    browser.get("/admin/")
    assert browser.post("/admin/sign-out/").status == 303
    assert browser.sign_in(PASSWORD).status == 303
    assert browser.get("/admin/").status == 200


def test_posting_while_nothing_is_recorded(
    browser: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says that it was done, and does not offer to send it again."""
    refuse_records(world, monkeypatch)
    browser.get("/admin/rooms/r/")
    answer = browser.post("/admin/rooms/r/", message="once")
    text = answer.body.decode()
    assert (answer.status, "could not be recorded yet" in text) == (503, True)
    assert "\n</textarea>" in text
    assert [each.message for each in result(world.backend.messages.read("r", 0, 9)).messages] == [
        "once"
    ]


def test_moderation_in_words(browser: Browser, world: World) -> None:
    """Acts of moderation say who did what to whom, where, until when and why, with the text."""
    by, eve = Author("operator", OPERATOR, "ann"), User("evesid123456", "Eve <b>")
    carla = User("42", "Carla", verified=True)
    records = (
        AuditRecord(
            Action("restrict", user=eve, kind="mute", seconds=600, reason="<i>spam"), by, "lobby"
        ),
        AuditRecord(Action("restrict", user=carla, kind="ban", address=True), by, "*"),
        AuditRecord(Action("pardon", user=eve, kind="mute"), by, "lobby"),
        AuditRecord(Action("room", set={"slow": 30, "topic": None, "closed": True}), by, "team-*"),
        AuditRecord(Action("room", set={"title": "<b>", "words": ["a"]}), by, "lobby"),
        AuditRecord(Action("clear", count=1_200), by, "lobby"),
        AuditRecord(
            Action("review", user=eve, case="c1", verdict="reject", reason="no"), by, "lobby", "buy"
        ),
        AuditRecord(Action("review", user=eve, case="c2", verdict="approve", seq=4), by, "lobby"),
        AuditRecord(Action("retract", user=eve, count=12), by, "lobby"),
    )
    write(world, *map(record_to_text, records))
    assert acts(page(browser))[:-1][::-1] == [
        "ann muted Eve <b> ·eves in lobby for 10 minutes, until 2026-09-21 14:23:20 UTC: <i>spam",
        "ann banned Carla ·42 in all rooms until pardoned, their address, too",
        "ann pardoned Eve <b> ·eves in lobby , who was muted",
        "ann changed the settings of team-* : slow 30, topic inherited, closed on",
        "ann changed the settings of lobby : title <b> , words 1 word",
        "ann cleared lobby : 1,200 messages",
        "ann rejected a message of Eve <b> ·eves in lobby : no : buy",
        "ann approved a message of Eve <b> ·eves in lobby",
        "ann removed 12 messages of Eve <b> in lobby",
    ]


def test_records_are_filtered_by_room_and_person(browser: Browser, world: World) -> None:
    """Records are filtered by room, and by person as actor or target, by id, subject or name."""
    ann, bob = Author("operator", OPERATOR, "ann"), Author("operator", OPERATOR, "bob")
    eve, carla = User("evesid123456", "Ｅve"), User("42", "Carla", verified=True)
    write(
        world,
        record_to_text(AuditRecord(Action("pardon", user=eve), ann, "lobby")),
        record_to_text(AuditRecord(Action("pardon", user=carla), bob, "lobby")),
        record_to_text(AuditRecord(Action("pardon", user=carla), ann, "news")),
        "not a record",
    )

    def found(query: str) -> list[str]:
        return [each.replace(" pardoned", "") for each in acts(page(browser, f"{AUDIT}?{query}"))]

    assert found("room=lobby") == ["bob Carla ·42 in lobby", "ann Ｅve ·eves in lobby"]
    assert found("person=eve") == ["ann Ｅve ·eves in lobby"]
    assert found("person=u:42&room=news") == ["ann Carla ·42 in news"]
    assert found("person=BOB") == ["bob Carla ·42 in lobby"]
    assert found("room=%3Cb%3E") == []
    assert "data-live" not in page(browser, f"{AUDIT}?room=lobby")
    assert browser.get(f"{AUDIT}?room={'x' * 129}").status == 400


def test_links_to_pages_keep_the_filter(browser: Browser, world: World) -> None:
    """Links to other pages keep the filter."""
    for number in range(RECORDS_PER_PAGE + 5):
        room = "lobby" if number % 2 else "news"
        user = User(f"id{number:03}", "x")
        write(
            world,
            record_to_text(AuditRecord(Action("pardon", user=user), Author("operator"), room)),
            record_to_text(AuditRecord(Action("pardon", user=user), Author("operator"), "lobby")),
        )
    text = page(browser, f"{AUDIT}?room=lobby")
    assert len(acts(text)) == RECORDS_PER_PAGE
    (older,) = re.findall(r'href="(/admin/audit/\?room=lobby&amp;before=\d+)"', text)
    assert len(acts(page(browser, unescape(older)))) == 32
