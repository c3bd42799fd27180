"""`livechat.backends.nonces`."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from livechat.backends import nonces
from livechat.backends.nonces import NONCE_LASTS, Known, Nonces
from livechat.errors import ChatError, Kind
from livechat.protocol.messages import Draft, Message, Repeated, User

SECRET = b"s" * 32


def draft(text: str = "a", nonce: str = "n", room: str = "r") -> Draft:
    return Draft(room, text, User("1", "Ann"), nonce)


def known(seq: int = 1, time: int = 0, nonce: str = "n") -> Known:
    return Known.of(draft(nonce=nonce), Message("a", seq, time), SECRET)


def test_find() -> None:
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


def test_forgotten() -> None:
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
    """It is known for as long as if it had not been."""
    clock = Clock()
    found = Nonces(clock.seconds, lambda: SECRET)
    found.add([known(1, 5_000_000)], 5_000_000)
    clock.advance(NONCE_LASTS / 2)
    found.add([known(2, 5_000_000 + set_by, "m")], 5_000_000 + set_by)
    assert found.find(draft()) is not None
    clock.advance(NONCE_LASTS / 2 + 1)
    assert found.find(draft()) is None
    assert found.find(draft(nonce="m")) is not None


def test_from_before() -> None:
    """Those that were used a while ago are known for the rest of it."""
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
    """Which of those are known still."""
    return [n for n in range(count) if found.find(draft(nonce=f"{owner}{n}")) is not None]


def test_very_many(few: Nonces) -> None:
    """Of very many of an address the newest are known."""
    few.add(of("a", 15), 0)
    assert len(few) == 10
    assert left(few, "a", 15) == list(range(5, 15))


def test_strangers(few: Nonces) -> None:
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
    """Where all have as many, the oldest are flushed."""
    for owner in range(30):
        few.add(of(f"{owner:02}", 1), 0)
    assert len(few) == 10
    assert [n for n in range(30) if left(few, f"{n:02}", 1)] == list(range(20, 30))


def test_nothing_is_left(few: Nonces) -> None:
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
