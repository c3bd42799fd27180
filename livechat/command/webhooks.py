"""Webhooks: a receiver for developers, a test of one, and what the server says of those it has."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from livechat import option_values
from livechat.command.client import Client
from livechat.command.output import CommandError, Output, printable, table, time_here
from livechat.command.posting import post
from livechat.identity.site_secret import FILE, read_site_secrets
from livechat.protocol.counts import counted
from livechat.protocol.receivers import receiver_url
from livechat.protocol.signing import secret_of_text, verify

#: Bytes of a request to the receiver for developers at most, and seconds for which it waits.
LARGEST: Final = 4 << 20
PATIENCE: Final = 30.0
#: The default port of the receiver for developers.
PORT: Final = 8_099
_VARIABLE: Final = "LIVECHAT_WEBHOOK_SECRET"


def secrets_of(environment: Mapping[str, str], state: Path) -> Sequence[bytes]:
    """
    Find the secrets that the server signs with.

    @raise CommandError: they cannot be read.
    """
    try:
        given = environment.get(_VARIABLE, "").split()
        return tuple(map(secret_of_text, given)) or read_site_secrets(state)
    except OSError as reason:
        raise CommandError(
            f"{state / FILE}: {reason.strerror}; a server with --webhook makes it, or {_VARIABLE}"
            " has the secret"
        ) from None
    except ValueError as reason:
        raise CommandError(f"the secret of webhooks: {reason}") from None


def listen(output: Output, secrets: Sequence[bytes], port: int) -> None:
    """
    Take events on this machine, verify them and print them, until Ctrl-C.

    @raise CommandError: the port is taken.
    """
    try:
        server = HTTPServer(("127.0.0.1", port), _handler(output, secrets))
    except OSError as reason:
        raise CommandError(f"port {port}: {reason.strerror}") from None
    with server:
        output.note(f"start the server with: --webhook http://127.0.0.1:{server.server_port}/")
        server.serve_forever()


def _handler(output: Output, secrets: Sequence[bytes]) -> type[BaseHTTPRequestHandler]:
    class Receiver(BaseHTTPRequestHandler):
        """Answers signed requests with 204, and all others with 401."""

        timeout = PATIENCE
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not (length.isascii() and length.isdigit() and int(length[:12]) <= LARGEST):
                self._answer(413)
                return
            body = self.rfile.read(int(length))
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                verify(secrets, headers, body, time.time())
                events = json.loads(body)["data"]
                lines = [(each, _words(each)) for each in events]
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as reason:
                output.note(printable(f"refused: {reason}"))
                self._answer(401)
                return
            for event, text in lines:
                output.show(event, text)
            self._answer(204)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", "0")
                # The request's body may be unread, so the connection cannot be used again.
                self.send_header("Connection", "close")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            """Say nothing: events are printed."""

    return Receiver


def _words(event: Mapping[str, Any]) -> str:
    """Write an event on one line."""
    user = event.get("user") or {}
    words = [str(event["event"]), str(event.get("room", ""))]
    words.append(f"#{event['seq']}" if "seq" in event else "")
    words.append(f"{user['name']}:" if user.get("name") else "")
    words.append(str(event.get("message", event.get("text", ""))))
    return printable(" ".join(each for each in words if each))


def test(output: Output, secrets: Sequence[bytes], url: str) -> bool:
    """
    Send one signed event to a receiver, and print its answer; returns whether it has taken it.

    @raise CommandError: there is no such address, or no answer.
    """
    try:
        receiver_url(url)
    except ValueError as reason:
        raise CommandError(f"the URL {reason}") from None
    known_as = f"test:{token_hex(8)}"
    now = time.time_ns() // 1_000_000
    event = {"event": "test", "id": known_as, "time": now}
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now / 1000))
    body = json.dumps({"type": "events", "timestamp": moment, "data": [event]}).encode()
    found = post(url, body, f"msg_{token_hex(16)}", secrets)
    text = found.body.decode(errors="replace")
    shown = {"status": found.status, "seconds": round(found.seconds, 3), "body": text}
    line = f"{found.status} {found.reason} after {found.seconds:.2f} s"
    output.show(shown, printable(f"{line}: {text}" if text else line))
    if not found.good:
        output.note("the server would send this again: only a status of 200 to 299 accepts it")
    return found.good


def since(text: str, now: float) -> int:
    """
    Read a moment: a time ago, such as 2h, or a date, such as 2026-11-27T18:00.

    @return: in milliseconds since 1970.
    @raise ValueError: it is neither.
    """
    try:
        seconds = option_values.duration(text)
        if seconds and text[-1].isalpha():
            return max(0, int(1000 * (now - seconds)))
    except ValueError:
        pass
    try:
        return max(0, int(1000 * datetime.fromisoformat(text).timestamp()))
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            "must be a time ago, such as 90s, 15m, 2h or 3d, or a date: 2026-11-27T18:00"
        ) from None


def rewind(client: Client, output: Output, moment: int, receiver: str | None) -> None:
    """Have receivers sent the entries since *moment* again."""
    asked = {"since": moment} | ({} if receiver is None else {"receiver": receiver})
    found = client.ask("POST", "/chat/webhooks/rewind/", asked).value["rewound"]
    for each in found:
        rooms = each["rooms"]
        done = "as soon as a process tells it" if rooms is None else f"of {counted(rooms, 'room')}"
        output.show(each, f"{each['receiver']} is told anew, {done}")


def status(client: Client, output: Output) -> None:
    """Print how it goes with the receivers."""
    found = client.ask("GET", "/chat/webhooks/").value["webhooks"]
    rows = [("RECEIVER", "STATE", "WAITING", "SENT", "FAILED", "LAST ANSWER")]
    rows += [
        (
            each["receiver"],
            each.get("state", "unknown"),
            str(each.get("waiting", 0)),
            str(each.get("sent", 0)),
            str(each.get("failed", 0)),
            _last(each.get("answer")),
        )
        for each in found
    ]
    output.show(found, table(rows) if found else "there is none: --webhook names one")


def _last(answer: Mapping[str, Any] | None) -> str:
    if answer is None:
        return "-"
    text = printable(str(answer.get("text", "")))[:60]
    words = [str(answer["status"])] if "status" in answer else []
    return " ".join([time_here(answer["time"]), *words, text]).strip()
