"""Shows the frames of a room or a person, as they come and go."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlencode

from livechat.command.client import Client, UnreachableError
from livechat.command.output import CommandError, Output, printable
from livechat.command.talking import events
from livechat.protocol.counts import counted


def trace(
    client: Client,
    output: Output,
    room: str | None,
    person: str | None,
    *,
    seconds: int | None,
    texts: bool,
) -> None:
    """
    Print a line for each frame, until the time is over.

    @raise CommandError: the server refuses, or goes away.
    """
    if room is None and person is None:
        raise CommandError("name a ROOM, or --person ID, or both")
    asked = {"room": room, "person": person, "seconds": seconds, "texts": "1" if texts else None}
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    try:
        for event in events(client.lines(f"/chat/trace/?{query}", Accept="text/event-stream")):
            if event.name == "end":
                return
            line = json.loads(event.data)
            if event.name == "begin":
                output.note(f"tracing for {counted(line.get('seconds', 0), 'second')}")
                continue
            if line.get("way") == "lost" and not output.as_json:
                # On the standard error, as a missing frame may be among the lost lines.
                lost = counted(line.get("count", 0), "line is", "lines are")
                output.note(f"{lost} not here: more came than could be told")
            else:
                output.show(line, _text(line))
    except ValueError:
        raise CommandError("the server's answer cannot be read: it is no JSON") from None
    except UnreachableError as reason:
        raise UnreachableError(f"the trace has ended: {reason}") from None


def _text(line: dict[str, Any]) -> str:
    """Write a line in words."""
    moment = line.get("time", 0)
    clock = time.strftime("%H:%M:%S", time.localtime(moment // 1000))
    found = [f"{clock}.{moment % 1000:03d}", f"{line.get('way', '?'):<5}", line.get("room")]
    if "members" in line:
        found.append(counted(line["members"], "member"))
    found += [line.get("connection"), line.get("user"), line.get("type")]
    if "seq" in line:
        found.append(f"#{line['seq']}")
    if "bytes" in line:
        found.append(f"{line['bytes']} B")
    if "code" in line:
        found.append(f"{line['code']} by {line.get('by', '?')}")
    found += [line.get("process"), line.get("text")]
    return printable("  ".join(str(each) for each in found if each is not None))
