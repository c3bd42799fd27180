"""Builds what writes events without numbers, and what tells subscribers of extensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from twisted.application.service import Service

from livechat.config import Config
from livechat.errors import StartError
from livechat.events.announcing import Announcer
from livechat.events.occupancy import Occupancy, occupancy_map
from livechat.events.sharing import SharedOutbox
from livechat.events.subscriptions import Subscription
from livechat.events.telling import Duty, Teller, Telling
from livechat.interfaces import IBackend, IOutbox, ISubscriber
from livechat.protocol.events import NOTES
from livechat.protocol.receivers import receiver_name
from livechat.rooms.answers import answer_of
from livechat.rooms.chat import Chat
from livechat.rooms.hub import Hub
from livechat.system.time import Time

#: Bound on the number of receivers: webhooks and subscribers.
MOST_RECEIVERS: Final = 10
_OCCUPANCY: Final = frozenset({"occupied", "vacated"})


def shared_outbox(
    config: Config, backend: IBackend, subscribers: Sequence[ISubscriber]
) -> IOutbox | None:
    """
    The outbox of webhooks and subscribers; None where nobody can be told.

    @raise StartError: there are too many of them, or subscribers that cannot be told.
    """
    if backend.outbox is None:
        if subscribers:
            raise StartError(
                "--backend: this backend keeps no entries for subscribers of extensions"
            )
        return None
    names = {Subscription.name_of(each) for each in subscribers}
    names |= {receiver_name(url) for url in config.webhook}
    if len(names) > MOST_RECEIVERS:
        raise StartError(f"there are more than {MOST_RECEIVERS} webhooks and subscribers")
    return SharedOutbox(backend.outbox, names)


def telling(
    config: Config,
    outbox: IOutbox | None,
    backend: IBackend,
    subscribers: Sequence[ISubscriber],
    *,
    chat: Chat,
    hub: Hub,
    time: Time,
) -> Telling | None:
    """
    Build what tells subscribers, and have the events written that some receiver wants.

    @param outbox: `shared_outbox`.
    """
    if outbox is None:
        return None
    tellers: list[Teller] = [Subscription(each, time) for each in subscribers]
    wanted = frozenset(config.webhook_events if config.webhook else ()).union(
        *(each.kinds for each in tellers)
    )
    announcer = Announcer(
        lambda draft: answer_of(backend.messages.publish, draft), wanted, time, hub.place
    )
    if wanted & NOTES:
        chat.audit.announcer = announcer
        chat.presence.announcer = announcer
        chat.cases.announcer = announcer
    duties: tuple[Duty, ...] = ()
    if wanted & _OCCUPANCY:
        shared = occupancy_map(backend)
        duties = (Occupancy(backend.processes.reports, shared, announcer, time).run,)
    return Telling(outbox, tellers, time, chat.cases.find, duties)


class Subscribers(Service):
    """Tells subscribers while the storage runs."""

    name = "subscribers"

    def __init__(self, telling: Telling) -> None:
        self._telling = telling

    def startService(self) -> None:
        super().startService()
        self._telling.start()

    def stopService(self) -> None:
        super().stopService()
        self._telling.stop()
