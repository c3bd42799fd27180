"""Reading a room, and saying something there."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from livechat.command.client import Client, RefusedError, UnreachableError
from livechat.command.output import CommandError, Output, printable, time_here

#: Characters of a text, or of an action, from the standard input.
LONGEST_INPUT: Final = 4 << 20
#: Seconds between two attempts to connect, at first and at most.
PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0


class Event(NamedTuple):
    """
    A server-sent event.

    @ivar place: what `Last-Event-ID` would say; empty where it said nothing new.
    """

    name: str
    data: str
    place: str


def events(lines: Iterator[str]) -> Iterator[Event]:
    """The events of a stream's lines (WHATWG HTML, section 9.2.6)."""
    data: list[str] = []
    name = place = ""
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if data:
                yield Event(name or "message", "\n".join(data), place)
            name, data, place = "", [], ""
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id":
            place = value


class Tail:
    """Follows a room over every outage."""

    def __init__(
        self, client: Client, output: Output, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._output = output
        self._sleep = sleep
        self._place = ""
        self._pause = PAUSE

    def run(self, room: str, last: int) -> None:
        """
        Print the *last* messages, and what comes, for ever.

        @raise CommandError: the server refuses.
        """
        if last:
            self._show_last(room, last)
        told = False
        while True:
            try:
                self._follow(room)
            except RefusedError as reason:
                if reason.again is None:
                    raise
                told = self._wait(str(reason), reason.again, told)
            except UnreachableError as reason:
                # A stream that worked has ended in order, so the next one begins at once.
                told = self._wait(str(reason), self._pause, told and self._pause > PAUSE)
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _wait(self, why: str, seconds: float, told: bool) -> bool:
        if not told:
            self._output.note(f"{why}; it is tried again")
        self._sleep(seconds)
        return True

    def _show_last(self, room: str, last: int) -> None:
        query = urlencode({"limit": last})
        answer = self._client.ask("GET", f"/chat/history/{quote(room, safe='')}/?{query}")
        for each in answer.value.get("chat_history", ()):
            self._show({"type": "message", **each})
        headers = answer.headers
        if "livechat-epoch" in headers:
            self._place = f"{headers['livechat-epoch']}:{headers.get('livechat-seq', '0')}"

    def _follow(self, room: str) -> None:
        headers = {"Last_Event_ID": self._place} if self._place else {}
        lines = self._client.lines(
            f"/chat/events/{quote(room, safe='')}/", Accept="text/event-stream", **headers
        )
        for event in events(lines):
            self._pause = PAUSE
            self._place = event.place or self._place
            try:
                frame = json.loads(event.data)
            except ValueError:
                continue
            if isinstance(frame, dict):
                self._show(frame)

    def _show(self, frame: dict[str, Any]) -> None:
        if self._output.as_json:
            self._output.show(frame, "")
            return
        text = _line(frame)
        if text is not None:
            self._output.line(text)


def _line(frame: dict[str, Any]) -> str | None:
    """Write a frame in words; None for frames without news for people."""
    match frame.get("type"), frame.get("event"):
        case "message", _:
            said = frame.get("message", "")
        case "event", "edited":
            said = f"(edited #{frame.get('ref')}) {frame.get('text', '')}"
        case "event", "retracted":
            refs = ", ".join(f"#{each}" for each in frame.get("refs", ()))
            said = f"(taken back: {refs})"
        case "error", _:
            said = f"(error) {frame.get('error', frame)}"
        case _:
            return None
    user = frame.get("user") or {}
    name = f"{user['name']}: " if "name" in user else ""
    moment = time_here(frame.get("time", 0))
    return f"{moment} #{frame.get('seq', '?')} {printable(f'{name}{said}')}"


def say(
    client: Client,
    output: Output,
    room: str,
    text: str | None,
    user: Mapping[str, str] | None = None,
) -> None:
    """
    Say *text* in a room; without one, what the standard input has.

    @param user: the user that sends it: an ``id``, perhaps a ``name`` and a ``role``.
    @raise CommandError: it cannot be said.
    """
    body: dict[str, Any] = {"message": _typed() if text is None else text}
    if user is not None:
        body["user"] = user
    # Sent again if no answer comes: the same key makes it the same message.
    headers = {"Idempotency_Key": secrets.token_hex(16)}
    path = f"/chat/send/{quote(room, safe='')}/"
    try:
        answer = client.ask("POST", path, body, **headers)
    except UnreachableError:
        answer = client.ask("POST", path, body, **headers)
    if "livechat-case" in answer.headers:
        case = answer.headers["livechat-case"]
        output.show({"case": case}, f"waits for a review, as case {printable(case)}")
        return
    found = {
        "seq": int(answer.headers.get("livechat-seq", 0)),
        "time": int(answer.headers.get("livechat-time", 0)),
    }
    output.show(found, f"#{found['seq']}")


def act(client: Client, output: Output, room: str, action: str | None) -> None:
    """
    Do what *action* says in a room; without one, what the standard input says.

    @param room: a room; or a beginning of rooms with ``*`` behind it, for their settings, and
        ``*`` for actions in all rooms.
    @raise CommandError: it is no JSON, or is refused.
    """
    text = _typed() if action is None else action
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as reason:
        raise CommandError(f"this is no JSON: {reason}") from None
    if room.endswith("*"):
        # Only a room fits into the path.
        if not isinstance(found, dict):
            raise CommandError('an action is a JSON object, such as {"type":"room","set":{}}')
        answer = client.ask("POST", "/chat/actions/", {**found, "room": room})
    else:
        answer = client.ask("POST", f"/chat/actions/{quote(room, safe='')}/", text.encode())
    output.line(json.dumps(answer.value, ensure_ascii=False))


def _typed() -> str:
    try:
        text = sys.stdin.read(LONGEST_INPUT + 1)
    except UnicodeDecodeError:
        raise CommandError("the standard input is not UTF-8") from None
    if len(text) > LONGEST_INPUT:
        raise CommandError(f"the standard input has more than {LONGEST_INPUT} characters")
    return text.rstrip("\r\n")
