"""picows on uvloop: ``send`` for each member."""

from __future__ import annotations

from collections import defaultdict

import uvloop
from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_create_server,
)

from .options import options, ready, repeated

rooms: defaultdict[bytes, set[WSTransport]] = defaultdict(set)


class Member(WSListener):
    """A member's connection."""

    def __init__(self, request: WSUpgradeRequest) -> None:
        super().__init__()
        self.room = rooms[request.path]

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.room.add(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            message = repeated(frame.get_payload_as_bytes()).encode()
            for member in self.room:
                member.send(WSMsgType.TEXT, message)
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.room.discard(transport)


async def main() -> None:
    given = options()
    server = await ws_create_server(Member, "127.0.0.1", given.port, ssl=given.context())
    ready()
    await server.serve_forever()


uvloop.run(main())
