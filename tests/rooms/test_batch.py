"""`livechat.rooms.batch`."""

from __future__ import annotations

from livechat.protocol.encoding import Encoding
from livechat.rooms.batch import Batch, lanes
from tests.support import RecordingClient


def member(encoding: Encoding) -> RecordingClient:
    made = RecordingClient()
    made.encoding = encoding
    return made


def test_members_of_an_encoding_share_a_lane() -> None:
    """Members of an encoding stand together, in their order, each beside its wire."""
    members = [member(each) for each in (Encoding.PLAIN, Encoding.V1, Encoding.PLAIN)]
    for each in members:
        each.wire = object()
    v1, plain = lanes(members)
    assert (v1.encoding, v1.members) == (Encoding.V1, [members[1]])
    assert (plain.encoding, plain.members) == (Encoding.PLAIN, [members[0], members[2]])
    assert plain.wires == [members[0].wire, members[2].wire]
    assert lanes([]) == ()


def test_readers_have_their_turns_once() -> None:
    """Readers have their turns once, lane by lane, as many at a time as are asked for."""
    batch = Batch(news=True, number=1)
    batch.readers = lanes([*(member(Encoding.PLAIN) for _ in range(3)), member(Encoding.V1)])
    v1, plain = batch.readers
    turns = [batch.take(2) for _ in range(4)]
    assert turns == [(v1, 0, 1), (plain, 0, 2), (plain, 2, 3), None]
