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

    def __init__(self, config: Config, shown: Shown) -> None:
        """
        @param config: the configuration, with the listening addresses.
        """
        # A command verifies the server by its certificate, or by the owner of a socket file.
        address = min(config.listen, key=lambda each: ("tls", "unix", "http").index(each.kind))
        self._state: Path = config.state
        self._prefix = config.prefix
        self._address = address
        self._embedded = not config.redis and config.backend is None
        self._shown = shown

    def startService(self) -> None:
        super().startService()
        self.show(self._shown.certificate)

    def show(self, certificate: Certificate | None) -> None:
        """Write the file.  Blocks.  What cannot be written is logged: only commands miss it."""
        fingerprint = "" if certificate is None else certificate.fingerprint
        at = self._address
        found = Whereabouts(
            reachable(at.interface),
            at.port,
            fingerprint,
            self._embedded,
            self._prefix,
            "" if at.path is None else str(at.path),
            at.is_plain,
        )
        try:
            whereabouts.write(self._state, found)
        except OSError as reason:
            _log.error(
                "{path} cannot be written, so the livechat command cannot find this server:"
                " {reason}",
                path=str(self._state / whereabouts.FILE),
                reason=reason.strerror,
            )
