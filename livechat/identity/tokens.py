"""
Tokens: JSON Web Tokens (RFC 7519) by which a site says whose connection this is.

Tokens that livechat mints itself are signed with a key that follows from the backend's secret, so
all processes of the same rooms take them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from secrets import token_urlsafe
from typing import Any, Final

import jwt
from jwt.types import Options
from msgspec import Struct
from twisted.internet.defer import Deferred

from livechat.errors import ChatError, Kind
from livechat.identity.known import Known, known
from livechat.interfaces import Identity
from livechat.system.time import Time

#: Bytes of a token.
LONGEST: Final = 4_096
#: Seconds that other clocks may be ahead, for ``nbf`` and ``iat``.
SKEW: Final = 30
#: The id (RFC 7515, ``kid``) of livechat's own key.
OWN_KEY: Final = "livechat"
#: Seconds for which a minted token counts unless said.
USUAL_LIFETIME: Final = 3_600


# Times are compared here, by the clock that is passed in.
_OPTIONS: Final[Options] = {
    "require": ["sub", "exp", "iat"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
}


class Minted(Struct, frozen=True):
    """
    A token that was just made.

    @ivar expires: when it ends, in seconds since 1970.
    """

    token: str
    expires: int


class Tokens:
    """Verifies and mints tokens."""

    def __init__(self, secret: Callable[[], Deferred[bytes]], time: Time, lifetime: int) -> None:
        """
        @param secret: reads the secret of these rooms (`livechat.interfaces.IProcessRegistry`).
        @param lifetime: the most seconds between a token's ``iat`` and ``exp``.
        """
        self._secret = secret
        self._time = time
        self._lifetime = lifetime

    @property
    def strict(self) -> bool:
        """Whether a credential that nobody knows is refused, instead of ignored."""
        return False

    async def known(self, token: str) -> Known | None:
        """
        Find whose *token* is; None if nobody here could have issued it.

        @raise ChatError: ``unauthorized``, ``token_expired``; or keys cannot be had.
        """
        if len(token) > LONGEST:
            raise _refused(f"it has more than {LONGEST} characters")
        try:
            issuer = jwt.get_unverified_header(token).get("kid")
        except jwt.PyJWTError:
            # What an extension knows need not be a JWT.
            return None
        if issuer != OWN_KEY:
            return None
        try:
            claims = jwt.decode(
                token,
                _own_key(await self._secret()),
                algorithms=["HS256"],
                options=_OPTIONS,
            )
        except jwt.PyJWTError as reason:
            raise _refused(str(reason)) from None
        now = self._time.wall()
        _check_times(claims, now)
        try:
            return known(_identity(claims), now)
        except ValueError as reason:
            raise _refused(str(reason)) from None

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
            known(_identity(claims), now)
        except ValueError as reason:
            raise ChatError(Kind.BAD_REQUEST, f"Nobody can have this token: {reason}.") from None
        token = jwt.encode(
            {name: value for name, value in claims.items() if value is not None},
            _own_key(await self._secret()),
            "HS256",
            headers={"kid": OWN_KEY},
        )
        if len(token) > LONGEST:
            raise ChatError(Kind.BAD_REQUEST, "A token cannot have so many rooms: name fewer.")
        return Minted(token, now + seconds)


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    """
    @raise ChatError: the token does not count yet, or no longer.
    """
    for name in ("iat", "exp", "nbf"):
        if not isinstance(claims.get(name, 0), int):
            raise _refused(f"its {name} is no whole number")
    if max(claims["iat"], claims.get("nbf", 0)) > now + SKEW:
        raise _refused("its iat or nbf is in the future")
    if claims["exp"] <= now:
        raise ChatError(Kind.TOKEN_EXPIRED, "Your token is over; get a new one.")


def _own_key(secret: bytes) -> bytes:
    return blake2b(key=secret, person=b"livechat token", digest_size=32).digest()


def _identity(claims: Mapping[str, Any]) -> Identity:
    return Identity(
        claims["sub"],
        claims.get("name"),
        claims.get("role"),
        claims.get("rooms"),
        claims["exp"],
        claims["iat"],
        claims.get("jti"),
    )


def _refused(why: str) -> ChatError:
    return ChatError(Kind.UNAUTHORIZED, f"Your token is refused: {why}.")
