"""
An authenticator: a proxy that has signed people in says in a header who they are.

    twistd --pidfile= -n livechat --trust-proxy 127.0.0.1 \
        --extension examples.header_identity.HeaderIdentity

The proxy must set or remove ``X-Remote-User`` in every request, whatever the client has sent.
"""

from __future__ import annotations

from zope.interface import implementer

from livechat.config import Config
from livechat.errors import StartError
from livechat.extensions import ExtensionBase
from livechat.interfaces import Credentials, IAuthenticator, Identity


@implementer(IAuthenticator)
class RemoteUser:
    """Believes the header, but only of a trusted proxy: any client can write one."""

    def authenticate(self, credentials: Credentials) -> Identity | None:
        if not credentials.proxied:
            return None
        user = credentials.header("X-Remote-User")
        return Identity(user) if user else None


class HeaderIdentity(ExtensionBase):
    """Needs a proxy."""

    def authenticator(self, config: Config) -> RemoteUser:
        if not config.trust_proxy:
            raise StartError("nobody's X-Remote-User is believed without --trust-proxy")
        return RemoteUser()
