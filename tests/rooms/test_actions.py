"""`livechat.rooms.actions`: what clients say, edit and take back, and what others see of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from livechat.errors import Kind
from livechat.identity.actor import Actor
from livechat.protocol.audit import Action as Recorded
from livechat.protocol.encoding import Encoding
from livechat.protocol.messages import (
    MOST_EDITS,
    MOST_REFS,
    Edited,
    Message,
    Place,
    Retracted,
    User,
)
from livechat.protocol.settings import EDIT_WITHIN
from livechat.rooms.history import History, Window
from tests.rooms.acting import does, records, refusal
from tests.support import ADMIN, SOMEBODY, RecordingClient, World, guest, result, run

ANN, BEN = guest("Ann"), guest("Ben")


class Reader(RecordingClient):
    """A member that speaks ``livechat.v1``."""

    encoding = Encoding.V1

    def heard(self) -> list[Any]:
        return [msgspec.json.decode(frame) for frame in self.frames()]


def say(world: World, text: str, actor: Actor = ANN) -> int:
    return does(world, actor, {"message": text}).seq or 0


def reads(world: World, room: str = "r") -> list[tuple[int, str]]:
    history: History = run(world.chat.history(SOMEBODY, room, Window()))

    async def all_of_it() -> list[tuple[int, str]]:
        return [(each.seq, each.message) async for page in history.pages() for each in page]

    found: list[tuple[int, str]] = run(all_of_it())
    return found


def texts(plain: RecordingClient) -> list[str]:
    return [msgspec.json.decode(frame)["message"] for frame in plain.frames()]


def members(world: World) -> tuple[Reader, RecordingClient]:
    """Two members who join: a client of livechat.v1 and a plain one."""
    reader, plain = Reader(), RecordingClient()
    for member in (reader, plain):
        run(world.chat.join(guest("C"), "r", member))
    return reader, plain


def test_members_are_told_of_edits_and_retractions(world: World) -> None:
    """Members are told under the next numbers; plain ones see the one message."""
    reader, plain = members(world)
    assert say(world, "helo") == 1
    assert does(world, ANN, {"type": "edit", "ref": 1, "message": "hello"}).seq == 2
    assert reads(world) == [(1, "hello")]
    ack = does(world, ANN, {"type": "retract", "ref": 1})
    assert (ack.seq, ack.count) == (3, 1)
    assert reads(world) == []
    said, edited, retracted = [each for each in reader.heard() if "seq" in each]
    assert (said["type"], said["message"], said["seq"]) == ("message", "helo", 1)
    del edited["time"], retracted["time"]
    assert edited == {"type": "event", "event": "edited", "seq": 2, "ref": 1, "text": "hello"}
    assert retracted == {
        "type": "event", "event": "retracted", "seq": 3, "refs": [1], "by": "author",
    }  # fmt: skip
    assert texts(plain) == ["helo"]


def test_a_client_that_resumes_gets_present_texts(world: World) -> None:
    """A client that resumes gets every number once, with its present state."""
    start = run(world.chat.place(SOMEBODY, "r"))
    for text in ("a", "b"):
        say(world, text)
    does(world, ANN, {"type": "edit", "ref": 1, "message": "A"})
    does(world, ANN, {"type": "edit", "ref": 1, "message": "AA"})
    does(world, ANN, {"type": "retract", "ref": 2})
    reader = Reader()
    run(world.chat.join(BEN, "r", reader, reads=True))
    run(world.chat.replay(BEN, "r", reader).resume(Place(start.epoch, 0)))
    shown = [
        (each["seq"], each.get("event"), each.get("message") or each.get("text"))
        for each in reader.heard()
        if "seq" in each
    ]
    assert shown == [
        (1, None, "AA"), (2, "gone", None), (3, "gone", None), (4, "edited", "AA"),
        (5, "retracted", None),
    ]  # fmt: skip


def test_plain_history_counts_messages(world: World) -> None:
    """However many edits come after them, the newest messages are those asked for."""
    for number in range(5):
        say(world, str(number))
    for number in range(12):
        does(world, ANN, {"type": "edit", "ref": 5, "message": f"e{number}"})
    does(world, ANN, {"type": "retract", "ref": 4})
    plain = RecordingClient()
    run(world.chat.join(BEN, "r", plain, reads=True))
    run(world.chat.replay(BEN, "r", plain).newest(2))
    assert texts(plain) == ["2", "e11"]


HOSTILE: list[tuple[dict[str, Any], Kind]] = [
    ({"type": "edit", "ref": 9, "message": "x"}, Kind.NOT_FOUND),
    ({"type": "edit", "ref": 2, "message": "x"}, Kind.FORBIDDEN),
    ({"type": "edit", "ref": 3, "message": "x"}, Kind.FORBIDDEN),
    ({"type": "edit", "ref": 4, "message": "x"}, Kind.NOT_FOUND),
    ({"type": "edit", "ref": 1, "message": "x" * 16_385}, Kind.MESSAGE_TOO_LONG),
    ({"type": "edit", "ref": 1, "message": "\u200b"}, Kind.EMPTY_MESSAGE),
    ({"type": "edit", "ref": 1, "message": "x", "data": []}, Kind.BAD_MESSAGE),
    ({"type": "edit", "ref": 1}, Kind.BAD_MESSAGE),
    ({"type": "edit", "ref": 0, "message": "x"}, Kind.BAD_MESSAGE),
    ({"type": "edit", "ref": -1, "message": "x"}, Kind.BAD_MESSAGE),
    ({"type": "edit", "ref": 1.5, "message": "x"}, Kind.BAD_MESSAGE),
    ({"type": "edit", "ref": "1", "message": "x"}, Kind.BAD_MESSAGE),
    ({"type": "edit", "ref": 2**53, "message": "x"}, Kind.BAD_MESSAGE),
    ({"type": "retract"}, Kind.BAD_MESSAGE),
    ({"type": "retract", "ref": 1, "refs": [1]}, Kind.BAD_MESSAGE),
    ({"type": "retract", "refs": []}, Kind.BAD_MESSAGE),
    ({"type": "retract", "refs": [1] * (MOST_REFS + 1)}, Kind.BAD_MESSAGE),
    ({"type": "retract", "refs": [0]}, Kind.BAD_MESSAGE),
    ({"type": "retract", "refs": {"1": 1}}, Kind.BAD_MESSAGE),
    ({"type": "retract", "ref": 9}, Kind.NOT_FOUND),
    ({"type": "retract", "ref": 4}, Kind.NOT_FOUND),
    ({"type": "retract", "ref": 2}, Kind.FORBIDDEN),
    ({"type": "retract", "refs": [1, 2]}, Kind.FORBIDDEN),
    ({"type": "retract", "ref": 1, "user": "x"}, Kind.BAD_MESSAGE),
    ({"type": "retract", "refs": [1], "user": "x"}, Kind.BAD_MESSAGE),
    ({"type": "retract", "ref": 1, "seconds": 60}, Kind.BAD_MESSAGE),
    ({"type": "retract", "ref": 1, "guest": True}, Kind.BAD_MESSAGE),
    ({"type": "retract", "seconds": 60}, Kind.BAD_MESSAGE),
    ({"type": "retract", "user": ""}, Kind.BAD_MESSAGE),
    ({"type": "retract", "user": "x" * 65}, Kind.BAD_MESSAGE),
    ({"type": "retract", "user": 7}, Kind.BAD_MESSAGE),
    ({"type": "retract", "user": "x", "seconds": 0}, Kind.BAD_MESSAGE),
    ({"type": "retract", "user": "x", "seconds": 10**10}, Kind.BAD_MESSAGE),
    ({"type": "retract", "user": "x"}, Kind.UNAUTHORIZED),
    (
        {"type": "retract", "user": BEN.user.id if BEN.user else "", "guest": True},
        Kind.UNAUTHORIZED,
    ),
    ({"type": "clear"}, Kind.UNAUTHORIZED),
    ({"type": "message", "message": "x", "reply_to": 0}, Kind.BAD_MESSAGE),
    ({"type": "message", "message": "x", "data": "{}"}, Kind.BAD_MESSAGE),
    ({"type": "resume", "epoch": "k", "seq": 1}, Kind.UNKNOWN_TYPE),
    ({"type": "restrict", "user": "x"}, Kind.BAD_MESSAGE),
    ({"type": "shadow", "user": "x"}, Kind.UNKNOWN_TYPE),
]


@pytest.mark.parametrize(("action", "kind"), HOSTILE)
def test_an_invalid_act_changes_nothing(world: World, action: dict[str, Any], kind: Kind) -> None:
    """An invalid action, a missing message or another's is refused, and changes nothing."""
    reader, _ = members(world)
    say(world, "mine")
    say(world, "Ben's", BEN)
    say(world, "nobody's", SOMEBODY)
    does(world, ANN, {"type": "edit", "ref": 1, "message": "mine!"})
    before = reads(world)
    reader.frames()
    assert refusal(world, ANN, action) is kind
    assert reads(world) == before
    assert [each for each in reader.heard() if "seq" in each] == []


