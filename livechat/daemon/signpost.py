"""Leaves word of where the server is, for commands on the same machine."""

from __future__ import annotations

from pathlib import Path

from twisted.application.service import Service
from twisted.logger import Logger

from livechat.config import Config
from livechat.net import whereabouts
from livechat.net.certificates import Certificate, Shown
from livechat.net.whereabouts import Whereabouts, reachable

_log = Logger(namespace="livechat")


class Signpost(Service):
    """Writes the whereabouts of this server at the start, and with each new certificate."""

    name = "signpost"

    def __init__(self, config: Config, address: str, port: int, *, shown: Shown) -> None:
        """
        @param address: the one that is listened on.
        """
        self._state: Path = config.state
        self._host = reachable(address)
        self._port = port
        self._embedded = not config.redis and config.backend is None
        self._shown = shown

    def startService(self) -> None:
        super().startService()
        self.show(self._shown.certificate)

    def show(self, certificate: Certificate) -> None:
        """Write the file.  Blocks.  What cannot be written is logged: only commands miss it."""
        found = Whereabouts(self._host, self._port, certificate.fingerprint, self._embedded)
        try:
            whereabouts.write(self._state, found)
        except OSError as reason:
            _log.error(
                "{path} cannot be written, so the livechat command cannot find this server:"
                " {reason}",
                path=str(self._state / whereabouts.FILE),
                reason=reason.strerror,
            )
