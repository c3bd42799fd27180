"""`livechat.rooms.local_room`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.logger import capturedLogs

from livechat.net.fast import write_all
from livechat.protocol.encoding import Encoding
from livechat.protocol.messages import Edited, Gone, Message, Place, Retracted, User
from livechat.protocol.v1 import Joined, Left
from livechat.rooms.local_room import LocalRoom
from tests.support import RecordingClient


class Member(RecordingClient):
    def __init__(self, encoding: Encoding = Encoding.V1) -> None:
        super().__init__()
        self.encoding = encoding

    def heard(self) -> list[Any]:
        """Texts, and the types of other frames."""
        found = [json.loads(frame) for frame in self.frames()]
        return [frame.get("message", frame.get("type")) for frame in found]

    def left(self) -> list[str]:
        """The names of those that were reported as gone."""
        return [json.loads(frame)["user"]["name"] for frame in self.frames()]

    def frames_of(self) -> list[tuple[str, str | None, int]]:
        """Type, event and number of each frame."""
        found = [json.loads(frame) for frame in self.frames()]
        return [(frame["type"], frame.get("event"), frame["seq"]) for frame in found]


class Broken(Member):
    """Can be written to no more, nor be told so."""

    def write(self, frames: bytes) -> None:
        raise OSError

    turn_away = write  # type: ignore[assignment]


@pytest.fixture
def room() -> LocalRoom:
    return LocalRoom("r", write_all)


def join(room: LocalRoom, *members: Member, reads: bool = False) -> None:
    for member in members:
        room.add(member, reads=reads)


def deliver(room: LocalRoom, first: int, *texts: str, epoch: str = "e") -> None:
    room.deliver(epoch, [Message(text, seq, 9) for seq, text in enumerate(texts, first)])


def write(room: LocalRoom) -> None:
    while room.batches:
        room.write(1)


def test_a_broken_member(room: LocalRoom) -> None:
    """A broken member is removed and its connection cut; the others get everything."""
    before, broken, after = Member(), Broken(), Member()
    join(room, before, broken, after)
    deliver(room, 1, "x")
    with capturedLogs() as logged:
        write(room)
    assert len(logged) == 2
    assert broken.aborted
    assert broken not in room
    assert before.heard() == after.heard() == ["x"]


def test_a_broken_member_that_becomes_live(room: LocalRoom) -> None:
    """Nor does it cost the others a delivery that it becomes live with."""
    broken, other = Broken(), Member()
    join(room, broken, reads=True)
    join(room, other)
    assert room.go_live(broken, Place("another", 5))
    with capturedLogs():
        deliver(room, 1, "x")
        write(room)
    assert other.heard() == ["x"]
    assert len(room) == 1


def test_readers_are_those_of_the_delivery(room: LocalRoom) -> None:
    """A batch is for the members that were there, and still are."""
    before, between, gone = Member(), Member(), Member()
    join(room, before, gone)
    deliver(room, 1, "x")
    join(room, between)
    deliver(room, 2, "y")
    room.remove(gone)
    write(room)
    assert (before.heard(), between.heard(), gone.heard()) == (["x", "y"], ["y"], [])


def test_away_while_a_batch_waited(room: LocalRoom) -> None:
    """A member that has read the batch's messages meanwhile does not get them again."""
    one, other = Member(), Member()
    join(room, one, other)
    deliver(room, 1, "x")
    # From now on it is fixed for whom that is.
    join(room, Member())
    room.read(one)
    assert room.go_live(one, Place("e", 1))
    write(room)
    assert (one.heard(), other.heard()) == ([], ["x"])
    deliver(room, 2, "y")
    write(room)
    assert one.heard() == other.heard() == ["y"]


def test_a_member_behind_reads_on(room: LocalRoom) -> None:
    """A member that lacks what was delivered meanwhile has to read on."""
    one, other = Member(), Member()
    join(room, other)
    join(room, one, reads=True)
    deliver(room, 1, "x", "y")
    assert not room.go_live(one, Place("e", 1))
    assert room.go_live(one, Place("e", 2))


def test_a_member_ahead_gets_nothing_twice(room: LocalRoom) -> None:
    """A member that is ahead of deliveries gets what it has not read, and nothing twice."""
    one, two = Member(), Member()
    join(room, one, two, reads=True)
    assert room.go_live(one, Place("e", 2))
    assert room.go_live(two, Place("e", 3))
    deliver(room, 1, "a", "b", "c", "d")
    write(room)
    assert (one.heard(), two.heard()) == (["c", "d"], ["d"])
    assert room.early == {}


@pytest.mark.parametrize(("seq", "epoch"), [(5, "e"), (1, "another")])
def test_gaps_are_reported_to_members_that_number(room: LocalRoom, seq: int, epoch: str) -> None:
    """A gap between deliveries is reported to members that know numbers."""
    v1, plain = Member(), Member(Encoding.PLAIN)
    join(room, v1, plain)
    deliver(room, 1, "a")
    deliver(room, seq, "b", epoch=epoch)
    write(room)
    assert v1.heard() == ["a", "resumed", "b"]
    assert plain.heard() == ["a", "b"]
    assert room.place == Place(epoch, seq)


