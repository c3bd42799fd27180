"""`livechat.net._slow`, and its twin in C: both keep the same promises."""

from __future__ import annotations

import gc
import socket
import struct
import weakref
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest
from OpenSSL._util import lib

from livechat.net._slow import MOST_SENT
from tests.net.wires import Pair, pairs, part, tls

__all__ = ["pairs", "part", "tls"]

DATA = b"\x81\x05hello"
#: More than a socket's buffers hold.
MUCH = bytes(range(256)) * 4_096


def wires(*pairs: Pair) -> list[Any]:
    return [pair.wire for pair in pairs]


def test_all_get_all(part: ModuleType, pairs: list[Pair]) -> None:
    """Each gets the same bytes, and nothing is left to do."""
    assert part.write_all(wires(*pairs), DATA, 0, 3) == []
    assert [pair.hears(len(DATA)) for pair in pairs] == [DATA] * 3


def test_only_wires_of_the_range_are_written_to(part: ModuleType, pairs: list[Pair]) -> None:
    """Only wires of the range are written to; indexes are those of the list."""
    pairs[1].wire.ready = False
    assert part.write_all(wires(*pairs), DATA, 1, 3) == [(1, -1)]
    assert pairs[2].hears(len(DATA)) == DATA
    pairs[0].hears_nothing()
    pairs[1].hears_nothing()


@pytest.mark.parametrize("flag", ["ready", "direct"])
def test_a_wire_that_may_not_be_written_to(part: ModuleType, pairs: list[Pair], flag: str) -> None:
    """Nothing is tried where the member or the transport does not let it through."""
    setattr(pairs[0].wire, flag, False)
    assert part.write_all(wires(*pairs), DATA, 0, 3) == [(0, -1)]
    pairs[0].hears_nothing()


def test_a_detached_wire(part: ModuleType, pairs: list[Pair]) -> None:
    """A connection that is gone is not written to, and its SSL is freed."""
    freed = weakref.ref(pairs[1].tls)
    wire = pairs[1].wire
    wire.detach()
    assert (wire.open, wire.direct, wire.ready, wire.ssl) == (False, False, False, None)
    wire.detach()
    del pairs[1].tls
    assert freed() is None
    assert part.write_all([wire, pairs[0].wire], DATA, 0, 2) == [(0, -1)]


def test_the_wire_keeps_its_ssl(part: ModuleType, pairs: list[Pair]) -> None:
    """An address is never stale: the SSL lives as long as the wire may write to it."""
    del pairs[0].tls
    gc.collect()
    assert part.write_all(wires(pairs[0]), DATA, 0, 1) == []
    assert pairs[0].hears(len(DATA)) == DATA


def test_wires_are_freed_in_the_end(part: ModuleType, pairs: list[Pair]) -> None:
    """Wires that are written to, in circles too, are freed in the end."""

    class Connection(part.Wire):  # type: ignore[misc,name-defined]
        pass

    wire = Connection()
    wire.itself = [wire]
    wire.attach(pairs[0].tls._ssl)
    wire.ready = wire.direct = True
    assert part.write_all([wire], DATA, 0, 1) == []
    gone = weakref.ref(wire)
    del wire
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("other", [None, 7, "wire", object(), (), b""])
def test_an_object_that_is_no_wire_is_not_ready(
    part: ModuleType, pairs: list[Pair], other: object
) -> None:
    """An object that is no wire is never ready."""
    mixed = [other, pairs[0].wire, other]
    assert part.write_all(mixed, DATA, 0, 3) == [(0, -1), (2, -1)]
    assert pairs[0].hears(len(DATA)) == DATA


@pytest.mark.parametrize(
    ("start", "stop"), [(-1, 1), (0, 4), (2, 1), (4, 4), (0, 2**62), (-(2**62), 0)]
)
def test_a_wrong_range_writes_nothing(
    part: ModuleType, pairs: list[Pair], start: int, stop: int
) -> None:
    """A range that is not the list's is refused, and nothing is written."""
    with pytest.raises(ValueError, match="range"):
        part.write_all(wires(*pairs), DATA, start, stop)
    for pair in pairs:
        pair.hears_nothing()


def test_nothing_to_write_is_done_at_once(part: ModuleType, pairs: list[Pair]) -> None:
    """Nothing to write, or nobody to write to, is done at once."""
    assert part.write_all(wires(*pairs), b"", 0, 3) == []
    assert part.write_all([None], b"", 0, 1) == []
    assert part.write_all([], DATA, 0, 0) == []
    assert part.write_all(wires(*pairs), DATA, 2, 2) == []


