"""`tests.tools.light_socket`."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request, Response

from livechat.net import certificates
from tests.live.daemon import PATIENCE
from tests.tools.light_socket import LightSocket, trusting


def running(test: Callable[[Path], Coroutine[None, None, None]]) -> Callable[[Path], None]:
    """Run a test in a loop of its own, and in a thread: a browser's loop may run in this one."""

    def run(tmp_path: Path) -> None:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, test(tmp_path)).result()

    run.__doc__ = test.__doc__
    return run


@asynccontextmanager
async def serving(
    directory: Path,
    handler: Callable[[ServerConnection], Awaitable[None]],
    refuse: Callable[[ServerConnection, Request], Response | None] | None = None,
) -> AsyncIterator[str]:
    """Serve a WebSocket; yields its address."""
    made = certificates.load_or_make(directory)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.chain, made.key)
    serving = serve(
        handler, "127.0.0.1", 0, ssl=tls, subprotocols=["livechat.v1"], process_request=refuse  # type: ignore[list-item]
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE), serving as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"wss://127.0.0.1:{port}/"


async def echo(connection: ServerConnection) -> None:
    assert connection.subprotocol == "livechat.v1"
    await (await connection.ping())
    async for text in connection:
        await connection.send(text)
        if text == "bye":
            await connection.close(4321, "as asked")


@running
async def test_messages(tmp_path: Path) -> None:
    """Messages, larger than the kernel takes at once, come whole; so do the code and the reason."""
    heard: list[bytes] = []
    long = "x" * 1_000_000
    async with serving(tmp_path, echo) as address:
        socket = LightSocket(address, trusting(), heard.append, "livechat.v1")
        await socket.open()
        for text in ("hello", long, "bye"):
            socket.write(text)
        await socket.ended
        socket.write("nobody hears")
    assert heard == [b"hello", long.encode(), b"bye"]
    assert socket.closed_with == "4321 as asked"


@running
async def test_refusals(tmp_path: Path) -> None:
    """A port that nobody has, a port that hangs up, and an answer of HTTP raise."""

    def refuse(connection: ServerConnection, _: Request) -> Response:
        return connection.respond(503, "later")

    hung_up = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = hung_up.sockets[0].getsockname()[1]
    with pytest.raises(OSError):  # noqa: PT011 - EOF in the handshake, or a reset
        await LightSocket(f"wss://127.0.0.1:{port}/", trusting(), print).open()
    hung_up.close()
    await hung_up.wait_closed()
    with pytest.raises(ConnectionRefusedError):
        await LightSocket(f"wss://127.0.0.1:{port}/", trusting(), print).open()
    async with serving(tmp_path, echo, refuse) as address:
        with pytest.raises(InvalidStatus, match="503"):
            await LightSocket(address, trusting(), print).open()


@running
async def test_cut(tmp_path: Path) -> None:
    """A connection that breaks ends; one that is cut here, too, though its waiter was cancelled."""

    async def cut(connection: ServerConnection) -> None:
        connection.transport.abort()

    async with serving(tmp_path, cut) as address:
        socket = LightSocket(address, trusting(), print, "livechat.v1")
        await socket.open()
        await socket.ended
    over = asyncio.Event()

    async def wait(connection: ServerConnection) -> None:
        await connection.wait_closed()
        over.set()

    async with serving(tmp_path, wait) as address:
        socket = LightSocket(address, trusting(), print, "livechat.v1")
        await socket.open()
        socket.ended.cancel()
        socket.close()
        await over.wait()


@running
async def test_broken_receiver(tmp_path: Path) -> None:
    """An exception of the receiver is raised where the connection is awaited."""

    def fail(_: bytes) -> None:
        raise AssertionError("out of order")

    async with serving(tmp_path, echo) as address:
        socket = LightSocket(address, trusting(), fail, "livechat.v1")
        await socket.open()
        socket.write("hello")
        with pytest.raises(AssertionError, match="out of order"):
            await socket.ended