def test_the_same_id_of_another_kind(world: World) -> None:
    """A site may give its user a guest's id: the messages remain the guest's."""
    assert ANN.user is not None
    say(world, "mine")
    site = Actor("user", ANN.source, User(ANN.user.id, "Ann", verified=True), returns=True)
    assert refusal(world, site, {"type": "retract", "ref": 1}) is Kind.FORBIDDEN
    assert refusal(world, site, {"type": "edit", "ref": 1, "message": "x"}) is Kind.FORBIDDEN


def test_a_guest_without_a_key(make_world: Callable[..., World]) -> None:
    """A guest without a key owns the messages of its connection only."""
    world = make_world()
    before, after = guest("Ann"), guest("Ann")
    seq = does(world, before, {"message": "x"}).seq
    assert refusal(world, after, {"type": "retract", "ref": seq}) is Kind.FORBIDDEN
    assert does(world, before, {"type": "retract", "ref": seq}).count == 1


def test_a_late_edit_is_refused(world: World) -> None:
    """A message is edited for a while; it is taken back at any time."""
    say(world, "old")
    world.clock.advance(EDIT_WITHIN - 1)
    does(world, ANN, {"type": "edit", "ref": 1, "message": "still"})
    world.clock.advance(2)
    assert refusal(world, ANN, {"type": "edit", "ref": 1, "message": "x"}) is Kind.TOO_LATE
    world.clock.advance(1_000_000)
    assert does(world, ANN, {"type": "retract", "ref": 1}).count == 1


