"""`livechat.backends.redis.maps`, with a real Redis."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from livechat.errors import ChatError, Kind
from livechat.interfaces import IShelf
from tests.backends.redis.processes import ProcessesTest, until


class ShelfTest(ProcessesTest):
    """A document that two processes have."""

    async def test_replacing(self) -> None:
        """Who knows what is there may replace it, and the other is told."""
        one, two = (process.backend.shelf("x") for process in (self.here, self.there))
        assert verifyObject(IShelf, one)
        told: list[str] = []
        two.watch(lambda: told.append("two"))
        assert await one.read() == b""
        assert await one.replace(b"", b"\0first\n")
        await until(lambda: told == ["two"])
        assert await two.read() == b"\0first\n"
        assert not await two.replace(b"", b"second")
        assert await two.replace(b"\0first\n", b"second")
        assert await one.read() == b"second"
        assert self.here.backend.shelf("x") is one
        assert await self.here.backend.shelf("y").read() == b""

    async def test_away(self) -> None:
        """While Redis is away that is said, and when it is back its watchers are told."""
        shelf = self.here.backend.shelf("x")
        told: list[str] = []
        shelf.watch(lambda: told.append("back"))
        await self.kill()
        for call in (shelf.read(), shelf.replace(b"", b"x")):
            error = await call.addCallbacks(lambda _: None, lambda failure: failure.value)
            assert isinstance(error, ChatError)
            assert error.kind is Kind.UNAVAILABLE
        self.server.start()
        await until(lambda: told == ["back"])
        assert await shelf.replace(b"", b"x")
