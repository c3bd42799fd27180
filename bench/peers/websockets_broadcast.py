"""websockets on uvloop, with its own ``broadcast``."""

from __future__ import annotations

from collections import defaultdict

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from .options import options, ready, repeated

rooms: defaultdict[str, set[ServerConnection]] = defaultdict(set)


async def member(connection: ServerConnection) -> None:
    assert connection.request
    room = rooms[connection.request.path]
    room.add(connection)
    try:
        async for frame in connection:
            broadcast(room, repeated(frame))
    finally:
        room.discard(connection)


async def main() -> None:
    given = options()
    context = given.context()
    async with serve(member, "127.0.0.1", given.port, ssl=context, compression=None) as server:
        ready()
        await server.serve_forever()


uvloop.run(main())
