"""
The header and the claims of a token (RFC 7519), as typed values.

Before its signature is verified, only a token's `Header` is read.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from typing import Annotated, Any, Final

import msgspec
from msgspec import Raw, Struct

from livechat.errors import ChatError, Kind
from livechat.identity.guests import cleaned_name
from livechat.interfaces import Identity
from livechat.protocol.wire import check_depth

#: Bytes of a token.
LONGEST: Final = 4_096
#: Seconds that other clocks may be ahead, for ``nbf`` and ``iat``.
SKEW: Final = 30
#: Characters of ``jti``.
_LONGEST_JTI: Final = 128


class Header(Struct):
    """
    The part of a token that describes its signature.

    @ivar kid: the id of the key.
    @ivar jku: an address of keys; `x5u` is one of certificates, `crit` lists extensions that must
        be known.  Addresses from a stranger are never fetched, and there are no extensions here.
    """

    alg: str
    kid: str | None = None
    jku: Raw = Raw()
    x5u: Raw = Raw()
    crit: Raw = Raw()


class Claims(Struct):
    """The part of a token that describes its user."""

    sub: str
    exp: float
    iat: float
    nbf: float | None = None
    iss: str | None = None
    aud: str | list[str] | None = None
    jti: Annotated[str, msgspec.Meta(min_length=1, max_length=_LONGEST_JTI)] | None = None
    name: Any = None
    preferred_username: Any = None
    role: Any = None
    rooms: dict[str, list[str]] | None = None


def header_of(token: str) -> Header | None:
    """Return the header of *token*; None if that is no token."""
    encoded, _, rest = token.partition(".")
    if rest.count(".") != 1 or not token.isascii():
        return None
    try:
        data = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        check_depth(data)
        return msgspec.json.decode(data, type=Header)
    except (binascii.Error, msgspec.MsgspecError, UnicodeDecodeError, ChatError):
        return None


def check_header(token: str, header: Header) -> None:
    """@raise ChatError: ``unauthorized``: no such token is accepted."""
    if len(token) > LONGEST:
        raise refused(f"it has more than {LONGEST} characters")
    for name in ("jku", "x5u", "crit"):
        if getattr(header, name) != Raw():
            raise refused(f"its header has '{name}'")


def claims_of(payload: bytes) -> Claims:
    """
    Read the claims of a token whose signature was verified.

    @raise ChatError: ``unauthorized``: one is missing, or is of another type.
    """
    try:
        check_depth(payload)
        return msgspec.json.decode(payload, type=Claims)
    except (msgspec.MsgspecError, UnicodeDecodeError) as reason:
        raise refused(f"its claims cannot be read: {reason}") from None
    except ChatError as reason:
        raise refused(f"its claims cannot be read: {reason.detail}") from None


def check_times(claims: Claims, now: float, lifetime: int) -> None:
    """
    @param lifetime: the most seconds between ``iat`` and ``exp``.
    @raise ChatError: ``token_expired``; ``unauthorized`` if it does not count yet, or too long.
    """
    if claims.exp <= now:
        raise ChatError(Kind.TOKEN_EXPIRED, "Your token has expired; get a new one.")
    if claims.iat > now + SKEW:
        raise refused("it is from the future (iat): one of the clocks is wrong")
    if claims.nbf is not None and claims.nbf > now + SKEW:
        raise refused("it is not valid yet (nbf)")
    if claims.exp - claims.iat > lifetime:
        raise refused(f"it lasts longer than {lifetime} seconds, the server's --token-lifetime")


def check_parties(claims: Claims, issuer: str | None, audience: str | None) -> None:
    """
    Refuse a token for another server, even if no audience is set (RFC 7519, section 4.1.3).

    @param issuer: the one that counts; None: any.
    @param audience: the name of this server; None: it has none.
    @raise ChatError: ``unauthorized``: it is another's, or for another server.
    """
    if issuer is not None and claims.iss != issuer:
        raise refused("its issuer (iss) is not the server's --token-issuer")
    given = [claims.aud] if isinstance(claims.aud, str) else claims.aud
    if audience is None and given is not None:
        raise refused("it has an audience (aud), and the server has no --token-audience")
    if audience is not None and audience not in (given or ()):
        raise refused("its audience (aud) is not the server's --token-audience")


def identity_of(claims: Claims) -> Identity:
    """Make the identity of *claims*.  A name or a role that is no text is left out."""
    names = (claims.name, claims.preferred_username)
    return Identity(
        claims.sub,
        next((each for each in names if isinstance(each, str) and cleaned_name(each)), None),
        claims.role if isinstance(claims.role, str) else None,
        claims.rooms,
        int(claims.exp),
        int(claims.iat),
        claims.jti,
    )


def refused(why: str) -> ChatError:
    """Make the error for an invalid token."""
    return ChatError(Kind.UNAUTHORIZED, f"Your token is refused: {why}.")