def test_frames_go_to_members_that_understand(room: LocalRoom) -> None:
    """Frames are for members that understand them, those that read too."""
    v1, reading, plain = Member(), Member(), Member(Encoding.PLAIN)
    join(room, v1, reading, plain)
    room.read(reading)
    room.broadcast(Joined(User("1", "Ann")))
    write(room)
    assert v1.heard() == reading.heard() == ["joined"]
    assert plain.heard() == []


def test_a_crowd_that_comes_in_costs_a_write_for_each(room: LocalRoom) -> None:
    """A newcomer gets the frames behind its coming; all frames of a turn are one batch."""
    members = [Member(), Member(Encoding.PLAIN)]
    join(room, *members)
    for name in "abc":
        room.broadcast(Left(User(name, name)))
        members.append(Member())
        join(room, members[-1])
    done, _ = room.write(9)
    assert (done, room.batches) == (3, [])
    assert [each.left() for each in members] == [["a", "b", "c"], [], ["b", "c"], ["c"], []]


def test_frames_keep_their_place_among_messages(room: LocalRoom) -> None:
    """Frames before and behind a message stay there, whoever joins meanwhile."""
    before, between, after = Member(), Member(), Member()
    join(room, before)
    room.broadcast(Left(User("1", "a")))
    join(room, between)
    deliver(room, 1, "x")
    join(room, after)
    room.broadcast(Left(User("2", "b")))
    write(room)
    assert before.heard() == ["left", "x", "left"]
    assert between.heard() == ["x", "left"]
    assert after.heard() == ["left"]


def test_gone_and_back_while_frames_wait(room: LocalRoom) -> None:
    """A member that was away gets what follows its coming back; one that has gone gets nothing."""
    stays, back, gone = Member(), Member(), Member()
    join(room, stays, back, gone)
    room.broadcast(Left(User("1", "a")))
    room.remove(back)
    room.remove(gone)
    join(room, back)
    room.broadcast(Left(User("2", "b")))
    write(room)
    assert [each.left() for each in (stays, back, gone)] == [["a", "b"], ["b"], []]


def test_a_frame_for_nobody_makes_no_batch(room: LocalRoom) -> None:
    """A frame that nobody understands makes no batch."""
    join(room, Member(Encoding.PLAIN))
    room.broadcast(Joined(User("1", "Ann")))
    assert room.batches == []


def test_a_batch_goes_on_where_it_stopped(room: LocalRoom) -> None:
    """A batch goes on where it stopped, and is handed back with what it was worth."""
    members = [Member() for _ in range(5)]
    join(room, *members)
    deliver(room, 1, "x", "y")
    assert room.write(3) == (3, None)
    room.remove(members[3])
    done, batch = room.write(3)
    assert done == 2
    assert batch is not None
    assert (batch.entries, batch.written, batch.since) == (2, 4, 9)
    assert [member.heard() for member in members] == [["x", "y"]] * 3 + [[], ["x", "y"]]


def test_a_retraction_meets_what_waits(room: LocalRoom) -> None:
    """Members that had the message are told; those yet to get it never see its words."""
    first, second, plain = Member(), Member(), Member(Encoding.PLAIN)
    join(room, first, second, plain)
    deliver(room, 1, "secret", "other")
    room.deliver("e", [Edited(3, 9, 1, "secret too")])
    assert room.write(1) == (1, None)
    room.deliver("e", [Retracted(4, 9, (1,), "author")])
    write(room)
    assert first.heard() == ["secret", "other", "event", "event"]
    assert second.frames_of() == [
        ("event", "gone", 1), ("message", None, 2), ("event", "gone", 3), ("event", "retracted", 4),
    ]  # fmt: skip
    assert plain.heard() == ["other"]


def test_a_retraction_of_what_is_delivered_with_it(room: LocalRoom) -> None:
    """Words that were taken back before they were delivered are never written."""
    member, plain = Member(), Member(Encoding.PLAIN)
    join(room, member, plain)
    deliver(room, 1, "of another numbering", epoch="d")
    room.deliver("e", [Message("secret", 1, 9), Retracted(2, 9, (1,), "moderator")])
    write(room)
    assert member.heard() == ["of another numbering", "resumed", "event", "event"]
    assert plain.heard() == ["of another numbering"]


def test_events_alone_write_nothing_to_plain_members(room: LocalRoom) -> None:
    """Events alone write nothing to plain members, not even an empty piece."""
    plain = Broken(Encoding.PLAIN)
    join(room, plain)
    room.deliver("e", [Gone(1, 9)])
    write(room)
    assert plain in room
