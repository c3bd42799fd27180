"""A TCP connection that can be cut, delayed, or fall silent, as networks do."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class Cable:
    """
    A cable between a client and a port of this machine, with faults.

    @ivar port: the client's end.
    @ivar refused: True refuses new connections.
    @ivar delay: seconds after which data comes out at the other end.
    @ivar rate: bytes a second; 0 is no limit.
    """

    def __init__(self, to: int) -> None:
        self._to = to
        self.port = 0
        self.refused = False
        self.delay = 0.0
        self.rate = 0
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self._heard = asyncio.Event()
        self._heard.set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def fall_silent(self) -> None:
        """Nothing comes through, in either direction, and nobody is told."""
        self._loop.call_soon_threadsafe(self._heard.clear)

    def go_on(self) -> None:
        """All that was sent meanwhile comes through."""
        self._loop.call_soon_threadsafe(self._heard.set)

    def cut(self) -> None:
        """End all connections that there are."""
        self._loop.call_soon_threadsafe(self._cut)

    def _cut(self) -> None:
        for each in self._open:
            each.transport.abort()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._accept, "127.0.0.1", 0, limit=1 << 20)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._cut()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _accept(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        if self.refused:
            back.transport.abort()
            return
        # From now on the end of the cable closes it, also where its task has not begun.
        self._open.add(back)
        task = self._loop.create_task(self._connect(near, back))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            far, onward = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            back.transport.abort()
            self._open.discard(back)
            return
        self._open.add(onward)
        with suppress(OSError):
            await asyncio.gather(self._carry(near, onward), self._carry(far, back))
        self._open -= {back, onward}

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                await self._heard.wait()
                if self.delay:
                    await asyncio.sleep(self.delay)
                if self.rate:
                    await asyncio.sleep(len(data) / self.rate)
                target.write(data)
                await target.drain()
        finally:
            target.transport.abort()
