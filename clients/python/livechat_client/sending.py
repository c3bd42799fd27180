"""
Sends messages, edits and retractions: one at a time, in order, and each under the same nonce until
there is an answer.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from livechat_client.entries import Ack, Frame, User
from livechat_client.errors import ChatError, Held, Refused, Unanswered
from livechat_client.link import Link, Lost

#: Seconds for which the server remembers a nonce, less some.
NONCE: Final = 9 * 60
#: Messages, edits and retractions that may wait.
MOST_WAITING: Final = 100
#: Times that slow mode may put one of them off: others of the same user may always be faster.
MOST_SLOWED: Final = 10
#: Seconds, at most, beyond those that slow mode asks for.
SLACK: Final = 0.5

#: Errors that no waiting cures, though they say when they end.
_FINAL: Final = {"muted", "banned"}
_DICE: Final = random.SystemRandom()


class Room(Protocol):
    """The sender's view of the chat."""

    @property
    def user(self) -> User | None: ...

    @property
    def numbering(self) -> int:
        """The number of times that the room's numbers have begun anew."""

    async def linked(self) -> Link:
        """Wait for an open connection."""


@dataclass(slots=True)
class Item:
    """
    Something that is to be stored.

    @ivar numbering: in which the numbers are that it names; None where it names none.
    @ivar by: the user of the site that wants it.
    @ivar tried: when it was sent first, in seconds since 1970.
    @ivar slowed: how often slow mode has put it off.
    """

    frame: dict[str, Any]
    numbering: int | None
    by: User | None
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    tried: float | None = None
    slowed: int = 0


class Sender:
    """Sends in turn what is to be stored."""

    def __init__(self, room: Room) -> None:
        #: Bytes of a message.
        self.longest: float = float("inf")
        self._room = room
        self._waiting = 0
        self._turn = asyncio.Lock()
        self._hurried = asyncio.Event()

    async def send(self, frame: Frame) -> Ack:
        """Have *frame* stored, once. Raises what the server answers, or why it cannot."""
        # A copy: `data` may be changed later, and be no JSON.
        copied = json.loads(json.dumps(frame, allow_nan=False))
        self._check_length(copied)
        if self._waiting >= MOST_WAITING:
            raise Refused("outbox_full", "Too many messages are waiting to be sent.")
        user, names = self._room.user, copied["type"] != "message" or "reply_to" in copied
        by = user if user and user.verified else None
        item = Item(copied, self._room.numbering if names else None, by)
        self._waiting += 1
        try:
            async with self._turn:
                return await self._deliver(item)
        finally:
            self._waiting -= 1

    def hurry(self) -> None:
        """The room may be slow no longer."""
        self._hurried.set()

    def _check_length(self, frame: Frame) -> None:
        if len(frame.get("message", "").encode()) > self.longest:
            detail = f"The message is too long: at most {self.longest} bytes of UTF-8 are allowed."
            raise Refused("message_too_long", detail)

    async def _deliver(self, item: Item) -> Ack:
        while True:
            link = await self._room.linked()
            try:
                if item.numbering is not None:
                    await link.when_resumed()
                self._check(item)
                return await self._try(link, item)
            except Lost:
                await link.gone.wait()

    def _check(self, item: Item) -> None:
        """Raise why it cannot be sent now, or not any more."""
        user = self._room.user
        if item.by and not (user and user.verified and user.id == item.by.id):
            raise Refused("another_user", "Somebody else is signed in now.")
        if item.tried is not None and abs(time.time() - item.tried) > NONCE:
            detail = "It may have been sent, or not: the server cannot be asked any more."
            raise Unanswered("unknown", detail)
        self._check_length(item.frame)
        if item.numbering not in {None, self._room.numbering}:
            # The message that it is about is not there any more.
            if item.frame["type"] != "message":
                raise Refused("not_found", "There is no such message any more.")
            item.frame.pop("reply_to")
            item.numbering = None

    async def _try(self, link: Link, item: Item) -> Ack:
        """Send it until it is stored, or refused for good. Raises `Lost`."""
        while True:
            before, item.tried = item.tried, item.tried or time.time()
            # From now on other settings of the room may come.
            self._hurried.clear()
            try:
                return await link.ask(item.frame, item.nonce)
            except Held:
                raise
            except ChatError as error:
                if not isinstance(error, Unanswered):
                    # All other errors say that it was not stored.
                    item.tried = before
                await self._wait(item, error)
            self._check(item)

    async def _wait(self, item: Item, error: ChatError) -> None:
        """Wait as long as *error* says. Raises it where that would not help."""
        slow = error.code == "slow_mode"
        item.slowed += slow
        if error.retry is None or error.code in _FINAL or item.slowed > MOST_SLOWED:
            raise error
        if not slow:
            await asyncio.sleep(error.retry + _DICE.uniform(0, error.retry))
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(error.retry + _DICE.uniform(0, SLACK)):
                await self._hurried.wait()


def whole(text: str) -> str:
    """Make a text that can be sent: half a surrogate pair could not be, and is none."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)
