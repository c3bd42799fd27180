"""The contract of a backend's maps: `livechat.interfaces.ISharedMap`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults

from livechat.errors import ChatError, Kind
from livechat.interfaces import IBackend, ISharedMap
from livechat.protocol.cluster import Report, Room
from livechat.protocol.messages import Newest
from tests.support import RecordingSink

#: The time at the beginning of each test, in seconds since 1970.
NOW = 1_790_000_000
#: A process's report on itself.
REPORT = Report("here/1", 1_790_000_000_000, 3, 0.5, (0.0, 0.5), (Room("r", 2, 1.5, Newest(7, 8)),))


def shared_map(backend: IBackend, name: str = "x", *, most: int = 3) -> ISharedMap:
    return backend.shared_map(name, most=most, largest=16)


class MapContract:
    """
    Tests of the maps of one backend, which the subclass makes.

    @ivar make: a new backend with a ``history_limit``, a ``history_age`` and an ``audit_age``,
        on the same store as the last one, which has stopped.
    @ivar set_time: lets it be so many seconds later than at the beginning.
    """

    make: Callable[..., Any]
    set_time: Callable[[float], None]

    async def begin(self, **options: int) -> Any:
        backend = self.make(**options)
        await self.start(backend)
        return backend

    async def start(self, backend: Any) -> None:
        self.sink = RecordingSink()
        backend.start(self.sink, lambda: REPORT, record=self.sink.record)
        self.addCleanup(backend.stop)  # type: ignore[attr-defined]
        await self.ready(backend)

    async def ready(self, backend: Any) -> None:
        """Wait until *backend* has reached its store, if that takes time."""

    async def test_a_map_keeps_values_until_dropped_or_over(self) -> None:
        """A map has what was put into it, until it is dropped or over; names are apart."""
        backend = await self.begin()
        one, other = shared_map(backend), shared_map(backend, "y")
        assert shared_map(backend) is one
        assert await one.put("a", b'{"b":"\\u0000 1"}') is True
        assert await one.put("a:b c\0\u00e9", b"2")
        assert await other.put("a", b"3")
        assert one.get("a") == b'{"b":"\\u0000 1"}'
        assert sorted(one.items()) == [("a", b'{"b":"\\u0000 1"}'), ("a:b c\0\u00e9", b"2")]
        assert other.items() == [("a", b"3")]
        assert one.get("nothing") is None
        await one.drop("a")
        await one.drop("nothing")
        assert one.items() == [("a:b c\0\u00e9", b"2")]

    async def test_map_compare_and_set(self) -> None:
        """A value is set only where the expected one is, or none where none is expected."""
        shared = shared_map(await self.begin())
        assert await shared.put("a", b"1", expect=b"0") is False
        assert shared.get("a") is None
        assert await shared.put("a", b"1", expect=None) is True
        assert await shared.put("a", b"2", expect=None) is False
        assert await shared.put("a", b"2", expect=b"1") is True
        both = [shared.put("a", value, expect=b"2") for value in (b"3", b"4")]
        assert await gatherResults(both) == [True, False]
        assert shared.get("a") == b"3"

    async def test_a_value_ends_with_its_second(self) -> None:
        """A value ends with its second, for a comparison too; another one may have its place."""
        shared = shared_map(await self.begin())
        assert await shared.put("a", b"1", NOW + 60)
        assert shared.get("a") == b"1"
        self.set_time(61)
        assert shared.get("a") is None
        assert shared.items() == []
        assert await shared.put("a", b"2", NOW + 90, expect=None)
        assert shared.get("a") == b"2"
        assert await shared.put("a", b"3")
        self.set_time(1_000)
        assert shared.get("a") == b"3"

    async def test_a_full_map_takes_no_more_keys(self) -> None:
        """A full map takes no more keys and drops none; what is too long is refused."""
        shared = shared_map(await self.begin())
        for key, until in (("a", None), ("b", NOW + 60), ("c", None)):
            assert await shared.put(key, b"1", until)
        error = await shared.put("d", b"1").addErrback(lambda failure: failure.value)
        assert isinstance(error, ChatError)
        assert error.kind is Kind.OVERLOADED
        assert sorted(key for key, _ in shared.items()) == ["a", "b", "c"]
        assert await shared.put("c", b"2")
        self.set_time(61)
        assert await shared.put("d", b"1")
        for key, value in (("", b"1"), ("x" * 257, b"1"), ("a", b"x" * 17), ("\ud800", b"1")):
            with pytest.raises(ValueError, match=r"has|surrogates"):
                shared.put(key, value)
        assert await shared.put("a", b"x" * 16)

    async def test_map_of_short_lived_values(self) -> None:
        """Ends free their places, however many keys come and go, and whichever process asks."""
        shared = shared_map(await self.begin(), most=150)
        assert await shared.put("stays", b"1")
        for turn in range(4):
            put: list[Deferred[Any]] = [
                shared.put(f"{turn}:{n}", b"1", NOW + 10 * turn + 10) for n in range(149)
            ]
            assert all(await gatherResults(put))
            assert len(shared.items()) == 150
            with pytest.raises(ChatError, match="too many"):
                await shared.put("one too many", b"1")
            self.set_time(10 * turn + 10)
            assert shared.items() == [("stays", b"1")]

    async def test_a_full_map_of_many_drops_nothing(self) -> None:
        """A full map of many keys is changed as one of few is: nothing is dropped on the way."""
        backend = await self.begin()
        shared = shared_map(backend, most=600)
        for start in range(0, 600, 100):
            some = range(start, start + 100)
            await gatherResults([shared.put(f"{n}", b"%d" % n, NOW + 60 + n) for n in some])
        with pytest.raises(ChatError, match="too many"):
            await shared.put("one too many", b"1")
        for start in range(0, 600, 200):
            some = range(start, start + 200, 2)
            await gatherResults([shared.drop(f"{n}") for n in some])
            await gatherResults([shared.put(f"{n}", b"x") for n in some])
        await backend.stop()
        backend = self.make()
        shared = shared_map(backend, most=600)
        await self.start(backend)
        await shared.catch_up()
        assert dict(shared.items()) == {f"{n}": b"%d" % n if n % 2 else b"x" for n in range(600)}

    async def test_watchers_are_told_of_changed_keys(self) -> None:
        """Watchers are told of keys that change, after the change, and not of others."""
        shared = shared_map(await self.begin())
        told: list[tuple[str, bytes | None]] = []
        shared.watch(lambda keys: told.extend((key, shared.get(key)) for key in keys))
        await shared.put("a", b"1")
        await shared.put("a", b"2")
        await shared.drop("a")
        assert told == [("a", b"1"), ("a", b"2"), ("a", None)]

    async def test_map_after_a_restart(self) -> None:
        """A map outlives the process, with the ends of its values."""
        backend = await self.begin()
        shared = shared_map(backend)
        await gatherResults([shared.put("a", b"1"), shared.put("b", b"1", NOW + 60)])
        await shared.put("c", b"1")
        await shared.drop("c")
        await backend.stop()
        backend = self.make()
        shared = shared_map(backend)
        await self.start(backend)
        await shared.catch_up()
        assert sorted(shared.items()) == [("a", b"1"), ("b", b"1")]
        self.set_time(61)
        assert shared.items() == [("a", b"1")]