def test_too_many_edits(world: World) -> None:
    """The number of edits of one message is bounded, so that they cannot fill a room's history."""
    say(world, "x")
    for number in range(MOST_EDITS):
        does(world, ANN, {"type": "edit", "ref": 1, "message": str(number)})
    assert refusal(world, ANN, {"type": "edit", "ref": 1, "message": "x"}) is Kind.TOO_MANY_EDITS
    assert reads(world) == [(1, str(MOST_EDITS - 1))]


def test_an_operator_retracts_and_does_not_edit(world: World) -> None:
    """An operator retracts anybody's messages, and edits nobody's."""
    reader, _ = members(world)
    say(world, "mine")
    say(world, "Ben's", BEN)
    assert refusal(world, ADMIN, {"type": "edit", "ref": 1, "message": "x"}) is Kind.FORBIDDEN
    assert does(world, ADMIN, {"type": "retract", "refs": [2, 1, 2]}).count == 2
    *_, event = reader.heard()
    assert (event["refs"], event["by"]) == ([1, 2], "moderator")


def test_all_messages_of_a_user_are_retracted(world: World) -> None:
    """An author takes back all its own; a moderator anybody's, of a while or of ever."""
    assert ANN.user is not None
    assert BEN.user is not None
    for actor in (ANN, BEN, ANN):
        say(world, "old", actor)
    world.clock.advance(60)
    say(world, "new", BEN)
    mine = {"type": "retract", "user": ANN.user.id, "guest": True, "nonce": "n"}
    ack = does(world, ANN, mine)
    assert (ack.seq, ack.count, ack.nonce) == (5, 2, "n")
    theirs = {"type": "retract", "user": BEN.user.id, "guest": True, "seconds": 30}
    assert does(world, ADMIN, theirs).count == 1
    assert does(world, ADMIN, {"type": "retract", "user": BEN.user.id}).count == 0
    assert reads(world) == [(2, "old")]


