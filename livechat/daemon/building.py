"""The daemon, put together: a port, the core, and its surface, as services."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from twisted.application.service import MultiService

from livechat.config import Config
from livechat.daemon.core import unloaded_core
from livechat.daemon.renewal import find_certificate, secure
from livechat.daemon.systemd import Manager, Notifier
from livechat.net.activation import Inherited
from livechat.net.certificates import Shown
from livechat.net.listening import Listening, adopted, listen
from livechat.system.process import allow_files

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase


def build(
    config: Config,
    reactor: PosixReactorBase,
    given: Sequence[Inherited] = (),
    manager: Manager | None = None,
) -> MultiService:
    """
    Build the daemon, ready to be started.

    @param given: the sockets to listen on, where somebody else keeps them.
    @param manager: the service manager; None: there is none.
    @raise StartError: the port is taken, a file cannot be used, ...
    """
    listening = adopted(given) or listen(config.listen)
    config = config.at(each.address for each in listening)
    try:
        return _build(
            config, reactor, listening, manager or Manager(Notifier(None)), kept=bool(given)
        )
    except BaseException:
        for each in listening:
            each.close()
        raise


def _build(
    config: Config,
    reactor: PosixReactorBase,
    listening: Sequence[Listening],
    manager: Manager,
    *,
    kept: bool,
) -> MultiService:
    allow_files(config.max_connections)
    shown = Shown(find_certificate(config))
    secured = None if shown.certificate is None else secure(shown.certificate)
    made = unloaded_core(config, reactor)
    loaded = made.operators.load_beside(made.password)
    # Half of livechat is imported while another thread checks the password: a start has to be
    # short, since clients wait for its end.
    from livechat.daemon.surface import surface  # noqa: PLC0415

    services = surface(made, shown, secured, listening, manager, kept=kept)
    loaded()
    return services
