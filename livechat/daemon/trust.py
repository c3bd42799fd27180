"""The issuers whose tokens count: their keys, built from the options, fetched while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from twisted.application.service import Service

from livechat.config import Config
from livechat.identity.key_ring import KeyRing
from livechat.identity.tokens import Trust
from livechat.net.jwks import KeySetFetcher
from livechat.system.time import Time

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase


def trust(config: Config, reactor: PosixReactorBase, time: Time) -> Trust:
    """
    Read the keys that *config* names.

    @raise StartError: a file cannot be used.
    """
    files = [each for each in config.token_keys if isinstance(each, Path)]
    addresses = [each for each in config.token_keys if isinstance(each, str)]
    ring = KeyRing(files, addresses, KeySetFetcher(reactor).fetch, time)
    ring.take(ring.read())
    return Trust(ring, config.token_issuer, config.token_audience)


class PublishedKeys(Service):
    """Fetches published keys."""

    name = "published keys"

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def startService(self) -> None:
        super().startService()
        self._ring.fetch()

    def stopService(self) -> None:
        super().stopService()
        self._ring.stop()
