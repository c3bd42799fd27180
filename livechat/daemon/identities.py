"""Builds all that tells who a client is, and how long it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from livechat.config import Config
from livechat.daemon.trust import trust
from livechat.identity.authentication import Authentication
from livechat.identity.door import Door
from livechat.identity.keys import Keys, keys_map
from livechat.identity.leases import Leases, revoked_map
from livechat.identity.local_key import local_key
from livechat.identity.pseudonyms import Pseudonyms
from livechat.identity.site import Site
from livechat.identity.site_sessions import SiteSessions
from livechat.identity.tokens import Tokens, Trust
from livechat.interfaces import IAuthenticator, IBackend
from livechat.system.time import Time

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase


class Identities(Struct, frozen=True, kw_only=True):
    """
    The clients that are known, and by what.

    @ivar trust: the issuers whose tokens count.
    """

    door: Door
    keys: Keys
    leases: Leases
    tokens: Tokens
    trust: Trust


def identities(
    config: Config,
    backend: IBackend,
    time: Time,
    authenticators: Sequence[IAuthenticator],
    reactor: PosixReactorBase,
    *,
    site: Site | None = None,
) -> Identities:
    """
    Build them on the maps of *backend*.

    @param site: asked about clients that join, if it is.
    @raise StartError: a key in a file cannot be used.
    """
    known, secret = keys_map(backend), backend.processes.secret
    keys = Keys(known, time, local_key(config.state))
    trusted = trust(config, reactor, time)
    tokens = Tokens(secret, time, config.token_lifetime, trusted)
    leases = Leases(revoked_map(backend), time, config.token_lifetime, known, Pseudonyms(secret))
    authentication = Authentication(authenticators, time) if authenticators else None
    sessions = None
    if site is not None and site.asks("join"):
        sessions = SiteSessions(site, time, config.token_cookie)
    return Identities(
        door=Door(secret, tokens, leases, authentication, keys=keys, time=time, sessions=sessions),
        keys=keys,
        leases=leases,
        tokens=tokens,
        trust=trusted,
    )
