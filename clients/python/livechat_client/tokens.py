"""
The token by which the server knows a user of the site, or the key of a program.

A function of the caller gives one whenever there is none that lasts.

    none --asked for--> kept --ends soon, or was refused--> none
"""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import math
import re
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

#: A token or a key; or a function that gives a token, and another one when that is about to end.
Token: TypeAlias = str | Callable[[], str | Awaitable[str]]

#: Seconds for the function to give a token.
ANSWER = 15.0
#: No connection begins with a token that ends sooner.
SHORT: Final = 30.0
#: Between two times at which the function is called while there is a connection.
APART: Final = 20.0

#: As many characters as the server takes, and only those that a header may have.
_TOKEN: Final = re.compile(r"[\w.~-]{1,4096}", re.ASCII)


class NoToken(Exception):
    """The function gave none."""


class Tokens:
    """Keeps the present token, in memory and nowhere else."""

    def __init__(self, given: Token | None) -> None:
        self._give = None if given is None or isinstance(given, str) else given
        self._value = given if isinstance(given, str) else None
        #: When it ends, by the server's clock; and by how much that is ahead.
        self._ends = math.inf
        self._ahead = 0.0
        self._refused: str | None = None
        self._asked = -math.inf
        self._turn = asyncio.Lock()

    @property
    def renews(self) -> bool:
        """True if the caller has a function for it."""
        return self._give is not None

    @property
    def wait(self) -> float:
        """Seconds until the function may be called again before it must be."""
        return max(0.0, self._asked + APART - time.monotonic())

    def lasts(self, least: float) -> bool:
        """True if the token is good for *least* seconds."""
        return self._value is not None and self._ends - self._ahead - time.time() > least

    def know(self, expires: float | None, ahead: float) -> None:
        """
        Take the server's word for when it ends.

        @param expires: seconds since 1970.
        @param ahead: seconds by which the server's clock is ahead.
        """
        self._ahead = ahead
        if expires is not None:
            self._ends = expires

    async def headers(self) -> dict[str, str]:
        """Make the headers of a handshake. Raises `NoToken`."""
        if self.renews and not self.lasts(SHORT):
            await self.renew()
        return {} if self._value is None else {"Authorization": f"Bearer {self._value}"}

    async def renew(self) -> str:
        """Get another token. Raises `NoToken`, also if it is the one that was refused."""
        async with self._turn:
            self._asked = time.monotonic()
            given = await self._ask()
            if not isinstance(given, str) or not _TOKEN.fullmatch(given):
                raise NoToken("There is no token.")
            if given == self._refused:
                raise NoToken("There is no other token than one that is over.")
            self._value, self._ends = given, _end_of(given)
            return given

    async def _ask(self) -> object:
        assert self._give is not None
        try:
            async with asyncio.timeout(ANSWER):
                given = self._give()
                return await given if inspect.isawaitable(given) else given
        except TimeoutError:
            raise NoToken("No token came in time.") from None
        except Exception as error:
            # An error of the caller's function means no token; it is called again later.
            raise NoToken(str(error) or type(error).__name__) from error

    def refuse(self) -> None:
        """Drop the token, and remember not to bring it again: the server called it over."""
        self._refused, self._value = self._value or self._refused, None


def _end_of(token: str) -> float:
    """The end of a token. Where that cannot be read from it, the server says."""
    try:
        claims = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
        return float(found)
    except (IndexError, KeyError, TypeError, ValueError):
        return math.inf
