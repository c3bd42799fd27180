"""Parts that the builders of `livechat.daemon` hand to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from livechat.config import Config
from livechat.daemon.asking import Asking
from livechat.daemon.hooks import Hooks
from livechat.daemon.identities import Identities
from livechat.events.telling import Telling
from livechat.extensions import Extensions
from livechat.identity.operators import Operators
from livechat.identity.passwords import Password
from livechat.identity.site import Site
from livechat.interfaces import IBackend
from livechat.rooms.chat import Chat
from livechat.rooms.hub import Hub
from livechat.rooms.tracing import Tracing
from livechat.system.day import Day
from livechat.system.time import Time

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

    from livechat.limits.connections import Connections
    from livechat.members.backpressure import Backpressure
    from livechat.members.event_stream import Feeds
    from livechat.members.websocket import SocketFactory


class Core(Struct, frozen=True, kw_only=True):
    """
    The rooms and their operators, without a port.

    @ivar day: the figures of the last day, of all processes on the port.
    @ivar tracing: what operators trace.
    @ivar site: the site that is asked; None: none is.
    @ivar hooks: the receivers of webhooks; None where there can be none.
    @ivar telling: tells subscribers of extensions; None where nobody can be told.
    """

    config: Config
    reactor: PosixReactorBase
    time: Time
    extensions: Extensions
    backend: IBackend
    hub: Hub
    chat: Chat
    identities: Identities
    operators: Operators
    password: Password
    day: Day
    tracing: Tracing
    site: Site | None = None
    asking: Asking | None = None
    hooks: Hooks | None = None
    telling: Telling | None = None


class Transports(Struct, frozen=True):
    """The members' connections, and the counts that they share."""

    connections: Connections
    backpressure: Backpressure
    feeds: Feeds
    sockets: SocketFactory
