"""`livechat.backends.nonces`."""

from __future__ import annotations

import pytest

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
    found = Nonces()
    assert found.find(draft(), 0) is None
    found.add([known(7, 5)], 5)
    assert found.find(draft(), 6) == Repeated("a", 7, 5, User("1", "Ann"))
    assert found.find(draft(nonce="m"), 6) is None
    assert found.find(draft(room="other"), 6) is None
    other = found.find(draft("b"), 6)
    assert isinstance(other, ChatError)
    assert other.kind is Kind.NONCE_REUSED


def test_forgotten() -> None:
    """After a while it is new again, and takes no room any more."""
    found = Nonces()
    found.add([known()], 0)
    end = 1000 * LASTS
    assert found.find(draft(), end) is not None
    assert found.find(draft(), end + 1) is None
    found.add([], end + 1)
    assert len(found) == 0


def test_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of very many the newest are known."""
    monkeypatch.setattr(nonces, "MOST", 3)
    found = Nonces()
    found.add([known(seq, seq, str(seq)) for seq in range(5)], 5)
    assert len(found) == 3
    assert found.find(draft(nonce="1"), 5) is None
    assert found.find(draft(nonce="2"), 5) is not None
