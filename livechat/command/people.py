"""A person's data: exported, or forgotten."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from livechat.command.client import Client
from livechat.command.output import CommandError, Output, printable

#: The media type of lines of JSON.
_NDJSON: Final = "application/x-ndjson"


def export(client: Client, output: Output, file: str, user: str, *, guest: bool) -> None:
    """
    Write all that is kept of a person to a file, or to the standard output.

    @param file: is there when it is whole, and not before; ``-`` is the standard output.
    @raise CommandError: the server refuses, or the export is not whole.
    """
    lines = _lines(client, user, guest=guest)
    if file == "-":
        for line in lines:
            sys.stdout.write(f"{line}\n")
        return
    path = Path(file)
    draft = path.with_name(f".{path.name}.part")
    end: dict[str, Any] = {}
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as written:
            for line in lines:
                written.write(f"{line}\n")
            end = json.loads(line)
        draft.replace(path)
    except OSError as reason:
        raise CommandError(f"{path} cannot be written: {reason.strerror}") from None
    finally:
        draft.unlink(missing_ok=True)
    found = {"file": file} | {name: end[name] for name in end if name != "line"}
    counts = ", ".join(f"{name} {value}" for name, value in found.items() if name != "file")
    output.show(found, f"{file}: {counts}")


def _lines(client: Client, user: str, *, guest: bool) -> Iterator[str]:
    """
    @raise CommandError: the end of the export is missing.
    """
    query = urlencode({"user": user} | ({"guest": 1} if guest else {}))
    whole = False
    for line in client.lines(f"/chat/export/?{query}", Accept=_NDJSON):
        kind = _kind(line)
        if kind == "progress":
            continue
        yield line
        if kind == "error":
            raise CommandError(f"the export is not whole: {printable(json.loads(line)['detail'])}")
        whole = kind == "end"
        if whole:
            return
    if not whole:
        raise CommandError("the export is not whole")


def _kind(line: str) -> str:
    try:
        return str(json.loads(line)["line"])
    except (ValueError, TypeError, KeyError):
        raise CommandError("the server's answer cannot be read") from None


def forget(client: Client, output: Output, user: str, *, guest: bool) -> None:
    """
    Have a person forgotten.

    @raise CommandError: the server refuses.
    """
    action = {"type": "forget", "user": user} | ({"guest": True} if guest else {})
    ack = client.ask("POST", "/chat/actions/", action).value
    case = str(ack.get("case", ""))
    output.show({"case": case}, f"begun, as case {printable(case)}; the audit says when it is done")
