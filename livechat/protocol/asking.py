"""
Questions to the site about the acts of clients, and the site's answers.

A question is the body of a signed POST (`livechat.protocol.signing`).  An answer is nothing, which
accepts, or a JSON object with a ``verdict``.
"""

from __future__ import annotations

import json
from typing import Final, Literal, NoReturn, get_args

import msgspec
from msgspec import Raw, Struct

from livechat.errors import ChatError
from livechat.protocol.messages import User
from livechat.protocol.moderation import LONGEST_REASON
from livechat.protocol.values import LARGEST_NUMBER
from livechat.protocol.wire import check_depth, encode

#: The acts that the site can be asked about.
About = Literal["send", "join"]
#: The outcome of an act if the site does not answer.
Failing = Literal["refuse", "accept"]
ABOUT: Final[tuple[About, ...]] = get_args(About)
#: A question without an act: does the site answer?
CHECK: Final = "check"
_VERDICTS: Final = {"send": ("accept", "reject", "hold"), "join": ("accept", "reject")}


class Question(Struct, frozen=True, tag_field="type", tag="ask", omit_defaults=True):
    """
    A question to the site.

    @ivar kind: how the client is known (`livechat.identity.rights.Kind`).
    @ivar user: the client, as others see it.
    @ivar message: the text that it wants to say, or to give to its message *ref*.
    """

    about: str
    room: str | None = None
    kind: str | None = None
    user: User | None = None
    message: str | None = None
    ref: int | None = None
    reply_to: int | None = None
    data: Raw | None = None

    def body(self) -> bytes:
        """The question as it is sent."""
        return encode(self)


class SiteUser(Struct, frozen=True):
    """A user, as the site names it."""

    id: str
    name: str | None = None
    role: str | None = None


class Ruling(Struct, frozen=True):
    """
    The site's answer.

    @ivar message: the text that takes the place of the client's; None: that stays.
    @ivar reason: why it was rejected, for people.
    @ivar user: the identity of a client that joins.
    @ivar rooms: the user's rights by pattern; None: those of all users.
    @ivar expires: when the client must be known anew, in seconds since 1970.
    """

    verdict: str
    message: str | None = None
    reason: str = ""
    user: SiteUser | None = None
    rooms: dict[str, list[str]] | None = None
    expires: float | None = None


ACCEPT: Final = Ruling("accept")
HOLD: Final = Ruling("hold")


def ruling_of(body: bytes, about: About) -> Ruling:
    """
    Read an answer that is not empty.

    @raise ValueError: it is none; the text says why.
    """
    try:
        check_depth(body)
        # json reads lone surrogates, unlike msgspec: they are the message's fault, not the site's.
        given = json.loads(body.decode(), parse_constant=_refuse_constant)
        found = msgspec.convert(given, Ruling)
        _check_unicode(found)
    except ChatError:
        raise ValueError("it is nested too deep") from None
    except UnicodeError:
        raise ValueError("it is not Unicode") from None
    except msgspec.ValidationError as reason:
        raise ValueError(f"it is none: {reason}") from None
    except ValueError:
        raise ValueError("it is not JSON") from None
    if found.verdict not in _VERDICTS[about]:
        raise ValueError(f"its verdict is none of {', '.join(_VERDICTS[about])}")
    if found.expires is not None and not 0 < found.expires <= LARGEST_NUMBER:
        raise ValueError("its 'expires' is no time in seconds since 1970")
    if len(found.reason) > LONGEST_REASON:
        found = msgspec.structs.replace(found, reason=found.reason[:LONGEST_REASON])
    return found


def _check_unicode(found: Ruling) -> None:
    """
    @raise UnicodeEncodeError: a user's or a room's name has a lone surrogate.
    """
    encode([found.verdict, found.user, found.rooms])


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
