"""The supervisor of workers, put together: the parts that it checks, and those that it starts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING
from zlib import crc32

from twisted.application.service import MultiService

from livechat.command_line import Options
from livechat.config import Config
from livechat.daemon.assembly import in_order, names_of, transports, tree
from livechat.daemon.condition import supervising
from livechat.daemon.core import unloaded_core
from livechat.daemon.departure import Departure
from livechat.daemon.edition import here, installed
from livechat.daemon.renewal import find_certificate, secure
from livechat.daemon.rolling import Rolling
from livechat.daemon.services import Announcement
from livechat.daemon.sockets import Kept, OfPorts, WorkerSockets
from livechat.daemon.supervisor import Workers, command
from livechat.daemon.systemd import Manager, Notifier, Systemd
from livechat.http.origins import Origins
from livechat.net.activation import Inherited
from livechat.net.certificates import Shown
from livechat.net.listening import adopted, reserve
from livechat.web.html import Templates

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase


def supervise(
    config: Config,
    options: Options,
    reactor: PosixReactorBase,
    given: Sequence[Inherited] = (),
    manager: Manager | None = None,
) -> MultiService:
    """
    Build a daemon that starts others, with the same options, and watches over them.

    @param given: the sockets to listen on, where somebody else keeps them.
    @param manager: the service manager; None: there is none.
    @raise StartError: they could not start.
    """
    sockets: WorkerSockets
    if given:
        listening = adopted(given)
        sockets = Kept(given)
    else:
        listening = reserve(config.listen)
        sockets = OfPorts(listening)
    config = config.at(each.address for each in listening)
    try:
        shown = Shown(find_certificate(config))
        if shown.certificate is not None:
            secure(shown.certificate)
        # Not `core`: a new password's end of sessions is the workers' task.
        made = unloaded_core(config, reactor)
        # Errors are found here, as each worker would end at them again and again.
        origins = Origins(config.origin, lambda: names_of(config, shown), made.time)
        tree(made, transports(made), shown, origins, Templates(config.prefix))
        announcement = Announcement(
            config,
            shown.certificate,
            made.password,
            listening,
            made.backend.description,
            extensions=made.extensions.names,
            kept=bool(given),
        )
    except BaseException:
        sockets.close()
        raise
    first = listening[0].address
    workers = Workers(
        reactor,
        command(options, first.port),
        config.workers,
        sockets,
        # The number is unlike that of any other daemon of this user.
        first.port or crc32(str(first).encode()),
        leave_within=config.linger + config.drain,
    )
    rolling = Rolling(reactor, workers, here(), partial(installed, reactor, dict(os.environ)))
    systemd = Systemd(
        reactor,
        manager or Manager(Notifier(None)),
        lambda: supervising(workers.reports(), rolling.status),
        workers.alive,
    )
    workers.around = systemd.renewing
    departure = Departure(reactor, begins=lambda _: systemd.stopping(config.linger + config.drain))
    return in_order(systemd, announcement, workers, rolling, departure)
