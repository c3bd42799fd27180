"""`livechat.net.uptake`."""

from __future__ import annotations

import socket
from itertools import count

import pytest

from livechat.net import uptake
from livechat.net.uptake import Uptake


def test_a_peer_that_takes_nothing() -> None:
    """A peer that reads nothing is dead after so many checks."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        peer = socket.create_connection(listening.getsockname())
        sender, _ = listening.accept()
    with peer, sender:
        sender.setblocking(False)
        # More than both kernels' buffers take.
        while sender.send(bytes(16 << 20)) == 16 << 20:
            pass
        taken = Uptake(sender.fileno())
        assert [taken.goes_on(3) for _ in range(3)] == [True, True, False]


def test_a_dripping_peer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that takes something each time gets no more than a multiple of the time."""
    sizes = count()
    monkeypatch.setattr(uptake, "ioctl", lambda *_: next(sizes).to_bytes(4))
    taken = Uptake(0)
    while taken.goes_on(2):
        pass
    assert taken.checks == 2 * uptake._MOST_TIMES


def test_a_peer_that_takes_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change sets the checks back by all but one."""
    sizes = iter([9, 9, 8, 8, 8])
    monkeypatch.setattr(uptake, "ioctl", lambda *_: next(sizes).to_bytes(4))
    taken = Uptake(0)
    assert [taken.goes_on(3) for _ in range(4)] == [True, True, True, False]
