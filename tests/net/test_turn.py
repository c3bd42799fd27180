"""`turn` of both parts: reads the frames of many connections, and reports everything else."""

from __future__ import annotations

import os
import select
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from threading import Thread
from types import ModuleType
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL
from OpenSSL._util import lib

from livechat.net._slow import ARENA, MOST_EVENTS, take
from livechat.net.records import MOST_RECEIVED, MOST_RECORDS
from tests.net.turning import HI, LONGEST, PONG
from tests.net.wires import Pair, native, pairs, part, tls
from tests.support import client_frame

__all__ = ["pairs", "part", "tls"]
MOST: Final = 16
#: The most data of a record.
RECORD: Final = 16_384


class Reactor:
    """The descriptors of a reactor."""

    def __init__(self, part: ModuleType, pairs: list[Pair]) -> None:
        self.part: Any = part
        self.epoll = select.epoll()
        self.selectables: dict[int, Any] = {}
        for pair in pairs:
            self.add(pair)

    def add(self, pair: Pair, events: int = select.EPOLLIN) -> None:
        pair.wire.longest = LONGEST
        self.selectables[pair.here.fileno()] = pair.wire
        self.epoll.register(pair.here, events)

    def turn(self, seconds: float = 0, most: int = MOST) -> Any:
        return self.part.turn(self.epoll, self.selectables, seconds, most)


@pytest.fixture
def reactor(part: ModuleType, pairs: list[Pair]) -> Iterator[Reactor]:
    """A reactor that knows all pairs."""
    made = Reactor(part, pairs)
    yield made
    made.epoll.close()


def test_frames_come_with_their_wires(reactor: Reactor, pairs: list[Pair]) -> None:
    """Frames come with their wires, in order; silent wires are not there."""
    pairs[0].there.sendall(HI + PONG + client_frame("né".encode()))
    pairs[2].there.sendall(client_frame(b"x" * 300))
    assert reactor.turn() == (
        [
            (pairs[0].wire, [b"hi", None, "né".encode()], b"", False),
            (pairs[2].wire, [b"x" * 300], b"", False),
        ],
        [],
    )
    assert reactor.turn() == ([], [])


@pytest.mark.parametrize(
    "rest",
    [
        HI[:1],
        client_frame(b"x" * 200)[:-1],
        client_frame(b"x", 2),
        client_frame(b"x", fin=False),
        client_frame(b"", 9),
        client_frame(b"x", 10),
        client_frame(b"\xff"),
        client_frame(b"x" * 65_536)[:10_000],
        client_frame(b"", 8),
    ],
)
def test_bytes_from_an_unusual_frame_on_are_left(
    reactor: Reactor, pairs: list[Pair], rest: bytes
) -> None:
    """Bytes from the first unusual frame on come as they are."""
    pairs[0].there.sendall(HI + rest + HI)
    assert reactor.turn() == ([(pairs[0].wire, [b"hi"], rest + HI, False)], [])


def test_no_more_than_its_turn(reactor: Reactor, pairs: list[Pair]) -> None:
    """A turn takes some of many frames, and returns the others as the rest."""
    pairs[0].there.sendall(HI * (MOST + 2))
    assert reactor.turn() == ([(pairs[0].wire, [b"hi"] * MOST, HI * 2, False)], [])


def test_a_text_too_long_for_the_wire_is_left(reactor: Reactor, pairs: list[Pair]) -> None:
    """A text that is longer than the wire takes is not looked into."""
    pairs[0].wire.longest = 5
    pairs[0].there.sendall(client_frame(b"12345") + client_frame(b"123456"))
    assert reactor.turn()[0] == [
        (pairs[0].wire, [b"12345"], client_frame(b"123456"), False),
    ]


@pytest.mark.parametrize(("flag", "value"), [("longest", 0), ("longest", -1), ("open", False)])
def test_wires_that_are_not_read_here(
    reactor: Reactor, pairs: list[Pair], flag: str, value: Any
) -> None:
    """Unread wires have their events reported and keep their data."""
    setattr(pairs[0].wire, flag, value)
    for pair in pairs[:2]:
        pair.there.sendall(HI)
    results, others = reactor.turn()
    assert [wire for wire, *_ in results] == [pairs[1].wire]
    assert others == [(pairs[0].here.fileno(), select.EPOLLIN)]
    assert lib.SSL_pending(pairs[0].wire.ssl) == 0


def test_a_detached_wire_is_not_read(reactor: Reactor, pairs: list[Pair]) -> None:
    """A wire that has let go of its SSL is not read, whatever its flags say."""
    pairs[0].there.sendall(HI)
    pairs[0].wire.detach()
    pairs[0].wire.longest = LONGEST
    assert reactor.turn() == ([], [(pairs[0].here.fileno(), select.EPOLLIN)])


