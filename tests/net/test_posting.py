"""`livechat.net.posting`, on the real reactor, against receivers that are not always friendly."""

from __future__ import annotations

from pathlib import Path
from socket import socket
from typing import Any, cast

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase
from twisted.web.client import BrowserLikePolicyForHTTPS

from livechat.net.posting import KEPT, LARGEST, Answered, Poster
from tests.support.site import Answer, HttpsSite, answers

BODY = b'{"type":"events"}'


def says(data: bytes) -> Answer:
    return lambda connection: connection.sendall(data)


def endless(head: bytes, piece: bytes) -> Answer:
    """Answers until the other side has enough."""

    def answer(connection: socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(piece)

    return answer


class PostTest(TestCase):
    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415

        self.site = HttpsSite(self.directory, answers(b""))
        self.addCleanup(self.site.stop)
        authority = Certificate.loadPEM(self.site.authority.read_bytes())
        policy = BrowserLikePolicyForHTTPS(trustRootFromCertificates([authority]))
        self.trusting, self.usual = Poster(reactor, policy), Poster(reactor)
        self.addCleanup(self.trusting.close)
        self.addCleanup(self.usual.close)

    async def post(self, answer: Answer, within: float = 5.0) -> Answered:
        self.site.answer = answer
        found: Answered = await self.trusting.post(
            self.site.url("/hook?a=b"), BODY, {"webhook-id": "msg_1"}, within
        )
        return found

    async def failed(self, answer: Answer, within: float = 5.0) -> str:
        """Why there is no answer."""
        with pytest.raises(OSError) as caught:  # noqa: PT011 - the caller looks at it
            await self.post(answer, within)
        return str(caught.value)

    async def test_a_post_is_sent_and_its_answer_read(self) -> None:
        """The body comes as it is, with its headers; the answer is read."""
        found = await self.post(answers(b"thanks", "202 Yes", "Retry-After: 7"))
        assert (found.status, found.body, found.whole, found.good) == (202, b"thanks", True, True)
        assert found.retry_after == "7"
        [(head, body)] = self.site.requests
        assert head.startswith(b"POST /hook?a=b HTTP/1.1\r\n")
        assert b"\r\nwebhook-id: msg_1\r\n" in head.lower()
        assert b"\r\nContent-Type: application/json\r\n" in head
        assert body == BODY

    async def test_a_post_is_not_logged(self) -> None:
        """A post is no line in the log."""
        logged: list[LogEvent] = []
        remember = cast("ILogObserver", logged.append)
        globalLogPublisher.addObserver(remember)
        self.addCleanup(globalLogPublisher.removeObserver, remember)
        await self.post(answers(b""))
        await self.trusting.close()
        assert [formatEvent(each) for each in logged] == []

    async def test_an_untrusted_server_is_sent_nothing(self) -> None:
        """Nothing is sent to a server that only says that it is the right one."""
        for poster, host in ((self.usual, "localhost"), (self.trusting, "127.0.0.2")):
            with pytest.raises(OSError):  # noqa: PT011 - OpenSSL's words
                await poster.post(self.site.url(host=host), BODY, {}, 5.0)
        assert self.site.requests == []

    async def test_redirects_are_not_followed(self) -> None:
        """No redirect is followed, to a link-local address least of all."""
        for to in ("http://169.254.169.254/latest/meta-data/", self.site.url("/else")):
            found = await self.post(answers(b"", "307 Elsewhere", f"Location: {to}"))
            assert (found.status, found.good) == (307, False)
        assert len(self.site.requests) == 2

    async def test_a_huge_body_is_read_at_its_beginning(self) -> None:
        """A huge body is read only at its beginning; its status counts."""
        piece = b"x" * 65_536
        for head in (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
        ):
            found = await self.post(endless(head, piece))
            assert (found.status, len(found.body), found.whole) == (200, KEPT, False)
        chunked = endless(
            b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"1000\r\n%b\r\n" % (b"x" * 4_096),
        )
        assert (await self.post(chunked)).status == 500

    async def test_endless_heads_are_cut_off(self) -> None:
        """A head without end is cut off, and so are answers that are not the last ones (1xx)."""
        for answer in (
            endless(b"HTTP/1.1 200 OK\r\n", b"X-More: %b\r\n" % (b"x" * 4_096)),
            endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 100),
        ):
            assert await self.failed(answer) == f"the answer has more than {LARGEST} bytes"

    async def test_an_early_answer_is_not_the_answer(self) -> None:
        """A 1xx answer is not the answer."""
        found = await self.post(
            says(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 No\r\n\r\n")
        )
        assert found.status == 204

    async def test_a_hanging_server_is_given_up(self) -> None:
        """A server that does not answer, or not to the end, is given up in time."""
        for begun in (
            b"",
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
        ):

            def hang(connection: socket, begun: bytes = begun) -> None:
                connection.sendall(begun)
                # The server is told by the end of the connection that it was given up.
                assert connection.recv(1) == b""

            assert await self.failed(hang, 0.3) == "there is no answer within 0.3 seconds"

    async def test_answers_too_late(self) -> None:
        """An answer after the time-out is none."""

        def late(connection: socket) -> None:
            assert connection.recv(1) == b""
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

        assert "within" in await self.failed(late, 0.3)

    async def test_a_broken_answer_is_a_readable_error(self) -> None:
        """An invalid response is a readable error; a truncated body is kept with its status."""
        closed = "the connection was closed without an answer"
        assert await self.failed(says(b"")) == closed
        assert await self.failed(says(b"HTTP/1.1 200 OK\r\nContent-")) == closed
        assert await self.failed(says(b"hello\r\n\r\n"))
        assert await self.failed(says(b"HTTP/1.1 abc OK\r\n\r\n"))
        broken = says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
        assert (await self.post(broken)).body == b"{"

    async def test_bodies_where_none_should_be(self) -> None:
        """A 204 with a body is a 204; what follows is no answer to the next one."""
        forged = b"HTTP/1.1 204 No\r\n\r\nHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
        for _ in range(3):
            assert (await self.post(says(forged))).status == 204

    async def test_a_cancelled_post_cuts_its_connection(self) -> None:
        """Giving up cuts the connection."""
        given_up: Any = None

        def hang(connection: socket) -> None:
            from twisted.internet import reactor  # noqa: PLC0415

            called: Any = reactor
            called.callFromThread(given_up.cancel)
            assert connection.recv(1) == b""

        self.site.answer = hang
        given_up = self.trusting.post(self.site.url(), BODY, {}, 5.0)
        with pytest.raises(CancelledError):
            await given_up

    async def test_posts_share_a_connection(self) -> None:
        """Two posts in a row go by one connection; one that was closed meanwhile by another."""

        def two(connection: socket) -> None:
            for _ in range(2):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                connection.recv(65_536)

        assert (await self.post(two)).status == 200
        assert (await self.post(two)).status == 200
        assert len(self.site.requests) == 1

    async def test_hanging_on_a_kept_connection(self) -> None:
        """A post that was given up is not sent again by another connection."""

        def once(connection: socket) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            while connection.recv(65_536):
                pass

        assert (await self.post(once)).status == 200
        assert "within" in await self.failed(once, 0.3)
        assert len(self.site.requests) == 1

    async def test_an_unreachable_server_is_told(self) -> None:
        """A closed port and a name without an address are said so."""
        for url in ("https://localhost:1/", "https://nobody.invalid/", "http://[::1]:1/"):
            with pytest.raises(OSError):  # noqa: PT011 - the system's words
                await self.usual.post(url, BODY, {}, 5.0)
