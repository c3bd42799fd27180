"""A server that plays a test's script, for frames that the daemon does not send on demand."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.support.loops import run_apart

Frame: TypeAlias = dict[str, Any]
#: Serves a connection; the second argument counts them.
Play: TypeAlias = Callable[["Wire", int], Awaitable[None]]

#: Seconds for a test.
PATIENCE: Final = 30.0
DONE: Final = {"type": "resumed", "complete": True, "from": 1, "to": 0}


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run a test that is a coroutine."""
    run_apart(asyncio.wait_for(test, PATIENCE))


def hello(**more: Any) -> Frame:
    """Make the daemon's first frame to a client."""
    return {
        "type": "hello", "user": {"id": "u", "name": "Ann"}, "epoch": "e", "seq": 0,
        "limits": {"message_bytes": 100}, "heartbeat": 25, **more,
    }  # fmt: skip


def said(seq: int, text: str | None = None) -> Frame:
    """A message, as everybody hears it."""
    return {"type": "message", "message": str(seq) if text is None else text, "seq": seq, "time": 1}


def jwt(jti: int, **more: Any) -> str:
    """A token that nobody has signed."""
    parts = ({"alg": "none"}, {"sub": "42", "exp": 5_000_000_000, "jti": jti, **more})
    return ".".join(_part(each) for each in parts) + "."


def _part(claims: Frame) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()


class Wire:
    """The server's end of a connection."""

    def __init__(self, socket: ServerConnection, heard: list[Frame]) -> None:
        self._socket = socket
        self._heard = heard

    async def say(self, *frames: Frame) -> None:
        for each in frames:
            await self._socket.send(json.dumps(each))

    async def raw(self, text: str) -> None:
        await self._socket.send(text)

    async def hear(self, kind: str | None = None) -> Frame:
        """The next frame of that type; without one, the next that has a nonce."""
        while True:
            frame: Frame = json.loads(await self._socket.recv())
            if frame["type"] == kind or (kind is None and "nonce" in frame):
                self._heard.append(frame)
                return frame

    async def answer(self, frame: Frame) -> None:
        await self.say({**frame, "nonce": (await self.hear())["nonce"]})

    async def close(self, code: int, reason: str = "") -> None:
        await self._socket.close(code, reason)

    def cut(self) -> None:
        self._socket.transport.abort()

    async def stay(self) -> None:
        """Stay connected until the client hangs up."""
        await self._socket.wait_closed()


class Script:
    """
    A server that plays.

    @ivar asked: path and query of each connection.
    @ivar brought: the `Authorization` of each.
    @ivar heard: frames that were waited for.
    """

    def __init__(self, play: Play) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.brought: list[str | None] = []
        self.heard: list[Frame] = []
        self.url = ""
        self._play = play

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request
        asked = urlsplit(socket.request.path)
        self.asked.append((asked.path, dict(parse_qsl(asked.query))))
        self.brought.append(socket.request.headers.get("Authorization"))
        try:
            await self._play(Wire(socket, self.heard), len(self.asked) - 1)
            await socket.wait_closed()
        except ConnectionClosed:
            pass

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Script]:
        protocols = [Subprotocol("livechat.v1")]
        async with serve(self._serve, "127.0.0.1", 0, subprotocols=protocols) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            self.url = f"http://127.0.0.1:{port}"
            yield self


def playing(play: Play) -> Any:
    """Run a server that does *play* with each connection."""
    return Script(play).running()
