"""
A daemon that echoes, for the Autobahn|Testsuite: ``python -m tests.tools.echo``
and twistd's options.

Port, transport, handshake and protocol are the daemon's own.  Messages are echoed, and reach no
session, whose budgets the suite would overdraw.
"""

from __future__ import annotations

import sys
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.scripts.twistd import run

from livechat.daemon import assembly
from livechat.identity.actor import Actor
from livechat.members.backpressure import Backpressure
from livechat.members.base import JoinRequest
from livechat.members.session import Renew
from livechat.members.websocket import Socket, SocketFactory
from livechat.rooms.chat import Chat

#: Bytes of the suite's longest message.
LONGEST: Final = 16 << 20


class Echo(Socket):
    """Sends each message back."""

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.sendMessage(payload, isBinary)


class EchoFactory(SocketFactory):
    """Makes `Echo` protocols for messages as long as the suite's."""

    def __init__(
        self,
        chat: Chat,
        clock: IReactorTime,
        backpressure: Backpressure,
        *,
        max_frame: int,
        renew: Renew | None = None,
    ) -> None:
        super().__init__(chat, clock, backpressure, max_frame=max(max_frame, LONGEST), renew=renew)

    async def enter(self, request: JoinRequest, actor: Actor) -> Socket:
        return Echo.with_options(self)(self, request.encoding)


if __name__ == "__main__":
    setattr(assembly, "SocketFactory", EchoFactory)  # noqa: B010 - mypy knows it as another one
    sys.argv[1:1] = ["--nodaemon", "--pidfile=", "livechat"]
    run()
