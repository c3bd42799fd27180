"""`livechat.backends.nonces`."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from livechat.backends import nonces
from livechat.backends.nonces import LASTS, Known, Nonces
from livechat.errors import ChatError, Kind
from livechat.wire import Draft, Message, Repeated, User


def draft(text: str = "a", nonce: str = "n", room: str = "r") -> Draft:
    return Draft(room, text, User("1", "Ann"), nonce)


def known(seq: int = 1, time: int = 0, nonce: str = "n") -> Known:
    return Known.of(draft(nonce=nonce), Message("a", seq, time))


def test_find() -> None:
    """A nonce is known by its room, for the text that it was used for."""
    found = Nonces(lambda: 0.0)
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
    found = Nonces(clock.seconds)
    found.add([known()], 0)
    clock.advance(LASTS)
    assert found.find(draft()) is not None
    clock.advance(0.001)
    assert found.find(draft()) is None
    found.add([], 0)
    assert len(found) == 0


@pytest.mark.parametrize("set_by", [-3_600_000, 3_600_000])
def test_the_time_of_day_is_set(set_by: int) -> None:
    """It is known for as long as if it had not been."""
    clock = Clock()
    found = Nonces(clock.seconds)
    found.add([known(1, 5_000_000)], 5_000_000)
    clock.advance(LASTS / 2)
    found.add([known(2, 5_000_000 + set_by, "m")], 5_000_000 + set_by)
    assert found.find(draft()) is not None
    clock.advance(LASTS / 2 + 1)
    assert found.find(draft()) is None
    assert found.find(draft(nonce="m")) is not None


def test_from_before() -> None:
    """Those that were used a while ago are known for the rest of it."""
    clock = Clock()
    found = Nonces(clock.seconds)
    found.add([known(1, 0)], 1000 * (LASTS - 1))
    assert found.find(draft()) is not None
    clock.advance(1.5)
    assert found.find(draft()) is None


def test_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of very many the newest are known."""
    monkeypatch.setattr(nonces, "MOST", 3)
    found = Nonces(lambda: 0.0)
    found.add([known(seq, seq, str(seq)) for seq in range(5)], 5)
    assert len(found) == 3
    assert found.find(draft(nonce="1")) is None
    assert found.find(draft(nonce="2")) is not None