def test_other_descriptors_are_reported(reactor: Reactor, pairs: list[Pair]) -> None:
    """Events of anything else are reported, and unknown ones dropped."""
    for pair in pairs:
        pair.there.sendall(HI)
    reactor.selectables[pairs[0].here.fileno()] = object()
    del reactor.selectables[pairs[1].here.fileno()]
    results, others = reactor.turn()
    assert [wire for wire, *_ in results] == [pairs[2].wire]
    assert others == [(pairs[0].here.fileno(), select.EPOLLIN)]


def test_other_events_are_reported(reactor: Reactor, pairs: list[Pair]) -> None:
    """A wire that can be written to, or has hung up, is reported with all its events."""
    first, second, _ = pairs
    reactor.epoll.modify(first.here, select.EPOLLIN | select.EPOLLOUT)
    first.there.sendall(HI)
    second.there.close()
    results, others = reactor.turn()
    assert results == []
    told = dict(others)
    assert told[first.here.fileno()] == select.EPOLLIN | select.EPOLLOUT
    assert told[second.here.fileno()] & select.EPOLLHUP


def test_half_a_record_says_nothing(reactor: Reactor, pairs: list[Pair]) -> None:
    """Half a record says nothing; its other half says all."""
    whole = record(pairs[0], HI)
    raw = pairs[0].there.fileno()
    for half in (whole[:9], whole[9:-1]):
        os.write(raw, half)
        assert reactor.turn() == ([], [])
    os.write(raw, whole[-1:])
    assert reactor.turn() == ([(pairs[0].wire, [b"hi"], b"", False)], [])


def record(pair: Pair, data: bytes) -> bytes:
    """The records of *data*, which are not sent yet."""
    pair.there.sendall(data)
    return pair.here.recv(100_000)


def test_an_end_comes_after_its_frames(reactor: Reactor, pairs: list[Pair]) -> None:
    """Frames before the end are there, and the end is told as often as one asks."""
    pairs[0].there.sendall(HI)
    pairs[0].there.setblocking(False)
    with pytest.raises(OSError):  # noqa: PT011 - it waits for the other's goodbye
        pairs[0].there.unwrap()
    assert reactor.turn() == ([(pairs[0].wire, [b"hi"], b"", True)], [])
    assert lib.SSL_read(pairs[0].wire.ssl, b"", 0) <= 0
    assert lib.SSL_get_shutdown(pairs[0].wire.ssl) & SSL.RECEIVED_SHUTDOWN


@pytest.mark.parametrize("said", [b"\x00" * 50, b"\x17\x03\x03\x00\x20" + b"x" * 32])
def test_a_broken_record_ends_its_connection(
    reactor: Reactor, pairs: list[Pair], said: bytes
) -> None:
    """Bytes that are no record end their connection only, and no error is left behind."""
    first, second, third = pairs
    first.there.sendall(HI)
    os.write(first.there.fileno(), said)
    for pair in (second, third):
        pair.there.sendall(HI)
    results, _ = reactor.turn()
    assert sorted(ended for *_, ended in results) == [False, False, True]
    assert all(frames == [b"hi"] for _, frames, *_ in results)
    assert lib.ERR_peek_error() == 0


def test_a_turn_reads_up_to_its_bound(reactor: Reactor, pairs: list[Pair]) -> None:
    """A turn reads up to the bound, and epoll reports the rest."""
    pair = pairs[0]
    pair.there.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1_000_000)
    said = client_frame(b"x" * 60_000) * 5
    pair.there.sendall(said)
    heard = b""
    while len(heard) < len(said):
        ((wire, frames, rest, ended),) = reactor.turn(10)[0]
        assert wire is pair.wire
        assert not ended
        data = b"".join(client_frame(frame) for frame in frames) + rest
        assert 0 < len(data) < MOST_RECEIVED + RECORD
        heard += data
    assert heard == said


def test_many_small_records_are_bounded(reactor: Reactor, pairs: list[Pair]) -> None:
    """So is of very many small ones."""
    pair = pairs[0]
    pair.there.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1_000_000)
    for _ in range(MOST_RECORDS + 1):
        pair.there.sendall(b"x")
    assert reactor.turn() == ([(pair.wire, [], b"x" * MOST_RECORDS, False)], [])
    assert reactor.turn() == ([(pair.wire, [], b"x", False)], [])


