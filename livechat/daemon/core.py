"""
The core: backend, hub, chat, operators; all that needs no port.

A command without a port can use `core`, and start its `services`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from livechat import backends, extensions
from livechat.config import Config
from livechat.daemon.asking import asked_site
from livechat.daemon.hooks import Webhooks, hooks
from livechat.daemon.identities import identities
from livechat.daemon.parts import Core
from livechat.daemon.renewal import operators_password
from livechat.daemon.signing_in import SigningIn, operators
from livechat.daemon.subscribing import Subscribers, shared_outbox, telling
from livechat.daemon.trust import PublishedKeys
from livechat.interfaces import IBackend
from livechat.limits.connections import Connections
from livechat.net.fast import write_all
from livechat.protocol.cluster import Condition, Report
from livechat.protocol.settings import RoomSettings
from livechat.rooms.chat import Chat
from livechat.rooms.forgetting import Forgetting
from livechat.rooms.hub import Hub
from livechat.rooms.listeners import Listeners
from livechat.rooms.pace import Pace
from livechat.rooms.removal import Removal
from livechat.rooms.rules import make_rules
from livechat.rooms.tracing import Tracing
from livechat.system.day import Day
from livechat.system.process import process_name
from livechat.system.time import Time

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase


def core(config: Config, reactor: PosixReactorBase) -> Core:
    """
    Build all that needs no port.

    @raise StartError: an extension is broken, or a file cannot be used.
    """
    made = unloaded_core(config, reactor)
    made.operators.load(made.password)
    return made


def unloaded_core(config: Config, reactor: PosixReactorBase) -> Core:
    """Build like `core`, with operators that have neither read nor written their file."""
    time = Time(reactor)
    found = extensions.load(config)
    backend = backends.load(config, reactor, found.backend)
    outbox = shared_outbox(config, backend, found.subscribers)
    password = operators_password(config)
    hub = Hub(time, write_all)
    site, asking = asked_site(config, reactor, time)
    known = identities(config, backend, time, found.authenticators, reactor, site=site)
    chat = Chat(
        backend,
        hub,
        time,
        max_message=config.max_message,
        default_room=config.default_room,
        rate=config.rate,
        pace=Pace(time, per_ip=config.rate_per_ip, per_user=config.rate_per_user),
        leases=known.leases,
        rules=make_rules(backend, time, RoomSettings(guests=config.guests), found.policies),
        listeners=Listeners(found.listeners, time),
        site=site,
    )
    return Core(
        config=config,
        reactor=reactor,
        time=time,
        extensions=found,
        backend=backend,
        hub=hub,
        chat=chat,
        identities=known,
        operators=operators(config, backend, time, reactor),
        password=password,
        day=Day(),
        # A backend without a relay traces this process alone.
        tracing=Tracing(hub, time, getattr(backend, "relay", None), process_name()),
        site=site,
        asking=asking,
        hooks=hooks(config, backend, reactor, time, chat.cases.find, outbox=outbox),
        telling=telling(config, outbox, backend, found.subscribers, chat=chat, hub=hub, time=time),
    )


def services(
    core: Core, connections: Connections, condition: Callable[[], Condition | None] = lambda: None
) -> tuple[Service, ...]:
    """
    Make the services that run *core*, in the order in which they start.

    @param connections: their number is in the process's report.
    @param condition: so is how it is.
    """
    process = process_name()
    started = int(1000 * core.time.wall())
    return (
        PublishedKeys(core.identities.trust.keys),
        SigningIn(core.operators),
        Storage(
            core.backend,
            core.hub,
            lambda: core.chat.directory.report(process, started, len(connections), condition()),
            core.chat,
        ),
        Removals(core.chat.removal, core.chat.forgetting),
        # Asking ends before the storage does, which stores messages that are accepted last.
        *(() if core.asking is None else (core.asking,)),
        *(() if core.hooks is None else (Webhooks(core.hooks),)),
        *(() if core.telling is None else (Subscribers(core.telling),)),
    )


class Storage(Service):
    """The backend, delivering to the hub."""

    name = "storage"

    def __init__(
        self, backend: IBackend, hub: Hub, census: Callable[[], Report], chat: Chat
    ) -> None:
        self._backend = backend
        self._hub = hub
        self._census = census
        self._chat = chat

    def startService(self) -> None:
        super().startService()
        self._backend.start(self._hub, self._census, self._chat.presence, self._chat.record)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return self._backend.stop()


class Removals(Service):
    """Goes on with removals that were interrupted, and with forgetting people."""

    name = "removals"

    def __init__(self, removal: Removal, forgetting: Forgetting) -> None:
        self._removal = removal
        self._forgetting = forgetting

    def startService(self) -> None:
        super().startService()
        self._removal.start()
        self._forgetting.start()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self._forgetting.stop()
        await self._removal.stop()
