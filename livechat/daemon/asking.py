"""Builds the client of the site that is asked, and stops it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from livechat.config import Config
from livechat.identity.site import BOUNDS, Site
from livechat.identity.site_secret import site_secrets
from livechat.net.posting import Answered, Poster
from livechat.system.time import Time

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

#: Bytes of an answer's body.
LARGEST: Final = 65_536
#: Seconds for connections to close at the end.
CLOSE_WITHIN: Final = 1.0


class SitePoster:
    """Posts questions to the site at one address."""

    def __init__(self, reactor: PosixReactorBase, url: str) -> None:
        self._url = url
        self._reactor = reactor
        self._poster = Poster(reactor, connections=BOUNDS.running, largest=LARGEST)

    def post(
        self, body: bytes, headers: Mapping[str, str], within: float
    ) -> Deferred[bytes | None]:
        """Implement `livechat.identity.site.Post`."""
        return self._poster.post(self._url, body, headers, within).addCallback(body_of)

    def close(self) -> Deferred[object]:
        """Close the connections that are not in use; fires within `CLOSE_WITHIN` seconds."""
        closed = self._poster.close()
        return closed.addTimeout(CLOSE_WITHIN, self._reactor, lambda *_: None)


def body_of(answered: Answered) -> bytes | None:
    """
    The body of an answer; None of one that has none, and accepts.

    @raise OSError: the site does not take the question.
    """
    if answered.status == 204:
        return None
    if answered.status != 200:
        raise OSError(f"it answers {answered.status}, and neither 200 nor 204")
    if not answered.whole:
        raise OSError(f"its answer has more than {LARGEST} bytes")
    return answered.body


class Asking(Service):
    """The client of the site."""

    name = "asking"

    def __init__(self, site: Site, poster: SitePoster) -> None:
        self._site = site
        self._poster = poster

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self._site.stop()
        await self._poster.close()


def asked_site(
    config: Config, reactor: PosixReactorBase, time: Time
) -> tuple[Site, Asking] | tuple[None, None]:
    """
    Build the site of *config*, and the service that stops it; nothing where none is asked.

    @raise StartError: its secret cannot be read or made.
    """
    if config.ask is None:
        return None, None
    poster = SitePoster(reactor, config.ask)
    site = Site(
        poster.post,
        time,
        about=config.ask_about,
        failing=config.ask_failing,
        secrets=site_secrets(config.webhook_secret, config.state),
    )
    return site, Asking(site, poster)