def test_more_than_the_arena(part: ModuleType, tls: SSL.Context) -> None:
    """Connections that all have much are read as far as there is room, and the others told."""
    count = ARENA // MOST_RECEIVED + 3
    many = [Pair(part, tls) for _ in range(count)]
    reactor = Reactor(part, many)
    for pair in many:
        pair.there.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 300_000)
        pair.there.sendall(b"\x82" + b"x" * (MOST_RECEIVED + RECORD))
    results, others = reactor.turn()
    assert len(results) + len(others) == count
    size = sum(len(rest) for _, _, rest, _ in results)
    assert ARENA - MOST_RECEIVED - RECORD < size <= ARENA
    read = {wire for wire, *_ in results}
    assert [reactor.selectables[fileno] for fileno, _ in others] == [
        pair.wire for pair in many if pair.wire not in read
    ]
    reactor.epoll.close()
    for pair in many:
        pair.close()


def test_very_many_at_once(part: ModuleType, pairs: list[Pair]) -> None:
    """More descriptors than a turn has room for are told in the next turns."""
    epoll, selectables = select.epoll(), {}
    ready = os.eventfd(1)
    for _ in range(2 * MOST_EVENTS):
        made = os.dup(ready)
        selectables[made] = object()
        epoll.register(made, select.EPOLLIN)
    told: set[int] = set()
    for _ in range(2):
        results, others = part.turn(epoll, selectables, 0, MOST)
        assert results == []
        assert len(others) == MOST_EVENTS
        told |= {fileno for fileno, _ in others}
    assert told == selectables.keys()
    for made in (*selectables, ready):
        os.close(made)
    epoll.close()


def test_a_turn_keeps_no_references(reactor: Reactor, pairs: list[Pair]) -> None:
    """Nothing is kept of a turn."""
    counts = []
    for _ in range(3):
        for pair in pairs:
            pair.there.sendall(HI + b"\x82")
        assert len(reactor.turn()[0]) == 3
        counts.append([sys.getrefcount(pair.wire) for pair in pairs])
    assert counts[1] == counts[2]


def test_one_turn_at_a_time(tls: SSL.Context) -> None:
    """A second thread is refused, and the first goes on."""
    part = native()
    pair = Pair(part, tls)
    reactor = Reactor(part, [pair])
    got: list[Any] = []
    refused = False

    def wait() -> None:
        # The looks of the other thread may come first.
        while not got:
            with suppress(RuntimeError):
                got.append(reactor.turn(20))

    thread = Thread(target=wait)
    thread.start()
    while not refused:
        try:
            reactor.turn(0)
        except RuntimeError:
            refused = True
    pair.there.sendall(HI)
    thread.join()
    assert got == [([(pair.wire, [b"hi"], b"", False)], [])]
    reactor.epoll.close()
    pair.close()


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (0, {}, 0),
        (0, {}, 0, 16, 0),
        ("epoll", {}, 0, 16),
        (-1, {}, 0, 16),
        (0, [], 0, 16),
        (0, {}, "0", 16),
        (0, {}, 0, 1.5),
        (0, {}, 0, 2**70),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple[Any, ...]) -> None:
    """Arguments of other kinds are refused, and nothing is left busy."""
    for _ in range(2):
        with pytest.raises((TypeError, ValueError, OverflowError)):
            native().turn(*arguments)


@pytest.mark.parametrize("arguments", [(), (b"", 1), ("", 1, 1), (b"", "1", 1), (b"", 1, None)])
def test_wrong_arguments_of_take(arguments: tuple[Any, ...]) -> None:
    """Wrong arguments of `take`, too."""
    with pytest.raises(TypeError):
        native().take(*arguments)


def test_a_descriptor_that_is_none(part: ModuleType) -> None:
    """An error of the wait is raised."""
    epoll = select.epoll()
    epoll.close()
    with pytest.raises((OSError, ValueError)):
        part.turn(epoll, {}, 0, 1)


DATA: Final = st.lists(
    st.one_of(
        st.builds(client_frame, st.binary(max_size=300), st.sampled_from([1, 1, 1, 2, 9, 10])),
        st.builds(client_frame, st.text(max_size=80).map(str.encode)),
        st.just(PONG),
        st.binary(max_size=12),
    ),
    max_size=6,
).map(b"".join)


@given(DATA, st.integers(-1, 5), st.sampled_from([-1, 0, 1, 10, 125, 126, LONGEST]))
def test_both_take_the_same(data: bytes, most: int, longest: int) -> None:
    """Python and C take the same frames of any bytes."""
    taken = native().take(data, most, longest)
    assert taken == take(data, most, longest)
    frames, rest = taken
    assert data.endswith(rest)
    assert len(frames) <= max(most, 0)
