"""`livechat.backends.nonces`."""

from __future__ import annotations

import pytest
from msgspec import Raw
from twisted.internet.task import Clock

from livechat.backends import nonces
from livechat.backends.nonces import NONCE_LASTS, Known, Nonces
from livechat.errors import ChatError, Kind
from livechat.protocol.messages import (
    Amended,
    Draft,
    Edit,
    Edited,
    Message,
    Repeated,
    Retracted,
    Retraction,
    Submission,
    User,
)

SECRET = b"s" * 32


def draft(text: str = "a", nonce: str = "n", room: str = "r") -> Draft:
    return Draft(room, text, User("1", "Ann"), nonce)


def known(seq: int = 1, time: int = 0, nonce: str = "n") -> Known:
    return Known.of(draft(nonce=nonce), Message("a", seq, time), SECRET)


def test_a_nonce_is_known_by_its_room() -> None:
    """A nonce is known by its room, for the text that it was used for."""
    found = Nonces(lambda: 0.0, lambda: SECRET)
    assert found.find(draft()) is None
    found.add([known(7, 5)], 5)
    assert found.find(draft()) == Repeated("a", 7, 5, User("1", "Ann"))
    assert found.find(draft(nonce="m")) is None
    assert found.find(draft(room="other")) is None
    other = found.find(draft("b"))
    assert isinstance(other, ChatError)
    assert other.kind is Kind.NONCE_REUSED


def test_a_nonce_is_forgotten_after_a_while() -> None:
    """After a while it is new again, and takes no room any more."""
    clock = Clock()
    found = Nonces(clock.seconds, lambda: SECRET)
    found.add([known()], 0)
    clock.advance(NONCE_LASTS)
    assert found.find(draft()) is not None
    clock.advance(0.001)
    assert found.find(draft()) is None
    found.add([], 0)
    assert len(found) == 0


@pytest.mark.parametrize("set_by", [-3_600_000, 3_600_000])
def test_the_time_of_day_is_set(set_by: int) -> None:
    """A nonce's life does not depend on the time of day."""
    clock = Clock()
    found = Nonces(clock.seconds, lambda: SECRET)
    found.add([known(1, 5_000_000)], 5_000_000)
    clock.advance(NONCE_LASTS / 2)
    found.add([known(2, 5_000_000 + set_by, "m")], 5_000_000 + set_by)
    assert found.find(draft()) is not None
    clock.advance(NONCE_LASTS / 2 + 1)
    assert found.find(draft()) is None
    assert found.find(draft(nonce="m")) is not None


def test_loaded_nonces_are_known_for_the_rest_of_their_time() -> None:
    """Nonces loaded at a start are known for the rest of their time."""
    clock = Clock()
    found = Nonces(clock.seconds, lambda: SECRET)
    found.add([known(1, 0)], 1000 * (NONCE_LASTS - 1))
    assert found.find(draft()) is not None
    clock.advance(1.5)
    assert found.find(draft()) is None


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Nonces:
    """A table of ten."""
    monkeypatch.setattr(nonces, "MOST", 10)
    return Nonces(lambda: 0.0, lambda: SECRET)


def of(owner: str, count: int, *, first: int = 0) -> list[Known]:
    """So many of an address."""
    return [
        Known(nonces.key(draft(nonce=f"{owner}{n}")), n, 0, b"", owner.encode())
        for n in range(first, first + count)
    ]


def left(found: Nonces, owner: str, count: int) -> list[int]:
    """List the numbers of nonces that are still known."""
    return [n for n in range(count) if found.find(draft(nonce=f"{owner}{n}")) is not None]


def test_an_address_over_its_share_keeps_its_newest_nonces(few: Nonces) -> None:
    """An address over its share keeps its newest nonces."""
    few.add(of("a", 15), 0)
    assert len(few) == 10
    assert left(few, "a", 15) == list(range(5, 15))


def test_addresses_with_many_nonces_flush_their_own(few: Nonces) -> None:
    """Addresses with many nonces flush their own; addresses with few lose none."""
    few.add(of("victim", 1), 0)
    for start in range(0, 100, 5):
        few.add(of("a", 5, first=start), 0)
        few.add(of("b", 5, first=start), 0)
        assert len(few) == 10
    assert left(few, "victim", 1) == [0]
    assert left(few, "a", 100) == list(range(96, 100))
    assert left(few, "b", 100) == list(range(95, 100))


def test_very_many_addresses(few: Nonces) -> None:
    """Addresses with equal shares lose their oldest nonces."""
    for owner in range(30):
        few.add(of(f"{owner:02}", 1), 0)
    assert len(few) == 10
    assert [n for n in range(30) if left(few, f"{n:02}", 1)] == list(range(20, 30))


def test_forgotten_nonces_take_no_room(few: Nonces) -> None:
    """Forgotten nonces take no room, and neither do those that are used again."""
    clock = Clock()
    found = Nonces(clock.seconds, lambda: SECRET)
    for _ in range(3):
        found.add(of("a", 1) + of("b", 9), 0)
        assert len(found) == 10
    found.add(of("b", 9, first=9), 0)
    clock.advance(NONCE_LASTS + 1)
    found.add([], 0)
    assert len(found) == 0
    assert not found._counts


def test_acts_that_differ_have_digests_that_differ() -> None:
    """Acts that differ in anything differ in their digests, and so do secrets."""
    acts: list[Submission] = [
        Draft("r", "a"), Draft("r", "1"), Draft("r", "a", reply_to=1), Draft("r", "a", reply_to=2),
        Draft("r", "a", data=Raw(b'{"a":1}')), Draft("r", "a", data=Raw(b'{"a":1.0}')),
        Draft("r", '","a"'), Draft("r", ""),
        Edit("r", 1, "a", "g:1"), Edit("r", 2, "a", "g:1"), Edit("r", 1, "b", "g:1"),
        Edit("r", 1, "a", "g:1", data=Raw(b'{"a":1}')),
        Retraction("r", (1,)), Retraction("r", (2,)), Retraction("r", (1, 2)),
    ]  # fmt: skip
    digests = {nonces.digest(act, SECRET) for act in acts}
    assert len(digests) == len(acts)
    assert not digests & {nonces.digest(act, b"t" * 32) for act in acts}


def test_a_repeated_amendment_has_its_number() -> None:
    """A repeated amendment is answered with its number and time."""
    found = Nonces(lambda: 0.0, lambda: SECRET)
    edit = Edit("r", 1, "b", "g:1", nonce="m")
    retraction = Retraction("r", (1,), "g:1", nonce="n")
    stored = [
        Amended(Edited(7, 5, 1, "b"), (Message("a", 1, 0),)),
        Amended(Retracted(8, 5, (1,), "author"), (Message("b", 1, 0),)),
    ]
    found.add([Known.of(edit, stored[0], SECRET), Known.of(retraction, stored[1], SECRET)], 5)
    assert found.find(edit) == Amended(stored[0].event, (), repeated=True)
    assert found.find(retraction) == Amended(stored[1].event, (), repeated=True)
    other = found.find(draft(nonce="n"))
    assert isinstance(other, ChatError)
