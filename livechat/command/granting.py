"""Tokens, keys of back ends, and operators."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from livechat.command.client import Client, RefusedError
from livechat.command.output import CommandError, Output, printable, table

#: Bytes of a file with a password, or of a token.
_LONGEST: Final = 16_384


def rooms_of(given: Iterable[str]) -> dict[str, list[str]]:
    """
    Rights by pattern, of arguments such as ``lobby=join,send``.

    @raise ValueError: one is none.
    """
    rooms: dict[str, list[str]] = {}
    for each in given:
        pattern, found, words = each.partition("=")
        if not found or not pattern:
            raise ValueError(f"{each!r} is not such as 'lobby=join,send'")
        if pattern in rooms:
            raise ValueError(f"{pattern!r} is given twice")
        rooms[pattern] = [word for word in words.replace(" ", "").split(",") if word]
    return rooms


def shown_rooms(rooms: Mapping[str, Iterable[str]]) -> str:
    """Rights by pattern, as they are given."""
    return " ".join(f"{pattern}={','.join(words)}" for pattern, words in rooms.items()) or "-"


def make_token(client: Client, output: Output, asked: Mapping[str, Any]) -> None:
    """Print a token, and nothing else: it is put into variables."""
    made = client.ask("POST", "/chat/token/", asked).value
    output.show(made, made["token"])


def check_token(client: Client, output: Output, token: str) -> None:
    """
    Say whose a token is.

    @raise CommandError: it is refused; the text says why.
    """
    reads = token == "-"  # noqa: S105 - a word for the standard input
    token = (sys.stdin.read(_LONGEST) if reads else token).strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise CommandError("this is no token: it has characters that tokens do not have")
    try:
        found = client.ask("GET", "/chat/token/check/", token=token).value
    except RefusedError as reason:
        if output.as_json:
            output.show({"valid": False, "code": reason.code, "detail": str(reason)}, "")
        raise
    user = found["user"]
    words = [f"the token of {user['id']}, shown as {user['name']}"]
    if user.get("role"):
        words.append(f"with the role {user['role']}")
    if found.get("expires"):
        words.append(f"until {_moment(found['expires'])}")
    if found.get("rooms") is not None:
        words.append(f"for {shown_rooms(found['rooms'])}")
    output.show({"valid": True, **found}, printable(", ".join(words)))


def add_key(client: Client, output: Output, asked: Mapping[str, Any]) -> None:
    """Print a new key, which cannot be read again."""
    made = client.ask("POST", "/chat/keys/", asked).value
    output.show(made, made["key"])
    if not output.as_json:
        output.note(f"this key has the id {made['id']}; it is not shown again")


def list_keys(client: Client, output: Output) -> None:
    """Print the keys that there are, without their secrets."""
    found = client.ask("GET", "/chat/keys/").value["keys"]
    rows = [("ID", "NAME", "ROOMS", "AS", "UNTIL")]
    rows += [
        (
            each["id"],
            printable(each["name"]),
            shown_rooms(each["rooms"]),
            "yes" if each.get("as") else "-",
            _moment(each["expires"]) if each.get("expires") else "-",
        )
        for each in found
    ]
    output.show(found, table(rows))


def drop_key(client: Client, output: Output, known_as: str) -> None:
    """Drop a key."""
    client.ask("DELETE", f"/chat/keys/{quote(known_as, safe='')}/")
    output.show({"dropped": known_as}, f"the key {known_as} is dropped")


def add_operator(
    client: Client,
    output: Output,
    name: str,
    rooms: Mapping[str, Iterable[str]],
    password_file: str | None,
) -> None:
    """
    Make or change an operator, and print the password if one was made.

    @param password_file: a file, or ``-`` for the standard input.
    """
    asked: dict[str, Any] = {"name": name, "rooms": rooms}
    if password_file is not None:
        asked["password"] = _password(password_file)
    made = client.ask("POST", "/chat/operators/", asked).value
    if made["password"] is not None:
        output.show(made, made["password"])
        if not output.as_json:
            output.note(f"this is the password of {name}; it is not shown again")
        return
    output.show(made, f"{name} is {'new' if made['new'] else 'changed, and signed out'}")


def _password(source: str) -> str:
    try:
        if source == "-":
            text = sys.stdin.read(_LONGEST)
        else:
            with Path(source).open(encoding="utf-8") as file:
                text = file.read(_LONGEST)
    except OSError as reason:
        raise CommandError(f"{source} cannot be read: {reason.strerror}") from None
    except UnicodeDecodeError:
        raise CommandError("the password is not UTF-8") from None
    return text.rstrip("\r\n")


def list_operators(client: Client, output: Output) -> None:
    """Print the operators with names."""
    found = client.ask("GET", "/chat/operators/").value["operators"]
    rows = [("NAME", "ROOMS")]
    rows += [(each["name"], shown_rooms(each["rooms"])) for each in found]
    output.show(found, table(rows))


def drop_operator(client: Client, output: Output, name: str) -> None:
    """Drop an operator; their sessions end."""
    client.ask("DELETE", f"/chat/operators/{quote(name, safe='')}/")
    output.show({"dropped": name}, f"{name} is no operator any more")


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
