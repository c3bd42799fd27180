"""
Actions: what clients do, as frames of ``livechat.v1`` and as bodies of ``POST /chat/actions/``.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Raw, Struct, field

from livechat.protocol.messages import MOST_REFS
from livechat.protocol.values import Data, Nonce, Ref

#: Characters of a token's id.
LONGEST_TOKEN_ID: Final = 200


class Say(Struct, frozen=True, tag_field="type", tag="message"):
    """
    Say something.

    @ivar nonce: the same one from the same user in the same room is the same act.
    @ivar reply_to: the number of the entry that it answers.
    @ivar data: a JSON object, for the clients.
    """

    message: str
    nonce: Nonce | None = None
    reply_to: Ref | None = None
    data: Data = field(default_factory=Raw)


class Reword(Struct, frozen=True, tag_field="type", tag="edit"):
    """
    Give a message of one's own another text.

    @ivar ref: the number of the message.
    @ivar data: what takes the place of its data; left out, they are removed.
    @ivar nonce: as in `Say`.
    """

    ref: Ref
    message: str
    data: Data = field(default_factory=Raw)
    nonce: Nonce | None = None


class Retract(Struct, frozen=True, tag_field="type", tag="retract"):
    """
    Take messages back: *ref*, or all *refs*.

    @ivar nonce: as in `Say`.
    """

    ref: Ref | None = None
    refs: Annotated[tuple[Ref, ...], Meta(min_length=1, max_length=MOST_REFS)] | None = None
    nonce: Nonce | None = None


class Revoke(Struct, frozen=True, tag_field="type", tag="revoke"):
    """
    Refuse the tokens of a user of the site that were issued until now; or the one token with this
    id (its ``jti``).

    @ivar nonce: comes back with the ack.
    """

    user: str | None = None
    token: Annotated[str, Meta(min_length=1, max_length=LONGEST_TOKEN_ID)] | None = None
    nonce: Nonce | None = None


Action = Say | Reword | Retract | Revoke
