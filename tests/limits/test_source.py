"""`livechat.limits.source`."""

from __future__ import annotations

import pytest

from livechat.limits.rates import Rate
from livechat.limits.source import Source


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1:2", "2001:db8::/64"),
        ("not an address", "not an address"),
    ],
)
def test_an_address_and_its_key(address: str, key: str) -> None:
    """The network of an IPv6 address counts, and what is no address stands for itself."""
    source = Source(address, Rate.of(0))
    assert (source.address, source.key) == (address, key)


def test_a_bucket_of_its_own() -> None:
    """Two connections of one address do not share their rate."""
    first, second = (Source("192.0.2.1", Rate(1, 1)) for _ in range(2))
    assert not first.bucket.admit(10)
    assert first.bucket.admit(10) == 1
    assert not second.bucket.admit(10)
