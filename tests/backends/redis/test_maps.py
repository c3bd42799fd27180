"""`livechat.backends.redis.maps`, with a real Redis."""

from __future__ import annotations

from tests.backends.redis.processes import ProcessesTest, until


class MapsTest(ProcessesTest):
    """The maps of two processes."""

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        backends = self.here.backend, self.there.backend
        self.one, self.two = (each.shared_map("x", most=9, largest=9) for each in backends)

    async def agree(self) -> None:
        await until(lambda: self.one._version == self.two._version)
        assert self.one.entries() == self.two.entries()

    async def test_news_that_are_none(self) -> None:
        """News that no livechat sends is skipped."""
        for news in (
            "shared",
            "shared x",
            "shared x w 1",
            "shared x - w one t 1 a",
            "shared x - w 1 t 1 \xff",
            "shared x - w 1 t x a",
            "shared x - w 1 t 1 ano entry",
            "shared other - w 1 t 1 a",
        ):
            self.server.ask("PUBLISH", "lc:0:{!}", news)
        await self.one.put("a", b"1")
        await self.agree()

    async def test_maps_of_two_names_stay_apart(self) -> None:
        """A name is one map, and maps know nothing of each other."""
        assert self.here.backend.shared_map("x", most=9, largest=9) is self.one
        other = self.here.backend.shared_map("xy", most=9, largest=9)
        await other.put("a", b"1")
        await self.one.put("a", b"2")
        await self.agree()
        assert other.get("a") == b"1"
