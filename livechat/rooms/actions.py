"""
Actions: what clients do in a room.

A client's frame is the action.  Sockets and ``POST /chat/actions/{room}/`` take the same structs
(`livechat.protocol.v1.Action`), and come through here.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.protocol.messages import Amended, Message, Repeated, Retracted
from livechat.protocol.v1 import Ack, Action, Retract, Reword, Say
from livechat.rooms.chat import Chat
from livechat.rooms.checks import check_seen


def act(chat: Chat, actor: Actor, room: str, action: Action) -> Deferred[Ack]:
    """
    Do what *action* says; fires once that is stored and delivered.

    @raise ChatError: at once, if *actor* may not.
    """
    match action:
        case Say():
            check_seen(action.message)
            return chat.send(
                actor,
                room,
                action.message,
                nonce=action.nonce,
                reply_to=action.reply_to,
                data=action.data,
            ).addCallback(_said, action.nonce)
        case Reword():
            check_seen(action.message)
            return chat.edit(
                actor, room, action.ref, action.message, data=action.data, nonce=action.nonce
            ).addCallback(_amended, action.nonce)
        case Retract():
            refs = _refs(action)
            return chat.retract(actor, room, refs, nonce=action.nonce).addCallback(
                _amended, action.nonce
            )


def _refs(action: Retract) -> tuple[int, ...]:
    if (action.ref is None) == (action.refs is None):
        raise ChatError(Kind.BAD_MESSAGE, "Give 'ref' or 'refs', and not both.")
    return action.refs or (action.ref or 0,)


def _said(message: Message, nonce: str | None) -> Ack:
    return Ack(message.seq, message.time, nonce, isinstance(message, Repeated))


def _amended(amended: Amended, nonce: str | None) -> Ack:
    event = amended.event
    counted = isinstance(event, Retracted) and not amended.repeated
    count = len(amended.before) if counted else None
    return Ack(event.seq, event.time, nonce, amended.repeated, count)