def test_a_room_is_cleared(world: World) -> None:
    for actor in (ANN, BEN, SOMEBODY):
        say(world, "x", actor)
    ack = does(world, ADMIN, {"type": "clear", "nonce": "n"})
    assert (ack.seq, ack.count, ack.nonce) == (4, 3, "n")
    assert reads(world) == []
    assert [each.action for each in records(world)] == [Recorded("clear", count=3)]


def test_a_repeated_act_is_done_once(world: World) -> None:
    """An act that is repeated is done once; the same nonce for another act is an error."""
    say(world, "a")
    edit = {"type": "edit", "ref": 1, "message": "b", "nonce": "n"}
    first, again = does(world, ANN, edit), does(world, ANN, edit)
    assert (first.seq, first.duplicate, again.seq, again.duplicate) == (2, False, 2, True)
    for other in (
        {"message": "b", "nonce": "n"},
        {"type": "edit", "ref": 1, "message": "c", "nonce": "n"},
        {"type": "edit", "ref": 1, "message": "b", "nonce": "n", "data": {}},
        {"type": "retract", "ref": 1, "nonce": "n"},
    ):
        assert refusal(world, ANN, other) is Kind.NONCE_REUSED
    retract = {"type": "retract", "ref": 1, "nonce": "m"}
    assert does(world, ANN, retract).count == 1
    again = does(world, ANN, retract)
    assert (again.seq, again.duplicate, again.count) == (3, True, None)


def test_acts_count_towards_the_rate(make_world: Callable[..., World]) -> None:
    """Edits and retractions count as messages do."""
    world = make_world(rate=1)
    actor = Actor("guest", world.source("192.0.2.7"), ANN.user, returns=True)
    for text in ("a", "b"):
        does(world, actor, {"message": text})
    for action in (
        {"type": "edit", "ref": 1, "message": "x"},
        {"type": "retract", "ref": 1},
        {"type": "retract", "user": "x"},
        {"type": "clear"},
        {"message": "x"},
    ):
        assert refusal(world, actor, action) is Kind.RATE_LIMITED


def test_replies_and_data_are_delivered(world: World) -> None:
    """Replies and data are delivered and stored with the message; an edit replaces the data."""
    reader, plain = members(world)
    does(world, ANN, {"message": "x", "reply_to": 41, "data": {"a": [1, {"b": "\u2028"}]}})
    *_, said = reader.heard()
    assert (said["reply_to"], said["data"]) == (41, {"a": [1, {"b": "\u2028"}]})
    does(world, ANN, {"type": "edit", "ref": 1, "message": "y", "data": {"c": 2}})
    (kept,) = result(world.backend.messages.read("r", 0, 1)).messages
    assert (kept.reply_to, bytes(kept.data or b""), kept.message) == (41, b'{"c":2}', "y")
    does(world, ANN, {"type": "edit", "ref": 1, "message": "z"})
    (kept,) = result(world.backend.messages.read("r", 0, 1)).messages
    assert (kept.reply_to, kept.data) == (41, None)
    assert texts(plain) == ["x"]


def test_listeners_are_told_of_acts_once(make_world: Callable[..., World]) -> None:
    """Extensions are told of what was said, and of what became of it, once."""
    told: list[Any] = []

    class Told:
        def stored(self, room: str, message: Message) -> None:
            told.append((room, message.seq))

        def amended(self, room: str, event: Edited | Retracted) -> None:
            told.append((room, event))

        def joined(self, room: str, user: User) -> None:
            """Nothing of interest."""

        left = joined

    world = make_world(listeners=[Told()])
    say(world, "a")
    for _ in range(2):
        does(world, ANN, {"type": "edit", "ref": 1, "message": "b", "nonce": "n"})
    does(world, ANN, {"type": "retract", "ref": 1})
    world.turn()
    (room, seq), (_, edited), (_, retracted) = told
    assert (room, seq) == ("r", 1)
    assert (edited.seq, edited.text) == (2, "b")
    assert (retracted.seq, retracted.refs) == (3, (1,))
