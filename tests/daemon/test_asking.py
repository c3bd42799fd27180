"""`livechat.daemon.asking`, on the real reactor, against sites that work and sites that fail."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from twisted.trial.unittest import TestCase

from livechat.daemon.asking import LARGEST, Asking, asked_site, body_of
from livechat.errors import ChatError, Kind
from livechat.identity import site as asking
from livechat.identity.site import Site
from livechat.net.posting import Answered
from livechat.protocol.asking import ACCEPT, Question, Ruling
from livechat.protocol.signing import verify
from livechat.system.time import Time
from tests.support.services import config
from tests.support.site import Answer, PlainSite, answers, hangs

SECRET = b"s" * 32


def endless(head: bytes, piece: bytes) -> Answer:
    """Answer with *piece* again and again until the client hangs up."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(piece)

    return answer


def closes(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


class AskTest(TestCase):
    """A core that asks over HTTP."""

    timeout = 20.0

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = tmp_path
        self.patched = monkeypatch

    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415

        self.there = PlainSite(answers())
        self.addCleanup(self.there.stop)
        given: Any = reactor
        found = config(self.directory, ask=self.there.url(), ask_about="send,join")
        site, service = asked_site(found, given, Time(given))
        assert site is not None
        assert service is not None
        self.site: Site = site
        self.service: Asking = service
        self.service.startService()
        self.addCleanup(self.service.stopService)

    async def ask(self, **headers: str) -> Ruling:
        return await self.site.ask("join", Question("join", "r"), "a", headers=headers)

    async def refused(self, answer: Answer) -> None:
        """An answer that is none."""
        self.there.answer = answer
        with pytest.raises(ChatError) as caught:
            await self.ask()
        assert caught.value.kind is Kind.UNAVAILABLE

    async def test_answers_of_a_site_are_read(self) -> None:
        """Nothing is yes, and JSON is what it says; the connection is used again."""
        assert await self.ask(cookie="a=b") == ACCEPT
        self.there.answer = answers(b'{"verdict":"reject","reason":"no"}', "200 OK")
        assert await self.ask() == Ruling("reject", reason="no")
        (head, body), (other, _) = self.there.requests
        assert json.loads(body) == {"type": "ask", "about": "join", "room": "r"}
        lines = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
        headers = {name.lower(): value for name, _, value in lines}
        assert (headers["cookie"], headers["content-type"]) == ("a=b", "application/json")
        secrets = (self.directory / "state" / "webhook-secret").read_text()
        assert secrets.startswith("whsec_")
        with pytest.raises(ValueError, match="the secret is another"):
            verify((SECRET,), headers, body, float(headers["webhook-timestamp"]))
        assert b"cookie" not in other.lower()

    async def test_answers_of_other_kinds_are_none(self) -> None:
        """HTML, redirects, other statuses, closed connections: none is an answer."""
        self.patched.setattr(asking, "MOST_FAILURES", 100)
        page = b"<!doctype html><title>Maintenance</title>"
        for answer in (
            answers(page, "200 OK", "Content-Type: text/html"),
            answers(b"", "200 OK"),
            answers(b"", "302 Found", f"Location: {self.there.url()}"),
            answers(b"", "307 Temporary Redirect", f"Location: {self.there.url()}"),
            answers(page, "500 Internal Server Error"),
            answers(b'{"verdict":"accept"}', "201 Created"),
            answers(b'{"verdict":"accept"}', "404 Not Found"),
        ):
            count = len(self.there.requests)
            await self.refused(answer)
            assert len(self.there.requests) == count + 1, "there is no second try"
        self.there.answer = answers()
        assert await self.ask() == ACCEPT

    async def test_a_closed_connection_is_no_answer(self) -> None:
        """
        A connection that is closed is no answer; where it had been kept open, and is closed just
        then, another one is made.
        """
        self.patched.setattr(asking, "MOST_FAILURES", 100)
        await self.refused(closes)
        self.there.answer = answers()
        assert await self.ask() == ACCEPT

        def closes_once(connection: socket.socket) -> None:
            self.there.answer = answers()
            closes(connection)

        self.there.answer = closes_once
        assert await self.ask() == ACCEPT

    async def test_an_answer_is_refused_beyond_its_bound(self) -> None:
        """An answer of a hundred megabytes is refused soon after its bound is read."""
        self.patched.setattr(asking, "MOST_FAILURES", 100)
        self.patched.setattr(asking, "WITHIN", 10)
        for head, piece in (
            (b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n", b"x" * 65_536),
            (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65_536),
            (b"HTTP/1.1 200 OK\r\n", b"X-More: %b\r\n" % (b"x" * 4_096)),
        ):
            await self.refused(endless(head, piece))

    async def test_a_hanging_site_is_given_up(self) -> None:
        """A site that hangs is given up in time, and soon not asked any more."""
        self.patched.setattr(asking, "WITHIN", 0.05)
        for _ in range(asking.MOST_FAILURES):
            await self.refused(hangs)
        count = len(self.there.requests)
        await self.refused(hangs)
        assert len(self.there.requests) == count
        assert "within 0.05 seconds" in (self.site.trouble() or "")

    async def test_an_answer_before_the_end_counts(self) -> None:
        """An answer that comes before the end counts."""
        asked = self.site.ask("send", Question("send", "r", message="hi"), "a")
        await self.service.stopService()
        assert asked.called
        assert await asked == ACCEPT


def test_nothing_is_asked(tmp_path: Path) -> None:
    """Without --ask there is no client, and no secret is made."""
    nothing: Any = None
    assert asked_site(config(tmp_path), nothing, nothing) == (None, None)
    assert not (tmp_path / "state" / "webhook-secret").exists()


def test_a_body_that_was_cut_is_an_error() -> None:
    """A body is read if it is whole; one that was cut is an error."""
    assert body_of(Answered(204)) is None
    assert body_of(Answered(200, b"x")) == b"x"
    with pytest.raises(OSError, match=str(LARGEST)):
        body_of(Answered(200, b"x", whole=False))
