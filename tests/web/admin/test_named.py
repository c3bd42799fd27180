"""Operators with names on the admin page: their rights decide all that they see and do."""

from __future__ import annotations

import re

import pytest

from livechat.protocol.messages import Message, User
from tests.support import ANN, PASSWORD, Answer, Browser, Port, RecordingClient, World, result, run
from tests.web.admin.looking import named, put

EVE = User("eve", "Eve")


def say(world: World, text: str, room: str, user: User | None = EVE) -> int:
    message: Message = result(world.chat.send(world.caller("198.51.100.1", user), room, text))
    return message.seq


def texts(world: World, room: str) -> list[str]:
    return [each.message for each in result(world.backend.messages.read(room, 0, 99)).messages]


def page(browser: Browser, target: str, status: int = 200) -> str:
    answer = browser.get(target)
    assert answer.status == status, answer
    return answer.body.decode()


def listed(text: str) -> list[str]:
    return re.findall(r'id="room-([^"]+)"', text)


def code(answer: Answer) -> int:
    return answer.status


def test_the_overview_has_rooms_of_its_operator(port: Port, world: World) -> None:
    """The page lists the rooms that they moderate or manage, and says nothing of others."""
    for room in ("lobby", "team-a", "news", "secret"):
        run(world.chat.join(ANN, room, RecordingClient()))
        say(world, "hi", room)
    ann = named(port, lobby="moderate", news="send", **{"team-*": "manage"})
    text = page(ann, "/admin/")
    assert listed(text) == ["lobby", "team-a"]
    assert "<strong>2</strong> <small>in 2 active rooms" in text
    for hidden in ("secret", "news", "Connections", "self-signed", "Messages a second", "Processes",
                   "/admin/audit/", 'data-part="server"'):  # fmt: skip
        assert hidden not in text
    assert "Sign out ann" in text
    assert listed(page(ann, "/admin/?q=secret")) == []
    stream = ann.events("/admin/events")
    world.clock.advance(2)
    heard = stream.received().decode()
    assert "room-lobby" in heard
    for hidden in ("secret", "Connections", "event: server", "self-signed"):
        assert hidden not in heard


def test_managing_everything(port: Port, world: World) -> None:
    """An operator with all rights everywhere has the page of the shared password."""
    run(world.chat.join(ANN, "lobby", RecordingClient()))
    text = page(named(port, **{"*": "*"}), "/admin/")
    for shown in ("Connections", "self-signed", "/admin/audit/", "room-lobby"):
        assert shown in text


def test_a_room_that_one_may_not_enter(port: Port, world: World) -> None:
    """A room without rights is closed: its page, its events and its forms."""
    say(world, "among us", "secret")
    ann = named(port, lobby="moderate")
    page(ann, "/admin/")
    for answer in (
        ann.get("/admin/rooms/secret/"),
        ann.post("/admin/rooms/secret/", message="hi"),
        ann.post("/admin/rooms/secret/remove/", seq="1"),
        ann.get("/admin/rooms/secret/events"),
    ):
        assert answer.status == 403
        assert b"among us" not in answer.body
    assert texts(world, "secret") == ["among us"]
    assert "This needs the right" in page(ann, "/admin/rooms/secret/", 403)


@pytest.mark.parametrize(
    ("words", "removes", "sends"),
    [("moderate", True, False), ("send", False, True), ("join history", False, False),
     ("moderate send", True, True), ("manage", False, False), ("*", True, True)],
)  # fmt: skip
def test_an_act_without_the_right_has_no_button(
    port: Port, world: World, words: str, removes: bool, sends: bool
) -> None:
    """An act without the right has no button, and is refused."""
    seq = say(world, "hi", "lobby")
    ann = named(port, lobby=words)
    text = page(ann, "/admin/rooms/lobby/")
    assert "hi</p>" in text
    assert ("Remove for everyone" in text) == removes
    assert ("Send a message" in text) == sends
    assert code(ann.post("/admin/rooms/lobby/", message="x")) == (303 if sends else 403)
    removed = ann.post("/admin/rooms/lobby/remove/", seq=str(seq))
    assert code(removed) == (303 if removes else 403)
    assert ("hi" in texts(world, "lobby")) == (not removes)


