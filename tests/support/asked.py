"""A site that reviews messages, with answers that tests choose."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from twisted.internet.defer import Deferred

from livechat.identity.site import Site
from livechat.protocol.asking import ABOUT, About, Failing
from livechat.protocol.signing import verify
from livechat.system.time import Time

SECRET = b"s" * 32


class Asked(Struct):
    """A question to the site, which the test answers."""

    question: dict[str, Any]
    headers: Mapping[str, str]
    answer: Deferred[bytes | None]

    def says(self, verdict: str | None = None, **more: Any) -> None:
        """Answer with a verdict; None is a 204 without a body."""
        body = None if verdict is None else json.dumps({"verdict": verdict, **more}).encode()
        self.answer.callback(body)

    def fails(self, reason: str = "it is away") -> None:
        self.answer.errback(OSError(reason))


class AskedSite:
    """
    A site in place of one that is reached by HTTP; it verifies each question's signature.

    @ivar asked: the questions so far.
    @ivar usual: the answer that is given at once; with None, a test answers each of `asked`.
    """

    def __init__(
        self,
        *about: About,
        failing: Failing = "refuse",
        usual: dict[str, Any] | bytes | OSError | None = None,
    ) -> None:
        self.asked: list[Asked] = []
        self.usual = usual
        self._about = about or ABOUT
        self._failing = failing
        self._time: Time | None = None

    def site(self, time: Time) -> Site:
        """The site as the core has it."""
        self._time = time
        return Site(self._post, time, about=self._about, failing=self._failing, secrets=(SECRET,))

    def _post(
        self, body: bytes, headers: Mapping[str, str], within: float
    ) -> Deferred[bytes | None]:
        assert self._time is not None
        verify((SECRET,), headers, body, self._time.wall())
        answer: Deferred[bytes | None] = Deferred()
        self.asked.append(Asked(json.loads(body), headers, answer))
        if isinstance(self.usual, OSError):
            answer.errback(self.usual)
        elif self.usual is not None:
            given = self.usual
            answer.callback(given if isinstance(given, bytes) else json.dumps(given).encode())
        late = OSError(f"there is no answer within {within:g} seconds")
        return answer.addTimeout(within, self._time, lambda *_: _late(late))

    @property
    def texts(self) -> list[str]:
        """Texts of the messages in question, in order."""
        return [each.question["message"] for each in self.asked]


def _late(error: OSError) -> bytes | None:
    raise error
