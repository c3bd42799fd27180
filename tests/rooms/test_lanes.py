"""A room that writes to wires: TLS on pairs of sockets, by both parts that can."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from twisted.logger import capturedLogs

from livechat.protocol.messages import Message
from livechat.protocol.plain import plain_frame
from livechat.rooms.local_room import LocalRoom
from tests.net.wires import Pair, pairs, part, tls
from tests.support import RecordingClient

__all__ = ["pairs", "part", "tls"]

X, Y = (Message(text, seq, 9) for seq, text in enumerate("xy", 1))
#: A message that fills a socket's buffers.
LARGE = Message("z" * 60_000, 1, 9)


class Member(RecordingClient):
    """Has a wire, and remembers with what it was told of frames."""

    wire: Any

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        self.pair = pair
        self.wire = pair.wire
        self.told: list[int] = []

    def went(self, frames: bytes, sent: int) -> None:
        self.told.append(sent)
        super().went(frames, sent)

    def got(self, *messages: Message) -> bool:
        """Tell whether just these have come by its wire."""
        expected = b"".join(plain_frame(each) for each in messages)
        heard = self.pair.hears(len(expected)) == expected
        self.pair.hears_nothing()
        return heard


@pytest.fixture
def room(part: ModuleType) -> LocalRoom:
    return LocalRoom("r", part.write_all)


@pytest.fixture
def members(room: LocalRoom, pairs: list[Pair]) -> list[Member]:
    made = [Member(pair) for pair in pairs]
    for each in made:
        room.add(each, reads=False)
    return made


def test_wires_that_took_everything_get_no_call(room: LocalRoom, members: list[Member]) -> None:
    """Members whose wires took everything get no call; batches go out in order."""
    room.deliver("e", [X])
    done, batch = room.write(9)
    assert batch is not None
    assert (done, batch.written) == (3, 3)
    room.deliver("e", [Y])
    room.write(9)
    assert all(each.got(X, Y) for each in members)
    assert [each.told for each in members] == [[], [], []]


def test_left_between_slices(room: LocalRoom, members: list[Member]) -> None:
    """Neither its wire nor itself is written to; nor if it is back and has read meanwhile."""
    room.deliver("e", [X])
    assert room.write(1) == (1, None)
    room.remove(members[1])
    room.read(members[2])
    room.add(members[1], reads=False)
    while room.batches:
        _, batch = room.write(9)
    assert batch is not None
    assert batch.written == 1
    assert [members[0].got(X), members[1].got(), members[2].got()] == [True] * 3
    assert [each.told for each in members] == [[], [], []]


def test_left_because_of_another(room: LocalRoom, members: list[Member]) -> None:
    """A member that goes because of what another was told is not told any more."""

    class Leaver(Member):
        def write(self, frames: bytes) -> None:
            room.remove(members[2])

    leaver = Leaver(members[1].pair)
    room.remove(members[1])
    room.remove(members[2])
    room.add(leaver, reads=False)
    room.add(members[2], reads=False)
    leaver.wire.ready = members[2].wire.ready = False
    room.deliver("e", [X])
    room.write(9)
    assert leaver.told == [-1]
    assert members[2].told == []
    assert members[0].got(X)


def test_the_rest_comes_before_anything_else(room: LocalRoom, members: list[Member]) -> None:
    """A member with half a frame on its wire gets the rest before others are told anything."""
    told: list[tuple[Member, int]] = []

    class Told(Member):
        def went(self, frames: bytes, sent: int) -> None:
            told.append((self, sent))

    first, second, third = (Told(each.pair) for each in members)
    for old, new in zip(members, (first, second, third), strict=True):
        room.remove(old)
        room.add(new, reads=False)
    first.wire.ready = False
    second.pair.buffer(20_000)
    third.pair.buffer(20_000)
    third.pair.fill()
    room.deliver("e", [LARGE])
    room.write(9)
    assert [member for member, _ in told] == [second, third, first]
    assert told[0][1] > 0
    assert [sent for _, sent in told[1:]] == [0, -1]


def test_a_wire_that_comes_later(room: LocalRoom, members: list[Member]) -> None:
    """A member that was in the room before its handshake was answered has its wire from then."""
    late = members[1]
    room.remove(late)
    late.wire = None
    room.add(late, reads=False)
    room.deliver("e", [X])
    room.write(9)
    late.wire = late.pair.wire
    room.deliver("e", [Y])
    while room.batches:
        room.write(9)
    assert late.told == [-1, -1]
    room.deliver("e", [Y])
    room.write(9)
    assert late.told == [-1, -1]
    assert late.got(Y)


def test_a_connection_that_closes_in_a_slice(room: LocalRoom, members: list[Member]) -> None:
    """A connection that is closed because of what another was told is never touched again."""

    class Closer(Member):
        def write(self, frames: bytes) -> None:
            members[2].wire.detach()
            del members[2].pair.tls

    closer = Closer(members[0].pair)
    room.remove(members[0])
    room.add(closer, reads=False)
    closer.wire.ready = False
    for message in (X, Y):
        room.deliver("e", [message])
        while room.batches:
            room.write(9)
    assert members[1].got(X, Y)
    assert members[2].got(X)
    assert members[2].told == [-1]


@pytest.mark.parametrize("after", [False, True])
def test_a_bug_in_the_write_cuts_the_slice(
    part: ModuleType, members: list[Member], after: bool
) -> None:
    """After a failed write the progress is unknown, so the slice's members are cut off."""

    def write_all(*arguments: object) -> list[tuple[int, int]]:
        if after:
            part.write_all(*arguments)
        raise MemoryError

    room = LocalRoom("r", write_all)
    for each in members:
        room.add(each, reads=False)
    room.deliver("e", [X])
    with capturedLogs() as logged:
        room.write(2)
    assert len(logged) == 2
    assert [each.refused is not None for each in members] == [True, True, False]
    assert len(room) == 1
