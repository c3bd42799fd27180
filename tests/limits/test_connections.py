"""`livechat.limits.connections`."""

from __future__ import annotations

import pytest

from livechat.errors import ChatError, Kind
from livechat.limits.connections import Connections
from tests.support import result


def test_connections_of_one_address() -> None:
    """An address over its share of connections is refused; another address is not affected."""
    connections = Connections(most=0, most_per_address=2)
    first, second = connections.enter("a"), connections.enter("a")
    assert first is not None
    assert second is not None
    assert first.refusal is second.refusal is None
    third, other = connections.enter("a"), connections.enter("b")
    assert third is not None
    assert third.refusal is not None
    assert third.refusal.kind is Kind.TOO_MANY_CONNECTIONS
    assert other is not None
    assert other.refusal is None
    first.leave()
    first.leave()
    again = connections.enter("a")
    assert again is not None
    assert again.refusal is None


def test_a_full_server_refuses_every_address() -> None:
    """A full server refuses every address."""
    connections = Connections(most=1, most_per_address=0)
    assert connections.enter("a") is not None
    refused = connections.enter("b")
    assert refused is not None
    assert refused.refusal is not None
    assert refused.refusal.kind is Kind.OVERLOADED


def test_the_refused_are_bounded_too() -> None:
    """Only so many are let in to be told; then connections are closed unheard."""
    connections = Connections(most=1, most_per_address=0)
    entered = [connections.enter("a") for _ in range(200)]
    held = [each for each in entered if each is not None]
    assert 1 < len(held) < 100
    for each in held:
        each.leave()
    assert len(connections) == 0
    fresh = connections.enter("a")
    assert fresh is not None
    assert fresh.refusal is None


def test_the_last_connection_fires_emptied() -> None:
    """`emptied` fires when the last connection has left."""
    connections = Connections(0, 0)
    assert result(connections.emptied()) is None
    one, two = connections.enter("a"), connections.enter("b")
    assert one is not None
    assert two is not None
    waiting = connections.emptied()
    one.leave()
    assert not waiting.called
    two.leave()
    assert result(waiting) is None


def test_an_address_that_turns_out_later() -> None:
    """A connection counts for the address that it turns out to be of, if that may have one more."""
    connections = Connections(10, 1)
    one, two, three = (connections.enter(None) for _ in range(3))
    assert one is not None
    assert two is not None
    assert three is not None
    one.belongs_to("a")
    one.belongs_to("a")
    two.belongs_to("b")
    with pytest.raises(ChatError) as caught:
        three.belongs_to("a")
    assert caught.value.kind is Kind.TOO_MANY_CONNECTIONS
    three.refuse(caught.value)
    three.refuse(caught.value)
    assert (len(connections), connections._open, connections._excess) == (3, 2, 1)
    one.leave()
    four = connections.enter("a")
    assert four is not None
    assert four.refusal is None
    for each in (two, three, four, four):
        each.leave()
    assert (connections._open, connections._excess, connections._by_address) == (0, 0, {})
