"""
Twisted's parser of HTTP/1.1, made strict.

What two parsers could read differently is refused, as soon as it is known:

    lines that end with LF or CR alone, folded lines
    control characters in a field, and bytes at which some split lines
    chunks that are none, and trailers without end
"""

from __future__ import annotations

import re
from abc import ABCMeta, abstractmethod
from typing import Any, Final

from twisted.web import http

from livechat.errors import ChatError, Kind

_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
# CR and LF end a line together.  Twisted would wait for another line's end until the deadline,
# and other parsers may take the line for two.
_BARE: Final = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")
#: Bytes of the fields behind a body in chunks.
LONGEST_TRAILER: Final = 4_096


class Parser(http.HTTPChannel, metaclass=ABCMeta):
    """
    Takes requests apart.

    @ivar max_body: the most bytes that a request's body may have.
    @ivar closing: the last answer was given; nothing more is read.
    """

    totalHeadersSize = 16_384
    maxHeaders = 100
    max_body: int
    closing = False

    @abstractmethod
    def refuse(self, error: ChatError) -> None:
        """Answer the request that is arriving, and close.  No-op if `closing`."""

    def dataReceived(self, data: bytes) -> None:
        within = self._busyReceiving
        super().dataReceived(data)
        if self.line_mode and not within and self._buffer:
            self._check_ends(self._buffer)

    @property
    def is_fresh(self) -> bool:
        """Tell whether nothing of a request has come, and none is under way."""
        parser: Any = self
        return bool(
            self.line_mode
            and not self._buffer
            and not self._busyReceiving
            and not self.requests
            # Twisted ignores one line end before a request.
            and parser._HTTPChannel__first_line == 1  # noqa: SLF001
        )

    def receive_whole(self, request: http.Request, body: bytes, rest: bytes) -> None:
        """
        Continue as if *request* had been parsed: serve it, then the bytes behind it.

        Call it only if `is_fresh`.
        """
        self.requests.append(request)
        self._handlingRequest = True
        self.setRawMode()
        # Twisted keeps unread bytes in these attributes.
        if body:
            self._dataBuffer.append(rest)
        else:
            self._buffer = rest
        self._busyReceiving = True
        try:
            request.process()
        finally:
            self._busyReceiving = False
        transport: Any = self.transport
        if self._buffer and not transport.disconnecting:
            Parser.dataReceived(self, b"")

    def lineReceived(self, line: bytes) -> None:
        if line[:1] in (b" ", b"\t"):
            self.refuse(ChatError(Kind.BAD_REQUEST, "Folded header lines are not accepted."))
        elif b"\n" in line or b"\r" in line:
            self._refuse_end()
        else:
            super().lineReceived(line)

    def _check_ends(self, received: bytes | bytearray) -> bool:
        """Refuse a line, or its beginning, that ends otherwise than with CR and LF."""
        if _BARE.search(received) is None:
            return True
        self._refuse_end()
        return False

    def _refuse_end(self) -> None:
        self.refuse(ChatError(Kind.BAD_REQUEST, "Lines must end with CR and LF."))

    def headerReceived(self, line: bytes) -> bool:
        # Some parsers take these for the ends of lines, and read another field behind them.
        if _CONTROLS.search(line) is not None or (b"\x85" in line and not _is_utf8(line)):
            self.refuse(ChatError(Kind.BAD_REQUEST, "A header holds control characters."))
            return False
        try:
            received: bool = super().headerReceived(line)
        except ValueError:
            # A Content-Length with more digits than Python reads.
            self.refuse_body()
            return False
        return received

    def lineLengthExceeded(self, line: bytes) -> None:
        self._respondToBadRequestAndDisconnect()

    def allHeadersReceived(self) -> None:
        decoder: Any = self._transferDecoder
        if hasattr(decoder, "_maxTrailerHeadersSize"):
            # Fields behind a body in chunks are ignored, so few bytes of them are read.
            decoder._maxTrailerHeadersSize = LONGEST_TRAILER  # noqa: SLF001
            decoder.finishCallback = self._chunks_received
        super().allHeadersReceived()

    def _send100Continue(self) -> None:
        if not self.closing:
            super()._send100Continue()

    def rawDataReceived(self, data: bytes) -> None:
        super().rawDataReceived(data)
        decoder: Any = self._transferDecoder
        state = getattr(decoder, "state", None)
        if state is None or self.closing:
            return
        # Without these checks Twisted would wait for the rest until the deadline.
        if getattr(decoder, "length", 0) > self.max_body:
            self.refuse_body()
        elif state == "CRLF" and decoder._buffer not in (b"", b"\r"):  # noqa: SLF001
            self._respondToBadRequestAndDisconnect()
        elif state != "BODY":
            # The new fields behind the body, with the beginning of an unfinished line.
            fields = decoder._trailerHeaders[-1 - data.count(b"\n") :]  # noqa: SLF001
            all(self._check_ends(each) for each in (*fields, decoder._buffer))  # noqa: SLF001

    def _chunks_received(self, rest: bytes) -> None:
        """Handle a whole body in chunks, with the fields behind it."""
        decoder: Any = self._transferDecoder
        if all(self._check_ends(each) for each in decoder._trailerHeaders):  # noqa: SLF001
            self._finishRequestBody(rest)

    def refuse_body(self) -> None:
        """Refuse a body that is, or says that it will be, too long."""
        self.refuse(
            ChatError(Kind.BODY_TOO_LARGE, f"A body may have at most {self.max_body} bytes.")
        )

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(ChatError(Kind.BAD_REQUEST, "This is not a valid HTTP/1.1 request."))


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