@pytest.mark.parametrize(
    "arguments",
    [(), ([], DATA, 0), ([], DATA, 0, 0, 0), ([], DATA, "0", 0), ([], DATA, 0, None)],
)
def test_wrong_arguments_are_refused(part: ModuleType, arguments: tuple[Any, ...]) -> None:
    """Arguments of other kinds are refused."""
    with pytest.raises(TypeError):
        part.write_all(*arguments)


def test_larger_than_openssl_can_be_told(part: ModuleType, pairs: list[Pair]) -> None:
    """Sizes over INT_MAX are never tried.  No page of these bytes is ever touched."""
    assert part.write_all(wires(*pairs), bytes(2**31), 0, 3) == [(0, -1), (1, -1), (2, -1)]


def test_several_records_go_out_whole(part: ModuleType, pairs: list[Pair]) -> None:
    """Data of more than one record goes out whole."""
    data = MUCH[:40_000]
    for pair in pairs:
        pair.buffer(200_000)
    assert part.write_all(wires(*pairs), data, 0, 3) == []
    assert [pair.hears(len(data)) for pair in pairs] == [data] * 3


def test_more_than_the_kernel_takes(part: ModuleType, pairs: list[Pair]) -> None:
    """The bytes sent are told; the rest of the same bytes, in other memory, makes it whole."""
    pairs[1].buffer(50_000)
    others = wires(*pairs)
    ((index, sent),) = part.write_all(others, MUCH, 1, 2)
    assert index == 1
    assert 0 < sent < MOST_SENT
    assert lib.ERR_peek_error() == 0
    rest = bytes(bytearray(MUCH[sent:]))
    assert part.write_all(others, rest, 1, 2) == [(1, 0)]
    with ThreadPoolExecutor(1) as elsewhere:
        heard = elsewhere.submit(pairs[1].hears, len(MUCH))
        pairs[1].send(rest)
        assert heard.result() == MUCH


def test_a_full_peer_stops_nobody(part: ModuleType, pairs: list[Pair]) -> None:
    """The others get theirs, whatever one does not take."""
    pairs[1].buffer(20_000)
    part.write_all(wires(pairs[1]), MUCH, 0, 1)
    assert part.write_all(wires(*pairs), DATA, 0, 3) == [(1, 0)]
    assert [pairs[0].hears(len(DATA)), pairs[2].hears(len(DATA))] == [DATA] * 2


def test_the_share_of_a_peer_is_bounded(part: ModuleType, pairs: list[Pair]) -> None:
    """However much a peer takes, its share of a turn is bounded."""
    pairs[0].buffer(300_000)
    ((_, sent),) = part.write_all(wires(pairs[0]), MUCH, 0, 1)
    assert MOST_SENT <= sent < MOST_SENT + 16_384


def test_a_peer_that_has_reset(part: ModuleType, pairs: list[Pair]) -> None:
    """A connection that is broken is told so, leaves no error behind, and stops nobody."""
    pairs[1].there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    pairs[1].there.close()
    assert part.write_all(wires(*pairs), DATA, 0, 3) == [(1, 0)]
    assert part.write_all(wires(*pairs), DATA, 0, 3) == [(1, 0)]
    assert lib.ERR_peek_error() == 0
    assert pairs[2].hears(2 * len(DATA)) == 2 * DATA


def test_the_same_wire_twice(part: ModuleType, pairs: list[Pair]) -> None:
    """A wire that is twice in a list gets the bytes twice, and can be detached afterwards."""
    wire = pairs[0].wire
    assert part.write_all([wire, wire], DATA, 0, 2) == []
    assert pairs[0].hears(2 * len(DATA)) == 2 * DATA
    wire.detach()


def test_a_slice_may_be_of_any_length(part: ModuleType, pairs: list[Pair]) -> None:
    """A slice may be of any length."""
    many = [None] * 5_000
    assert len(part.write_all(many, DATA, 0, len(many))) == len(many)


def test_a_wire_has_one_ssl(part: ModuleType, pairs: list[Pair]) -> None:
    """A wire has one connection, and no other takes its place."""
    with pytest.raises(RuntimeError):
        pairs[0].wire.attach(pairs[1].tls._ssl)
    assert pairs[0].wire.ssl is pairs[0].tls._ssl


def test_flags_begin_down(part: ModuleType) -> None:
    """A wire that nobody has opened is not written to."""
    wire = part.Wire()
    assert (wire.open, wire.direct, wire.ready, wire.ssl) == (False, False, False, None)
    wire.ready = wire.direct = True
    if part.__name__.endswith("_fast"):
        assert part.write_all([wire], DATA, 0, 1) == [(0, -1)]
