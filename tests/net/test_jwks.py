"""`livechat.net.jwks`, on the real reactor and real TLS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from socket import socket
from typing import Any

import pytest
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.trial.unittest import TestCase
from twisted.web.client import BrowserLikePolicyForHTTPS

from livechat.net import jwks
from livechat.net.jwks import LARGEST, KeySetFetcher
from tests.support.site import Answer, HttpsSite, answers

BODY = b'{"keys":[]}'


class FetchTest(TestCase):
    """A client of a server that is not always friendly."""

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = tmp_path
        self.patched = monkeypatch

    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415

        self.site = HttpsSite(self.directory, answers(BODY))
        self.addCleanup(self.site.stop)
        authority = Certificate.loadPEM(self.site.authority.read_bytes())
        policy = BrowserLikePolicyForHTTPS(trustRootFromCertificates([authority]))
        self.trusting, self.usual = KeySetFetcher(reactor, policy), KeySetFetcher(reactor)

    async def failed(self, answer: Answer) -> str:
        """Why nothing could be fetched."""
        self.site.answer = answer
        with pytest.raises(OSError) as caught:  # noqa: PT011 - the caller looks at it
            await self.trusting.fetch(self.site.url())
        return str(caught.value)

    async def test_a_set_is_fetched_as_it_is(self) -> None:
        """The set comes as it is; the address and no more is told to the server."""
        assert await self.trusting.fetch(self.site.url("/a?b=c")) == BODY
        [(head, _)] = self.site.requests
        assert head.startswith(b"GET /a?b=c HTTP/1.1\r\n")
        assert b"cookie" not in head.lower()

    async def test_the_end_of_a_connection_ends_the_body(self) -> None:
        """The end of the connection ends the body as well."""
        self.site.answer = lambda connection: connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + BODY)
        assert await self.trusting.fetch(self.site.url()) == BODY

    async def test_a_certificate_that_nobody_trusts(self) -> None:
        """No key comes from a server that only says that it is the right one."""
        with pytest.raises(OSError, match=r"^TLS: .*certificate"):
            await self.usual.fetch(self.site.url())
        assert self.site.requests == []

    async def test_a_certificate_of_another_name_is_refused(self) -> None:
        """The certificate has to be the address's."""
        with pytest.raises(OSError):  # noqa: PT011 - OpenSSL's words
            await self.trusting.fetch(self.site.url(host="127.0.0.2"))
        assert self.site.requests == []

    async def test_redirects_are_not_followed(self) -> None:
        """No redirect is followed, not even to another path of the same server."""
        reason = await self.failed(answers(b"", "302 Found", f"Location: {self.site.url('/x')}"))
        assert reason == "the answer is 302, not 200"
        assert len(self.site.requests) == 1

    async def test_a_missing_page_is_no_set(self) -> None:
        """A missing page is no set, and a body that has no end does not matter."""
        assert "404" in await self.failed(answers(b"x" * 100, "404 Not Found"))
        assert "500" in await self.failed(endless(b"HTTP/1.1 500 No\r\n\r\n", b"x" * 65_536))

    async def test_a_gigabyte_is_cut_off(self) -> None:
        """A gigabyte is cut off, whether it is announced, chunked, or in the headers."""
        for head, piece in (
            (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", b"x" * 65_536),
            (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65_536),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"1000\r\n%b\r\n" % (b"x" * 4_096),
            ),
            (b"HTTP/1.1 200 OK\r\n", b"X-More: %b\r\n" % (b"x" * 4_096)),
        ):
            reason = await self.failed(endless(head, piece))
            assert reason == f"the answer has more than {LARGEST} bytes", reason

    async def test_a_hanging_server_is_given_up(self) -> None:
        """A server that does not answer, or not to the end, is given up in time."""
        self.patched.setattr(jwks, "WITHIN", 0.3)
        for begun in (
            b"",
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
        ):

            def hang(connection: socket, begun: bytes = begun) -> None:
                connection.sendall(begun)
                # The server is told by the end of the connection that it was given up.
                assert connection.recv(1) == b""

            assert await self.failed(hang) == "there is no answer within 0.3 seconds"

    async def test_bytes_that_are_no_http_are_an_error(self) -> None:
        """Bytes in place of HTTP are an error in words."""
        for data in (b"", b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"):

            def answer(connection: socket, data: bytes = data) -> None:
                connection.sendall(data)

            assert await self.failed(answer)

    async def test_a_closed_port_is_an_error(self) -> None:
        """A port at which nobody listens is an error in words."""
        with pytest.raises(OSError, match="refused"):
            await self.trusting.fetch("https://localhost:1/")

    async def test_a_server_that_stops_waits_for_nothing(self) -> None:
        """A server that stops waits for nothing."""
        self.site.answer = lambda _: None
        fetching = self.trusting.fetch(self.site.url())
        fetching.cancel()
        with pytest.raises(OSError):  # noqa: PT011 - Twisted's words
            await fetching


def endless(head: bytes, piece: bytes) -> Callable[[Any], None]:
    """Answers with no end."""

    def answer(connection: socket) -> None:
        connection.sendall(head)
        for _ in range(1_000_000_000 // len(piece)):
            connection.sendall(piece)

    return answer
