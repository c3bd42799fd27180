"""docs/protocol.md shows valid frames only, and names every frame, setting and code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from livechat.errors import ChatError, Kind
from livechat.protocol.actions import Action
from livechat.protocol.back_ends import decode_target
from livechat.protocol.decoding import decode_frame
from livechat.protocol.settings import ALL_SETTINGS, MODERATED
from livechat.protocol.v1 import ServerFrame

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
FRAMES = [each for each in re.findall(r"`(\{\"type\":[^`]*\})`", PAGE) if "…" not in each]


@pytest.mark.parametrize("frame", FRAMES)
def test_each_frame_of_the_page_is_decoded(frame: str) -> None:
    """Each is a client's, or one of the server's."""
    try:
        decode_frame(frame.encode())
    except ChatError:
        msgspec.json.decode(frame, type=ServerFrame)
    assert decode_target(frame.encode()).room in (None, "team-*")


def test_all_actions_are_on_the_page() -> None:
    """All of them are shown."""
    shown = {type(found) for found in map(decoded, FRAMES)}
    assert set(get_args(Action)) <= shown


def decoded(frame: str) -> Any:
    try:
        return decode_frame(frame.encode())
    except ChatError:
        return None


def table(head: str) -> list[list[str]]:
    _, _, rest = PAGE.partition(head)
    rows = rest.split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_each_setting_is_on_the_page() -> None:
    """Each is in the table, with the right that it takes."""
    found: dict[str, str] = {}
    for names, _, _, right in table("| setting | value |"):
        named = re.findall(r"`(\w+)`", names)
        rights = re.findall(r"`(\w+)`", right)
        found |= dict(zip(named, rights * (len(named) if len(rights) == 1 else 1), strict=True))
    assert sorted(found) == sorted(ALL_SETTINGS)
    assert {name for name, right in found.items() if right == "moderate"} == MODERATED


def test_every_code_of_a_frame_is_on_the_page() -> None:
    """The page's table has every error that a frame can cause."""
    shown = set(re.findall(r"`(\w+)`", " ".join(row[0] for row in table("| code | why |"))))
    known = {kind.code for kind in Kind}
    assert shown <= known
    moderated = {Kind.BANNED, Kind.MUTED, Kind.SLOW_MODE, Kind.REJECTED, Kind.HELD}
    assert {kind.code for kind in moderated | {Kind.ROOM_CLOSED}} <= shown
