"""
The one error family.

Whatever a client can be told went wrong is a `ChatError`: a `Kind`, which is
what programs look at, and a detail, which is what people read.  It is raised
where the rule is broken and rendered in few places only: as a frame by
`livechat.protocol.plain.error_frame` and `livechat.protocol.v1.error_of`, as an HTTP answer by
`livechat.web.refusals`, in a page of its own by `livechat.web.html.Templates.page`.

If a client could not act on it, it is not a `ChatError`: a bug stays the
exception that it is, is logged with its traceback, and reaches the client as
`Kind.INTERNAL` without a word of what happened.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final


class Close(IntEnum):
    """
    WebSocket close codes that livechat sends of its own accord.

    Those below 3000 are RFC 6455's (section 7.4.1) and IANA's.  From 4000 on
    the range says whether to come back:

        4000 to 4099   reconnect, with backoff
        4100 to 4199   get new credentials first
        4200 to 4299   reconnect after a while
        4400 to 4499   do not

    1002 and 1007 are Autobahn's to send.
    """

    FLOOD = 1008
    TOO_BIG = 1009
    RESTART = 1012
    OVERLOADED = 1013
    NO_PONG = 4001
    INTERNAL = 4002
    TOO_SLOW = 4008
    TOKEN_EXPIRED = 4100
    TOKEN_REVOKED = 4101
    RATE = 4200
    TOO_MANY_CONNECTIONS = 4201
    BAD_REQUEST = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    ROOM_CLOSED = 4404


class Kind(Enum):
    """
    A kind of error: a stable code, its HTTP status, and whether the same
    request may succeed when it is sent again later.
    """

    code: str
    status: int
    retry: bool

    def __new__(cls, code: str, status: int, retry: bool = False) -> Kind:
        kind = object.__new__(cls)
        kind._value_ = code
        kind.code, kind.status, kind.retry = code, status, retry
        return kind

    HELD = ("held", 202)
    BAD_REQUEST = ("bad_request", 400)
    BAD_HOST = ("bad_host", 400)
    BAD_JSON = ("bad_json", 400)
    BAD_FORM = ("bad_form", 400)
    BAD_MESSAGE = ("bad_message", 400)
    EMPTY_MESSAGE = ("empty_message", 400)
    MESSAGE_TOO_LONG = ("message_too_long", 400)
    NOT_TEXT = ("not_text", 400)
    BAD_ROOM = ("bad_room", 400)
    BAD_QUERY = ("bad_query", 400)
    BAD_HANDSHAKE = ("bad_handshake", 400)
    UNKNOWN_TYPE = ("unknown_type", 400)
    UNAUTHORIZED = ("unauthorized", 401)
    TOKEN_EXPIRED = ("token_expired", 401)
    TOKEN_REVOKED = ("token_revoked", 401)
    BAD_ORIGIN = ("bad_origin", 403)
    BAD_TOKEN = ("bad_token", 403)
    WRONG_PASSWORD = ("wrong_password", 403)
    FORBIDDEN = ("forbidden", 403)
    NOT_SIGNED_IN = ("not_signed_in", 403)
    BANNED = ("banned", 403)
    MUTED = ("muted", 403)
    NOT_FOUND = ("not_found", 404)
    ROOM_CLOSED = ("room_closed", 404)
    METHOD_NOT_ALLOWED = ("method_not_allowed", 405)
    TOO_SLOW = ("too_slow", 408)
    NONCE_REUSED = ("nonce_reused", 409)
    TOO_LATE = ("too_late", 409)
    TOO_MANY_EDITS = ("too_many_edits", 409)
    TOO_MANY_KEYS = ("too_many_keys", 409)
    BODY_TOO_LARGE = ("body_too_large", 413)
    UNSUPPORTED_MEDIA_TYPE = ("unsupported_media_type", 415)
    MISDIRECTED = ("misdirected", 421)
    REJECTED = ("rejected", 422)
    UPGRADE_REQUIRED = ("upgrade_required", 426)
    RATE_LIMITED = ("rate_limited", 429, True)
    SLOW_MODE = ("slow_mode", 429, True)
    TOO_MANY_CONNECTIONS = ("too_many_connections", 429, True)
    INTERNAL = ("internal", 500)
    OVERLOADED = ("overloaded", 503, True)
    UNAVAILABLE = ("unavailable", 503, True)
    UNKNOWN = ("unknown", 503, True)


def close_code(kind: Kind) -> Close:
    """The close code for a client that an HTTP status would not reach."""
    own = {
        Kind.TOO_MANY_CONNECTIONS: Close.TOO_MANY_CONNECTIONS,
        Kind.TOKEN_EXPIRED: Close.TOKEN_EXPIRED,
        Kind.TOKEN_REVOKED: Close.TOKEN_REVOKED,
        Kind.ROOM_CLOSED: Close.ROOM_CLOSED,
    }.get(kind)
    return own or {
        401: Close.UNAUTHORIZED,
        403: Close.FORBIDDEN,
        429: Close.RATE,
        500: Close.INTERNAL,
        503: Close.OVERLOADED,
    }.get(kind.status, Close.BAD_REQUEST)


#: The way to be known, for a client that is not (RFC 6750, section 3).
_CHALLENGE: Final = ("WWW-Authenticate", "Bearer")
#: Seconds that a client is told to wait when nothing better is known.
RETRY_AFTER: Final = 1.0


class ChatError(Exception):
    """
    An error that a client caused or met, and is told about.

    @ivar kind: what went wrong, for programs.
    @ivar detail: what went wrong, for people: one sentence, no secrets.
    @ivar retry_after: seconds after which it may work; None where it won't.
    @ivar headers: HTTP headers that belong to this refusal, such as ``Allow``.
    @ivar reason: a moderator's own words, which *detail* has too; "" where there are none.
    @ivar case: the id of the case under which a message waits for a review.
    """

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        retry_after: float | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        reason: str = "",
        case: str | None = None,
    ) -> None:
        super().__init__(kind.code, detail)
        self.kind = kind
        # Half a surrogate pair, in other people's words, could be told to no client.
        self.detail = detail.encode(errors="replace").decode()
        self.retry_after = RETRY_AFTER if retry_after is None and kind.retry else retry_after
        # RFC 9110, section 11.6.1.
        self.headers = (*headers, _CHALLENGE) if kind.status == 401 else headers
        self.reason = reason
        self.case = case


def internal() -> ChatError:
    """Make the error that a client gets for a bug."""
    return ChatError(Kind.INTERNAL, "Something went wrong on the server.")


class StartError(Exception):
    """
    The daemon cannot start, or take a setting while it runs; the text is the one
    line that the operator reads.
    """
