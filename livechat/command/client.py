"""Requests to the server, over HTTPS."""

from __future__ import annotations

import json
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from hmac import compare_digest
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from livechat import __version__
from livechat.command.finding import Server
from livechat.command.output import CommandError, printable

#: Seconds for a connection, and for each next part of an answer.
WITHIN: Final = 15.0
#: Seconds for the next part of a stream, in which a server sends comments if nothing happens.
QUIET: Final = 60.0
#: Seconds for the answer to a sign of life, which monitors ask for every few seconds.
PULSE: Final = 3.0
#: Bytes of an answer, and of a line of a stream.
LARGEST: Final = 64 << 20
LONGEST_LINE: Final = 4 << 20
#: Statuses of an act that is done, or waits for a review.
_DONE: Final = (HTTPStatus.OK, HTTPStatus.ACCEPTED)
#: Headers of requests at a port for proxies, which requires the client's address.
_AS_A_PROXY: Final = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"}
#: The credentials of a socket's peer (socket(7), SO_PEERCRED): process, user and group.
_CREDENTIALS: Final = struct.Struct("3i")


class UnreachableError(CommandError):
    """The server did not answer, but may do so later."""


class RefusedError(CommandError):
    """
    The server's answer is no.

    @ivar again: seconds after which it may be yes; None if it will not.
    """

    def __init__(self, text: str, status: int, code: str, again: float | None) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.again = again


class Answered(Struct, frozen=True):
    """
    An answer.

    @ivar headers: by lower-case name.
    """

    headers: dict[str, str]
    body: bytes

    @property
    def value(self) -> Any:
        """
        The JSON of the body.

        @raise CommandError: it is none.
        """
        try:
            return json.loads(self.body)
        except ValueError:
            raise CommandError("the server's answer cannot be read: it is no JSON") from None


