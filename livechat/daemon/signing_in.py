"""The operators of a process, and their sessions, as a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.application.service import Service

from livechat.config import Config
from livechat.identity.accounts import Accounts, accounts_map
from livechat.identity.operators import Operators
from livechat.identity.sessions import Sessions, operators_map
from livechat.interfaces import IBackend
from livechat.system.threads import Threads
from livechat.system.time import Time

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase


def operators(
    config: Config, backend: IBackend, time: Time, reactor: PosixReactorBase
) -> Operators:
    """Build the operators, who have neither read nor written their file."""
    accounts = Accounts(accounts_map(backend))
    return Operators(
        config.state / "operators.json",
        Sessions(operators_map(backend), accounts, time, config.admin_session),
        accounts,
        time,
        hashing=Threads(reactor, 1, "hashing"),
        saving=Threads(reactor, 1, "saving"),
    )


class SigningIn(Service):
    """Starts and stops the operators and their sessions."""

    name = "signing in"

    def __init__(self, operators: Operators) -> None:
        self._operators = operators

    def startService(self) -> None:
        super().startService()
        self._operators.start()

    def stopService(self) -> None:
        super().stopService()
        self._operators.stop()
