"""
Tokens: JSON Web Tokens (RFC 7519) by which a site says whose connection this is.

Tokens that livechat mints itself are signed with a key that follows from the backend's secret, so
all processes of the same rooms take them.  Those of a site are verified with keys that the
operator trusts (`livechat.identity.key_ring`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from twisted.internet.defer import Deferred

from livechat.errors import ChatError, Kind
from livechat.identity.claims import (
    LONGEST,
    Claims,
    Header,
    check_header,
    check_parties,
    check_times,
    claims_of,
    header_of,
    identity_of,
    refused,
)
from livechat.identity.key_ring import KeyRing
from livechat.identity.known import Known, known
from livechat.identity.token_keys import Material
from livechat.interfaces import Identity
from livechat.system.time import Time

if TYPE_CHECKING:
    from jwt import PyJWS

#: The id (RFC 7515, ``kid``) of livechat's own key.
OWN_KEY: Final = "livechat"
#: Seconds for which a minted token counts unless said.
USUAL_LIFETIME: Final = 3_600
#: Verified tokens that are remembered.
MOST_REMEMBERED: Final = 10_000


class Minted(Struct, frozen=True):
    """
    A token that was just made.

    @ivar expires: when it ends, in seconds since 1970.
    """

    token: str
    expires: int


class Trust(Struct, frozen=True):
    """
    The issuers that a site trusts.

    @ivar keys: theirs.
    @ivar issuer: the one whose tokens count; None: any.
    @ivar audience: the name of this server in tokens that are for it.
    """

    keys: KeyRing
    issuer: str | None = None
    audience: str | None = None


class Tokens:
    """Verifies and mints tokens."""

    def __init__(
        self,
        secret: Callable[[], Deferred[bytes]],
        time: Time,
        lifetime: int,
        trust: Trust | None = None,
    ) -> None:
        """
        @param secret: reads the secret of these rooms (`livechat.interfaces.IProcessRegistry`).
        @param lifetime: the most seconds between a token's ``iat`` and ``exp``.
        @param trust: other issuers.
        """
        self._secret = secret
        self._time = time
        self._lifetime = lifetime
        self._trust = trust if trust is not None and trust.keys else None
        self._remembered: dict[bytes, Known] = {}
        self._version = 0

    @property
    def strict(self) -> bool:
        """True if a credential that nobody knows is refused, and not ignored."""
        return self._trust is not None

    async def known(self, token: str) -> Known | None:
        """
        Find whose *token* is; None if nobody here could have issued it.

        @raise ChatError: ``unauthorized``, ``token_expired``; ``unavailable`` if keys cannot be
            had by which it may be verified.
        """
        digest = blake2b(token.encode(), digest_size=32).digest()
        found = self._recall(digest)
        if found is not None:
            return found
        header = header_of(token)
        if header is None or (header.kid != OWN_KEY and self._trust is None):
            return None
        check_header(token, header)
        claims = await self._verified(token, header)
        if claims is None:
            return None
        now = self._time.wall()
        check_times(claims, now, self._lifetime)
        try:
            found = known(identity_of(claims), now)
        except ValueError as reason:
            raise refused(str(reason)) from None
        self._remember(digest, found)
        return found

    async def _verified(self, token: str, header: Header) -> Claims | None:
        """The claims of *token*; None if no key that is known here has signed it."""
        if header.kid == OWN_KEY:
            payload = _signed(token, ("HS256",), [_own_key(await self._secret())])
            if payload is None:
                raise refused("its signature is not this server's")
            return claims_of(payload)
        trust = self._trust
        assert trust is not None
        payload = _signed_by(trust.keys, token, header)
        if payload is None and await trust.keys.look_for(header.kid):
            payload = _signed_by(trust.keys, token, header)
        if payload is not None:
            claims = claims_of(payload)
            check_parties(claims, trust.issuer, trust.audience)
            return claims
        if trust.keys.trouble() is not None:
            raise ChatError(
                Kind.UNAVAILABLE,
                "Your token cannot be verified just now: its key cannot be fetched.",
            )
        return None

    def _recall(self, digest: bytes) -> Known | None:
        """The user of a token that was verified before, with the keys that count now."""
        version = 0 if self._trust is None else self._trust.keys.version
        if version != self._version:
            self._version = version
            self._remembered.clear()
        found = self._remembered.pop(digest, None)
        if found is None or found.lease.ends is None or found.lease.ends <= self._time.wall():
            return None
        # Tokens that are used stay longest.
        self._remembered[digest] = found
        return found

    def _remember(self, digest: bytes, found: Known) -> None:
        self._remembered[digest] = found
        if len(self._remembered) > MOST_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]

    async def mint(
        self,
        user: str,
        *,
        name: str | None = None,
        role: str | None = None,
        rooms: Mapping[str, Sequence[str]] | None = None,
        seconds: int = USUAL_LIFETIME,
    ) -> Minted:
        """
        Make a token for the user of the site with the id *user*.

        @raise ChatError: ``bad_request``; or the backend's secret cannot be read.
        """
        now = int(self._time.wall())
        if not 0 < seconds <= self._lifetime:
            raise ChatError(Kind.BAD_REQUEST, f"A token lasts 1 to {self._lifetime} seconds.")
        claims = {
            "sub": user,
            "iat": now,
            "exp": now + seconds,
            "jti": token_urlsafe(9),
            "name": name,
            "role": role,
            "rooms": rooms,
        }
        try:
            known(Identity(user, name, role, rooms), now)
        except ValueError as reason:
            raise ChatError(Kind.BAD_REQUEST, f"This token cannot be made: {reason}.") from None
        from jwt import encode  # noqa: PLC0415

        token = encode(
            {name: value for name, value in claims.items() if value is not None},
            _own_key(await self._secret()),
            "HS256",
            headers={"kid": OWN_KEY},
        )
        if len(token) > LONGEST:
            raise ChatError(Kind.BAD_REQUEST, f"A token has at most {LONGEST} characters.")
        return Minted(token, now + seconds)


def _own_key(secret: bytes) -> bytes:
    return blake2b(key=secret, person=b"livechat token", digest_size=32).digest()


@cache
def _verifier() -> PyJWS:
    from jwt import PyJWS  # noqa: PLC0415

    return PyJWS()


def _signed_by(keys: KeyRing, token: str, header: Header) -> bytes | None:
    fitting = keys.fitting(header.kid, header.alg)
    return _signed(token, (header.alg,), (key.material for key in fitting))


def _signed(token: str, algorithms: Sequence[str], keys: Iterable[Material]) -> bytes | None:
    """The payload of *token*, if one of *keys* has signed it."""
    # Most servers never see a token.
    from jwt import PyJWTError  # noqa: PLC0415

    verifier = _verifier()
    for key in keys:
        try:
            payload: bytes = verifier.decode(token, key, list(algorithms))
        except (PyJWTError, ValueError):
            continue
        return payload
    return None
