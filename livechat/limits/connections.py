"""Bounds on the number of open connections."""

from __future__ import annotations

from typing import Final

from twisted.internet.defer import Deferred, succeed

from livechat.errors import ChatError, Kind

#: Connections over a limit that are held at once, to be told so.
_EXCESS: Final = 64


class Connections:
    """
    Counts the port's connections, in all and by address.

    A connection over a limit is still let in, so that it can be told so, but
    only `_EXCESS` of them at a time: after that they are closed unheard.
    """

    def __init__(self, most: int, most_per_address: int) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._open = 0
        self._excess = 0
        self._by_address: dict[str, int] = {}
        self._waiting: Deferred[None] | None = None

    def __len__(self) -> int:
        return self._open + self._excess

    def emptied(self) -> Deferred[None]:
        """Return a Deferred that fires when no connection is left."""
        if len(self):
            self._waiting = Deferred()
            return self._waiting
        return succeed(None)

    def enter(self, key: str | None) -> Admission | None:
        """
        Count a new connection.  Return None to close it at once.

        @param key: its address key; None while that is unknown.
        """
        refusal = self._too_many(key)
        if refusal is None and self._most and self._open >= self._most:
            refusal = ChatError(
                Kind.OVERLOADED, "The server has as many connections as it may have."
            )
        if refusal is not None:
            if self._excess >= _EXCESS:
                return None
            self._excess += 1
            return Admission(self, key, refusal)
        self._open += 1
        self.count(key, 1)
        return Admission(self, key, None)

    def _too_many(self, key: str | None) -> ChatError | None:
        here = 0 if key is None else self._by_address.get(key, 0)
        if not self._most_per_address or here < self._most_per_address:
            return None
        return ChatError(
            Kind.TOO_MANY_CONNECTIONS,
            f"Connections open from your address: {here}; no more are allowed.",
        )

    def count(self, key: str | None, change: int) -> None:
        """Change the number of connections of an address."""
        if key is not None:
            now = self._by_address.get(key, 0) + change
            if now:
                self._by_address[key] = now
            else:
                del self._by_address[key]

    def move(self, before: str | None, key: str) -> ChatError | None:
        """Count a connection under another key.  Return the error if that one has too many."""
        refusal = self._too_many(key) if key != before else None
        if refusal is None:
            self.count(before, -1)
            self.count(key, 1)
        return refusal

    def refuse(self, key: str | None) -> None:
        """Count an admitted connection as one over the limit."""
        self._open -= 1
        self.count(key, -1)
        self._excess += 1

    def leave(self, key: str | None, refused: bool) -> None:
        """Uncount a connection; for `Admission.leave`."""
        if refused:
            self._excess -= 1
        else:
            self._open -= 1
            self.count(key, -1)
        if self._waiting is not None and not len(self):
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)


class Admission:
    """
    The place of one connection in the count.

    @ivar refusal: the error to send before the connection is closed; None if it may stay.
    """

    __slots__ = ("_connections", "_key", "refusal")

    def __init__(
        self, connections: Connections, key: str | None, refusal: ChatError | None
    ) -> None:
        self._connections: Connections | None = connections
        self._key = key
        self.refusal = refusal

    def belongs_to(self, key: str) -> None:
        """
        Count the connection under *key* from now on.

        @raise ChatError: that address has too many; the key stays.
        """
        if self._connections is not None and self.refusal is None:
            refusal = self._connections.move(self._key, key)
            if refusal is not None:
                raise refusal
            self._key = key

    def refuse(self, refusal: ChatError) -> None:
        """Count the connection as one over the limit, for this reason."""
        if self._connections is not None and self.refusal is None:
            self._connections.refuse(self._key)
            self.refusal = refusal

    def leave(self) -> None:
        """Uncount the connection.  No-op if done before."""
        if self._connections is not None:
            self._connections.leave(self._key, self.refusal is not None)
            self._connections = None