def test_another_operators_message(port: Port, world: World) -> None:
    """Operators share one author, and still only moderators take back another's message."""
    bob = named(port, "bob", lobby="send")
    page(bob, "/admin/rooms/lobby/")
    bob.post("/admin/rooms/lobby/", message="by bob")
    ann = named(port, lobby="send")
    page(ann, "/admin/rooms/lobby/")
    assert ann.post("/admin/rooms/lobby/remove/", seq="1").status == 403
    assert texts(world, "lobby") == ["by bob"]


def test_the_audit_is_for_those_who_moderate_everything(port: Port, world: World) -> None:
    ann = named(port, lobby="*", **{"team-*": "*"})
    page(ann, "/admin/audit/", 403)
    assert ann.get("/admin/audit/events").status == 403
    bob = named(port, "bob", **{"*": "moderate"})
    assert "signed in" in page(bob, "/admin/audit/")


def test_names_in_the_audit(port: Port, browser: Browser, world: World) -> None:
    """Acts are recorded under the operator's name, or as "Operator" with the shared password."""
    ann = named(port, lobby="moderate send")
    page(ann, "/admin/rooms/lobby/")
    ann.post("/admin/rooms/lobby/", message="hello")
    ann.post("/admin/rooms/lobby/remove/", seq=str(say(world, "spam", "lobby")))
    ann.post("/admin/sign-out/")
    text = page(browser, "/admin/audit/")
    did = re.findall(r'<div class="did">(.*?)</div>', text, re.DOTALL)
    acts = [" ".join(re.sub(r"<[^>]*>", " ", each).split()) for each in did]
    assert acts == [
        "ann signed out",
        "ann removed a message of Eve in lobby : spam",
        "ann posted in lobby",
        "ann signed in",
        "Operator signed in",
    ]
    # The room's messages are by "Operator": members do not learn the name.
    assert "ann" not in page(browser, "/admin/rooms/lobby/").replace("channel", "")


@pytest.mark.parametrize("name", ["ann", " Ann ", "ANN"])
def test_typing_the_name(port: Port, name: str) -> None:
    """Phones begin words with capitals, and end them with blanks."""
    put(port.world, "ann")
    assert Browser(port).sign_in(username=name).status == 303


@pytest.mark.parametrize("name", ["", "operator", "Operator"])
def test_the_shared_password(port: Port, name: str) -> None:
    """The shared password goes without a name, or with the one that browsers have kept with it."""
    browser = Browser(port)
    assert browser.sign_in(username=name).status == 303
    assert "Sign out<" in page(browser, "/admin/")


def test_wrong_names(port: Port) -> None:
    """A wrong name and a wrong password are answered alike, but for the name that was typed."""
    put(port.world, "ann")
    answers = [
        Browser(port, f"192.0.2.{number}").sign_in(password, username=name)
        for number, (name, password) in enumerate([("ann", "wrong"), ("bob", PASSWORD)])
    ]
    assert [answer.status for answer in answers] == [403, 403]
    pages = [re.sub(r'value="\w*"', "", answer.body.decode()) for answer in answers]
    assert pages[0] == pages[1]
    assert "This is not the name and the password." in pages[0]


def test_a_changed_operator_is_out(port: Port, world: World) -> None:
    """A changed operator's streams end at once, and pages ask for the password."""
    ann, bob = named(port, lobby="moderate"), named(port, "bob", lobby="moderate")
    streams = [
        each.events(target)
        for target in ("/admin/events", "/admin/rooms/lobby/events")
        for each in (ann, bob)
    ]
    put(world, "ann", lobby="join")
    assert [b"\r\n0\r\n\r\n" in stream.received() for stream in streams] == [True, False] * 2
    assert ann.get("/admin/").status == 303
    assert ann.get("/admin/events").status == 403
    assert ann.post("/admin/rooms/lobby/remove/", seq="1").status == 403
    assert bob.get("/admin/").status == 200


def test_changed_while_a_stream_begins(
    port: Port, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream whose session ends before it has begun ends too."""
    ann = named(port, lobby="moderate")
    history = world.chat.history

    async def slow(*asked: object) -> object:
        await world.operators.accounts.drop("ann")
        return await history(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr(world.chat, "history", slow)
    stream = ann.events("/admin/rooms/lobby/events")
    world.clock.advance(1)
    assert b"\r\n0\r\n\r\n" in stream.received()
