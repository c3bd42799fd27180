"""`livechat.web.admin.lines`."""

from __future__ import annotations

from livechat.protocol.messages import Edited, Gone, Message, Retracted, User
from livechat.web.admin.lines import NOTES, Line, lines

ANN = User("a", "Ann")


def test_without_messages_there_are_no_lines() -> None:
    """Without messages there are no lines."""
    assert lines([]) == []
    assert lines([Edited(2, 0, 1, "x"), Retracted(3, 0, (1,), "author")]) == []


def test_a_message_has_its_present_text() -> None:
    """A message has its present text, with a mark if that is not its first one."""
    found = lines([Message("a", 1, 7, ANN), Message("b", 2, 8, edited=9), Edited(3, 9, 2, "b")])
    assert found == [Line(1, 7, "a", ANN), Line(2, 8, "b", edited=True)]


def test_a_removed_message_says_by_whom() -> None:
    """The place of a removed message says by whose act, as far as the entries tell."""
    found = lines(
        [
            Gone(1, 7),
            Gone(2, 7),
            Retracted(3, 8, (1, 5), "author"),
            Retracted(4, 8, (2,), "moderator"),
            Gone(5, 7),
            Gone(6, 7),
        ]
    )
    assert [each.note for each in found[:3]] == [
        NOTES["author"], NOTES["moderator"], NOTES["author"],
    ]  # fmt: skip
    assert found[3].note not in ("", *NOTES.values())
    assert [each.text for each in found] == [""] * 4
