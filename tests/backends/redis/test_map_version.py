"""`livechat.backends.redis.map_version`."""

from __future__ import annotations

import pytest

from livechat.backends.maps import MapEntry
from livechat.backends.redis.map_version import (
    MOST_FORMER,
    Change,
    Difference,
    Version,
    compare,
)

NONE = Version()
OLD, NEW = Version(b"w", 8, b"t8"), Version(b"w", 10, b"t10")
OTHER = Version(b"n", 3, b"u3")
JOINED = NEW.joined(OTHER, b"t11")


@pytest.mark.parametrize(
    ("copy", "store", "difference"),
    [
        (NONE, NONE, Difference.NONE),
        (NEW, NEW, Difference.NONE),
        # A process that has just started puts back nothing.
        (NONE, NEW, Difference.READ),
        (OLD, NEW, Difference.READ),
        # Lost, or older: a failover, a backup.
        (NEW, NONE, Difference.PUT_BACK),
        (NEW, OLD, Difference.PUT_BACK),
        # Redis has lost a change, and another one has its number.
        (NEW, NEW._replace(tag=b"other"), Difference.READ),
        # Begun by a process that knew nothing.
        (NEW, OTHER, Difference.JOIN),
        (OTHER, NEW, Difference.JOIN),
        # Joined: those of before are older, whatever their numbers.
        (NEW, JOINED, Difference.READ),
        (OTHER._replace(number=99), JOINED, Difference.READ),
        (JOINED, NEW, Difference.PUT_BACK),
        (JOINED, OTHER._replace(number=99), Difference.PUT_BACK),
    ],
)
def test_versions_are_compared(copy: Version, store: Version, difference: Difference) -> None:
    assert compare(copy, store) is difference


def test_a_joined_version_is_newer_than_both() -> None:
    """A joined version is newer than both, has the changes of both, and goes on from there."""
    assert Version(b"w", 11, b"t11", (b"n",)) == JOINED
    for each in (NONE, OLD, NEW, OTHER):
        assert JOINED.has(each) or each is NONE
        assert not each.has(JOINED)
    assert not OLD.has(NEW)
    again = OTHER.joined(JOINED, b"t")
    assert again == Version(b"n", 12, b"t", (b"w",))
    version = NEW
    for number in range(20):
        version = version.joined(Version(b"%d" % number, 1, b"t"), b"t")
    assert version.former[0] == b"19"
    assert len(version.former) == MOST_FORMER


@pytest.mark.parametrize("version", [NONE, OLD, JOINED])
def test_a_version_is_packed_and_read(version: Version) -> None:
    assert Version.unpacked(version.packed()) == version
    assert Version.unpacked(None) == NONE


@pytest.mark.parametrize("packed", [b"w", b"w 1", b"w one t", b" "])
def test_bytes_that_are_no_version_are_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"invalid|unpack"):
        Version.unpacked(packed)


def test_a_change_is_packed_and_read() -> None:
    """A change has its key, what was removed with it, and the entry, whatever is in them."""
    change = Change.unpacked(b't8 w 9 t9 4,2,3 a \xc3\xa9bbc c7 {"x": 1 }')
    made = Version(b"w", 9, b"t9")
    assert change == Change(b"t8", made, "a é", MapEntry(b'{"x": 1 }', 7), ("bb", "c c"))
    assert Change.unpacked(b"- w 1 t 1 a") == Change(b"-", Version(b"w", 1, b"t"), "a", None)
