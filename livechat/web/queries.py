"""Queries, forms and headers of requests, as typed values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Raw

from livechat.errors import ChatError, Kind
from livechat.http.call import FORM, Call
from livechat.identity.door import Claim
from livechat.identity.guests import checked_key, checked_name
from livechat.identity.keys import PREFIX
from livechat.protocol.bodies import SendRequest, decode_named, decode_send_request
from livechat.protocol.credentials import Identity
from livechat.protocol.names import room_name
from livechat.protocol.values import LONGEST_NONCE
from livechat.protocol.wire import NO_DATA
from livechat.rooms.history import Window

#: Least characters of an ``Idempotency-Key`` of guests, who share one set of keys.
SHORTEST_SHARED: Final = 16
#: Rooms and members of a page, by default and at most.
USUAL_PAGE: Final = 100
LONGEST_PAGE: Final = 1_000
#: Messages that are read together with a room's state, at most.
MOST_LAST: Final = 20
#: Bound on a batch of actions by a key, in bytes, unless the bound on any body is larger.
LARGEST_BATCH: Final = 1 << 20
#: Below 2^53, so that JavaScript can hold it.
_NUMBER: Final = re.compile(r"[0-9]{1,15}", re.ASCII)


def number(asked: Mapping[str, str], name: str) -> int | None:
    """
    A field that is a whole number; None if it is missing.

    @raise ChatError: it is something else.
    """
    text = asked.get(name)
    if text is None:
        return None
    if _NUMBER.fullmatch(text) is None:
        raise ChatError(Kind.BAD_QUERY, f"'{name}' must be a whole number, 0 or more.")
    return int(text)


def window(asked: Mapping[str, str], usual: int) -> Window:
    """
    The part of a history that a query's fields ask for.

    @param usual: how many messages, unless ``limit`` says.
    @raise ChatError: there is no such part.
    """
    limit = number(asked, "limit")
    before, after = number(asked, "before"), number(asked, "after")
    if before is not None and after is not None:
        raise ChatError(Kind.BAD_QUERY, "Give 'before' or 'after', not both.")
    return Window(usual if limit is None else limit, before, after)


def page_limit(asked: Mapping[str, str]) -> int:
    """
    The number of entries that a query asks for.

    @raise ChatError: it is no number.
    """
    limit = number(asked, "limit")
    return USUAL_PAGE if limit is None else max(1, min(limit, LONGEST_PAGE))


def room_of(call: Call, default: str, in_body: str | None = None) -> str:
    """
    The room that a request names, in its path, query or body, or the default.

    @raise ChatError: it names several rooms, or none that can exist.
    """
    given = {call.names.get("room"), call.query.get("room"), in_body} - {None}
    if len(given) > 1:
        raise ChatError(Kind.BAD_ROOM, "The request names different rooms.")
    return room_name(given.pop() or "") if given else default


def claim(
    call: Call, asked: Mapping[str, str], credential: str | None, named: Raw = NO_DATA
) -> Claim:
    """
    The name and the key by which a guest wants to be known, its token, and what an authenticator
    looks at.

    @param asked: the query's fields, as far as they count.
    @param credential: its token (`livechat.web.credentials`).
    @param named: the user that a key acts for, from the body.
    @raise ChatError: one of them is not allowed.
    """
    name, key = asked.get("name"), asked.get("client")
    return Claim(
        None if name is None else checked_name(name),
        None if key is None else checked_key(key),
        call.headers,
        call.proxied,
        credential,
        here=credential is not None and call.is_direct,
        user=None if credential is None else _user(credential, asked, named),
    )


def _user(credential: str, asked: Mapping[str, str], named: Raw) -> Identity | None:
    """Read the user that a key acts for: from the body, or from the query of a join."""
    if not credential.startswith(PREFIX):
        return None
    if named is NO_DATA and "user" in asked:
        return Identity(asked["user"], asked.get("name"))
    return decode_named(named)


def send_request(call: Call) -> SendRequest:
    """
    The message in a body, which is JSON or a form.

    @raise ChatError: it is neither, or has no message.
    """
    if call.media_type == "application/json":
        return decode_send_request(call.body)
    if call.media_type != FORM:
        raise ChatError(
            Kind.UNSUPPORTED_MEDIA_TYPE,
            f"Send application/json or {FORM}, in UTF-8.",
            headers=(("Accept", f"application/json, {FORM}"),),
        )
    given = call.form
    if "message" not in given:
        hint = ""
        if call.body.lstrip().startswith(b"{"):
            hint = " This looks like JSON: say so with 'Content-Type: application/json'."
        raise ChatError(Kind.BAD_MESSAGE, f"The form has no field called message.{hint}")
    return SendRequest(given["message"], given.get("room"))


def json_body(call: Call) -> bytes:
    """
    A body that says that it is JSON.

    @raise ChatError: it says that it is something else.
    """
    if call.media_type != "application/json":
        raise ChatError(
            Kind.UNSUPPORTED_MEDIA_TYPE,
            "Send application/json, in UTF-8.",
            headers=(("Accept", "application/json"),),
        )
    return call.body


def idempotency_key(call: Call, shortest: int, in_body: str | None = None) -> str | None:
    """
    The nonce of an act by HTTP.

    @param shortest: characters that it must have.
    @param in_body: the nonce that the body has.
    @raise ChatError: it is none, or the body has another one.
    """
    given = call.header("Idempotency-Key")
    if given is None and in_body is None:
        return None
    # The header's draft has a string in quotes; most clients send it bare.
    nonce = in_body or ""
    if given is not None:
        nonce = given.strip().removeprefix('"').removesuffix('"')
    if in_body is not None and in_body != nonce:
        raise ChatError(Kind.BAD_REQUEST, "Idempotency-Key and 'nonce' are not the same.")
    return checked_nonce(nonce, shortest)


def checked_nonce(nonce: str, shortest: int) -> str:
    """
    *nonce*, if it can be that of something that is sent by HTTP.

    @raise ChatError: it cannot.
    """
    if not (shortest <= len(nonce) <= LONGEST_NONCE and nonce.isascii() and nonce.isprintable()):
        raise ChatError(
            Kind.BAD_REQUEST,
            f"Idempotency-Key has {shortest} to {LONGEST_NONCE} printable characters of ASCII.",
        )
    return nonce