class Client:
    """Asks one server."""

    def __init__(self, server: Server, within: float | None = None) -> None:
        """
        @param within: seconds to wait for a connection, and for each next part of an answer.
        """
        self.server = server
        self._within = WITHIN if within is None else within

    def ask(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **headers: str
    ) -> Answered:
        """
        Ask, and wait for the answer.

        @param body: sent as JSON; bytes as they are.
        @param token: authorizes in place of the server's key.
        @raise CommandError: the server refuses, or cannot be asked.
        """
        with self._asked(method, path, body, token, headers) as answer:
            return Answered(_headers(answer), _read(answer))

    def lines(self, path: str, **headers: str) -> Iterator[str]:
        """
        Ask for an answer without end, and return its lines as they come.

        @raise CommandError: as `ask`; `UnreachableError` at the end, whatever it is.
        """
        with self._asked("GET", path, None, None, headers, within=QUIET) as answer:
            while line := answer.readline(LONGEST_LINE):
                yield line.decode(errors="replace").rstrip("\r\n")
        raise UnreachableError("the server ended the stream")

    @contextmanager
    def _asked(
        self,
        method: str,
        path: str,
        body: Any,
        token: str | None,
        headers: dict[str, str],
        *,
        within: float | None = None,
    ) -> Iterator[HTTPResponse]:
        sent = {"User-Agent": f"livechat/{__version__}", "Accept": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if self.server.is_plain:
            sent |= _AS_A_PROXY
        credential = token or self.server.key
        if credential is not None:
            sent["Authorization"] = f"Bearer {credential}"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            sent["Content-Type"] = "application/json"
        with closing(self._connected()) as connection:
            try:
                connection.sock.settimeout(self._within if within is None else within)
                connection.request(method, self.server.prefix + path, data, sent)
                with connection.getresponse() as answer:
                    if answer.status not in _DONE:
                        raise _refusal(answer, self.server)
                    yield answer
            except (OSError, HTTPException) as reason:
                raise UnreachableError(self._silent(reason)) from None

    def _connected(self) -> HTTPConnection:
        """
        @raise CommandError: nobody answers, or another server does.
        """
        if not self.server.is_plain:
            return self._connected_by_tls()
        server = self.server
        connection = HTTPConnection(server.host or "localhost", server.port, timeout=self._within)
        try:
            if server.file:
                connection.sock = _socket_file(server, self._within)
            else:
                connection.connect()
        except OSError as reason:
            raise UnreachableError(self._silent(reason)) from None
        return connection

    def _connected_by_tls(self) -> HTTPSConnection:
        server = self.server
        context = ssl.create_default_context()
        # Debian's Python leaves that to OpenSSL's configuration.
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if server.fingerprint is not None:
            # The fingerprint counts, below: the certificate may be self-signed, for other names.
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        connection = HTTPSConnection(
            server.host, server.port, timeout=self._within, context=context
        )
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as reason:
            raise CommandError(
                f"the certificate of {server.address} is not trusted: {reason.verify_message}; the"
                " variable SSL_CERT_FILE names a file of others to trust"
            ) from None
        except OSError as reason:
            raise UnreachableError(self._silent(reason)) from None
        if server.fingerprint is not None and not self._is_known(connection):
            connection.close()
            raise CommandError(
                f"{server.address} has another certificate than the livechat of this state"
                " directory: another server has its port, or a new certificate is just coming"
            )
        return connection

    def _is_known(self, connection: HTTPSConnection) -> bool:
        shown: Any = connection.sock.getpeercert(binary_form=True)
        found = sha256(shown or b"").hexdigest()
        return compare_digest(found, (self.server.fingerprint or "").lower())

    def _silent(self, reason: Exception) -> str:
        return f"nobody answers at {self.server.url}: {_explained(reason)}"


def fetched(url: str, largest: int) -> bytes:
    """
    Fetch a document of somebody else's server, without a key and without following it elsewhere.

    @raise CommandError: it cannot be had, or has more than *largest* bytes.
    """
    parts = urlsplit(url)
    server = Server(parts.hostname or "", parts.port or 443)
    path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    found = Client(server).ask("GET", path).body
    if len(found) > largest:
        raise CommandError(f"it has more than {largest} bytes")
    return found


def _socket_file(server: Server, within: float) -> socket.socket:
    """
    Connect to a socket file.

    @raise OSError: nobody listens.
    @raise CommandError: another user listens, who would be sent the key.
    """
    connected = socket.socket(socket.AF_UNIX)
    try:
        connected.settimeout(within)
        connected.connect(server.file)
        peer = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, user, _ = _CREDENTIALS.unpack(peer)
        # A service manager's socket belongs to root.
        if user not in (0, server.user):
            raise CommandError(
                f"{server.url}: user {user} listens there, and livechat runs as {server.user}"
            )
    except BaseException:
        connected.close()
        raise
    return connected


def _headers(answer: HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.getheaders()}


def _read(answer: HTTPResponse) -> bytes:
    data = answer.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise CommandError("the server's answer is too long")
    return data


def _refusal(answer: HTTPResponse, server: Server) -> RefusedError:
    """Make an error of an answer's problem (RFC 9457), in its own words."""
    headers, status = _headers(answer), answer.status
    detail, code = f"{server.address} answers {status} {answer.reason}", ""
    if headers.get("content-type", "").startswith("application/problem+json"):
        try:
            found = json.loads(_read(answer))
            detail, code = str(found["detail"]), str(found["code"])
        except (ValueError, KeyError, TypeError):
            pass
    elif "location" in headers:
        detail += f", which leads to {headers['location']}"
    wait = headers.get("retry-after", "")
    again = float(wait) if wait.isascii() and wait.isdigit() else None
    return RefusedError(printable(detail), status, code, again)


def _explained(reason: Exception) -> str:
    if isinstance(reason, TimeoutError):
        return "it takes too long"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return str(reason) or type(reason).__name__
