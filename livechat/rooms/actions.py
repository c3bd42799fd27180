"""
Actions: what clients do in a room.

A client's frame is the action.  Sockets, ``POST /chat/actions/{room}/`` and batches take the same
structs (`livechat.protocol.actions.Action`), and come through here.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.identity.known import checked_id
from livechat.identity.rights import EVERYWHERE
from livechat.interfaces import IReceiver
from livechat.protocol.actions import (
    Action,
    ChangeRoom,
    Clear,
    Complain,
    Forget,
    Pardon,
    Rename,
    Restrict,
    Retract,
    Review,
    Revoke,
    Reword,
    Say,
)
from livechat.protocol.audit import Action as Recorded
from livechat.protocol.messages import Amended, Message, Repeated, Retracted, User
from livechat.protocol.v1 import Ack
from livechat.rooms.answers import answer_of
from livechat.rooms.chat import Chat
from livechat.rooms.checks import check_seen
from livechat.rooms.removal_run import Removed


def act(chat: Chat, actor: Actor, room: str, action: Action) -> Deferred[Ack]:
    """
    Do *action*; fires once it is stored and delivered.

    @raise ChatError: at once, if *actor* may not.
    """
    match action:
        case Say():
            return answer_of(say, chat, actor, room, action).addCallback(said, action.nonce)
        case Reword():
            check_seen(action.message)
            return chat.edit(
                actor, room, action.ref, action.message, data=action.data, nonce=action.nonce
            ).addCallback(_amended, action.nonce)
        case Retract():
            return _retract(chat, actor, room, action)
        case Complain():
            chat.admit(actor)
            return chat.cases.report(actor, room, action)
        case Rename():
            chat.admit(actor)
            return succeed(chat.renaming.rename(actor, room, action))
        case _:
            return _moderate(chat, actor, room, action)


def say(chat: Chat, actor: Actor, room: str, action: Say, receiver: IReceiver) -> None:
    """
    Send the message of *action*, like `livechat.rooms.chat.Chat.say`.

    @raise ChatError: at once, if *actor* may not.
    """
    check_seen(action.message)
    chat.say(
        actor,
        room,
        action.message,
        receiver,
        nonce=action.nonce,
        reply_to=action.reply_to,
        data=action.data,
    )


def _moderate(
    chat: Chat,
    actor: Actor,
    room: str,
    action: Clear | Restrict | Pardon | ChangeRoom | Review | Revoke | Forget,
) -> Deferred[Ack]:
    chat.admit(actor)
    match action:
        case Restrict():
            return chat.moderation.restrict(actor, room, action)
        case Pardon():
            return chat.moderation.pardon(actor, room, action)
        case ChangeRoom():
            return chat.moderation.change(actor, room, action)
        case Review():
            return chat.cases.review(actor, room, action)
        case Clear():
            return chat.removal.clear(actor, room).addCallback(_removed, action.nonce)
        case Revoke() | Forget():
            return _end(chat, actor, action)


def _end(chat: Chat, actor: Actor, action: Revoke | Forget) -> Deferred[Ack]:
    """Do an action that concerns no room: revoke tokens, or forget a person."""
    if isinstance(action, Revoke):
        return revoke(chat, actor, action)
    return chat.forgetting.order(actor, action)


def revoke(chat: Chat, actor: Actor, action: Revoke) -> Deferred[Ack]:
    """
    Revoke tokens; fires once that is recorded and in force here.  Other processes follow within a
    second.

    @raise ChatError: at once, if *actor* may not.
    """
    if (action.user is None) == (action.token is None):
        raise ChatError(Kind.BAD_MESSAGE, "Give 'user' or 'token', and not both.")
    if action.user is not None:
        try:
            checked_id(action.user)
        except ValueError as reason:
            raise ChatError(Kind.BAD_MESSAGE, f"This cannot be an id: {reason}.") from None
    chat.require(actor, EVERYWHERE, "manage")
    chat.audit.check()
    return Deferred.fromCoroutine(_revoked(chat, actor, action))


async def _revoked(chat: Chat, actor: Actor, action: Revoke) -> Ack:
    user = None
    if action.user is not None:
        user = User(action.user, action.user, verified=True)
        await chat.leases.revoke_user(action.user)
    elif action.token is not None:
        await chat.leases.revoke_token(action.token)
    await chat.audit.record(actor, Recorded("revoke", user=user, token=action.token))
    return Ack(time=chat.now(), nonce=action.nonce)


def _retract(chat: Chat, actor: Actor, room: str, action: Retract) -> Deferred[Ack]:
    if [action.ref, action.refs, action.user].count(None) != 2:
        raise ChatError(Kind.BAD_MESSAGE, "Give one of 'ref', 'refs' and 'user'.")
    if action.user is None:
        if action.guest or action.seconds is not None:
            raise ChatError(Kind.BAD_MESSAGE, "'guest' and 'seconds' belong to 'user'.")
        refs = action.refs or (action.ref or 0,)
        retracted = chat.retract(actor, room, refs, nonce=action.nonce)
        return retracted.addCallback(_amended, action.nonce)
    chat.admit(actor)
    subject = User(action.user, action.user, verified=not action.guest).subject
    since = 0 if action.seconds is None else chat.now() - 1000 * action.seconds
    removed = chat.removal.by_subject(actor, room, subject, since)
    return removed.addCallback(_removed, action.nonce)


def _removed(removed: Removed, nonce: str | None) -> Ack:
    return Ack(seq=removed.seq, time=removed.time, nonce=nonce, count=removed.count)


def said(message: Message, nonce: str | None) -> Ack:
    """Acknowledge *message*."""
    duplicate = isinstance(message, Repeated)
    return Ack(seq=message.seq, time=message.time, nonce=nonce, duplicate=duplicate)


def _amended(amended: Amended, nonce: str | None) -> Ack:
    event = amended.event
    counted = isinstance(event, Retracted) and not amended.repeated
    count = len(amended.before) if counted else None
    return Ack(seq=event.seq, time=event.time, nonce=nonce, duplicate=amended.repeated, count=count)
