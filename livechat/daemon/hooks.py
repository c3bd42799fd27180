"""Builds what tells the receivers of webhooks, and starts and stops it."""

from __future__ import annotations

from functools import partial
from random import SystemRandom
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults

from livechat import metrics
from livechat.config import Config
from livechat.errors import StartError
from livechat.events.feed import Feed
from livechat.events.merging import CaseOf
from livechat.identity.site_secret import site_secrets
from livechat.interfaces import IBackend, IOutbox
from livechat.net.posting import Poster
from livechat.protocol.receivers import receiver_name
from livechat.system.time import Time
from livechat.webhooks.board import Board, board_map
from livechat.webhooks.delivery import Delivery
from livechat.webhooks.telling import Telling

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

_random: Final = SystemRandom().random


class Hooks(Struct, frozen=True):
    """
    The receivers of webhooks.

    @ivar board: how it goes with them.
    """

    telling: Telling
    board: Board
    posters: tuple[Poster, ...]


def hooks(
    config: Config,
    backend: IBackend,
    reactor: PosixReactorBase,
    time: Time,
    case_of: CaseOf = lambda _: None,
    *,
    outbox: IOutbox | None = None,
) -> Hooks | None:
    """
    Build what tells the receivers that *config* names; None if rooms are where nobody can be told.

    @param case_of: finds cases, whose texts are in no log.
    @param outbox: that of the backend, where others have a part of it.
    @raise StartError: there are receivers, and they cannot be told.
    """
    outbox = outbox or backend.outbox
    if outbox is None:
        if config.webhook:
            raise StartError("--webhook: the backend of --backend keeps no entries for receivers")
        return None
    receivers = {receiver_name(url): url for url in config.webhook}
    secrets = site_secrets(config.webhook_secret, config.state) if receivers else ()
    board = Board(board_map(backend), receivers, time)
    posters = {name: Poster(reactor) for name in receivers}
    deliveries = {
        name: Delivery(
            url,
            Feed(outbox, name, config.webhook_events, time, case_of),
            posters[name].post,
            secrets,
            time=time,
            random=_random,
            counted=partial(metrics.webhook_told, name),
        )
        for name, url in receivers.items()
    }
    return Hooks(Telling(outbox, deliveries, board, time), board, tuple(posters.values()))


class Webhooks(Service):
    """Tells receivers while the storage runs."""

    name = "webhooks"

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks

    def startService(self) -> None:
        super().startService()
        self._hooks.telling.start()

    def stopService(self) -> Deferred[list[object]]:
        super().stopService()
        self._hooks.telling.stop()
        return gatherResults([each.close() for each in self._hooks.posters])
