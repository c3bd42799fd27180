"""`livechat.net.proxies`."""

from __future__ import annotations

import ipaddress

import pytest

from livechat.net.proxies import Proxies

PROXIES = Proxies(ipaddress.ip_network(each) for each in ("10.0.0.0/8", "192.0.2.7/32", "fd00::/8"))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.1.2.3", True),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("fd00::1", True),
        ("fe80::1", False),
        ("::ffff:10.1.2.3", True),
        ("::ffff:192.0.2.8", False),
        ("", False),
        ("nonsense", False),
    ],
)
def test_networks_are_trusted(address: str, expected: bool) -> None:
    assert PROXIES.trusts(address) is expected
    assert not Proxies(()).trusts(address)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        # No header, or one from an untrusted peer.
        ("10.0.0.1", [], "10.0.0.1"),
        ("198.51.100.1", ["203.0.113.1"], "198.51.100.1"),
        # A single proxy and several, in one header or in more.
        ("10.0.0.1", ["203.0.113.1"], "203.0.113.1"),
        ("10.0.0.1", ["203.0.113.1, 10.0.0.2"], "203.0.113.1"),
        ("10.0.0.1", ["203.0.113.1", "10.0.0.2, 10.0.0.3"], "203.0.113.1"),
        # Entries before the proxies' own may be forged.
        ("10.0.0.1", ["1.1.1.1, 203.0.113.1"], "203.0.113.1"),
        ("10.0.0.1", ["10.0.0.9, 203.0.113.1, 10.0.0.2"], "203.0.113.1"),
        ("10.0.0.1", ["<script>, 203.0.113.1"], "203.0.113.1"),
        # An entry that is no address ends the chain at the last known one.
        ("10.0.0.1", ["203.0.113.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.1, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", [" , ,"], "10.0.0.1"),
        ("10.0.0.1", ["127.1"], "10.0.0.1"),
        # Only proxies: the client is the first of them.
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        # Ports, and IPv6.
        ("10.0.0.1", ["203.0.113.1:5000"], "203.0.113.1"),
        ("fd00::1", ["[2001:db8::1]:443"], "2001:db8::1"),
        ("fd00::1", ["[2001:db8::1]"], "2001:db8::1"),
        ("fd00::1", ["2001:DB8:0::1"], "2001:db8::1"),
        # Addresses of version 4 in those of version 6 are those of version 4.
        ("10.0.0.1", ["::ffff:192.0.2.9"], "192.0.2.9"),
        ("10.0.0.1", ["::FFFF:C000:0209"], "192.0.2.9"),
        ("10.0.0.1", ["0:0:0:0:0:ffff:192.0.2.9"], "192.0.2.9"),
        ("10.0.0.1", ["[::ffff:192.0.2.9]:5000"], "192.0.2.9"),
        ("10.0.0.1", ["203.0.113.1, ::ffff:10.0.0.2"], "203.0.113.1"),
    ],
)
def test_the_client_is_found_behind_proxies(peer: str, forwarded: list[str], expected: str) -> None:
    assert PROXIES.client(peer, forwarded) == expected


def test_a_mapped_network_is_the_network() -> None:
    """A network of version 4 may be written as one of version 6."""
    found = Proxies(map(ipaddress.ip_network, ("::ffff:10.0.0.0/104", "::ffff:192.0.2.7", "::/0")))
    assert found.trusts("10.1.2.3")
    assert found.trusts("192.0.2.7")
    assert not found.trusts("192.0.2.8")
    assert found.trusts("2001:db8::1")
