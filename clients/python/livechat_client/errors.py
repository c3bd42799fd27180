"""Errors, in one family."""

from __future__ import annotations


class ChatError(Exception):
    """
    Something was not done.

    @ivar code: a word for programs, which stays; docs/protocol.md lists the server's.
    @ivar detail: the same for people.
    @ivar retry: seconds after which the same may work.
    @ivar reason: a moderator's own words.
    @ivar case: under which a moderator decides.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        retry: float | None = None,
        reason: str | None = None,
        case: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.retry = retry
        self.reason = reason
        self.case = case

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class BadAddress(ChatError, ValueError):
    """The address is none of a server."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_address", detail)


class Refused(ChatError):
    """The server refused the act: it is not done."""


class Held(ChatError):
    """The message waits for a review, as `case`. It is no failure."""


class Unanswered(ChatError):
    """No answer came: it may be done, or not."""


class Unreachable(ChatError):
    """No connection came in time."""

    def __init__(self, detail: str) -> None:
        super().__init__("unreachable", detail)


class Closed(ChatError):
    """
    The chat is over, and does not come back.

    @ivar close_code: why; docs/protocol.md, "Close codes". None where no server said so.
    """

    def __init__(self, detail: str, close_code: int | None = None) -> None:
        super().__init__("closed", detail)
        self.close_code = close_code
