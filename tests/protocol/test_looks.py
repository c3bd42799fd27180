"""`livechat.protocol.looks`."""

from __future__ import annotations

import re
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.protocol import looks
from livechat.protocol.looks import (
    RESERVED,
    SHAPING,
    UNSEEN,
    is_reserved,
    seen,
    skeleton,
    trimmed,
)

#: Invisible characters, some of each kind.
INVISIBLE = [
    *("\ufe0f", "\u034f", "\U000e0100", "\u200d", "\u3164", "\u115f", "\u1160", "\uffa0", "\u17b4"),
    *(
        "\u17b5",
        "\u2800",
        " ",
        "\u00a0",
        "\u3000",
        "\t",
        "\n",
        "\u200b",
        "\u2060",
        "\u00ad",
        "\x07",
    ),
    *("\U000e0041", "\ufff9", "\u180e", "\u2028", "\ufeff", "\U0001d173"),
]
MARKS = ["\u0301", "\u0903", "\u20dd", "\U0001d165"]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
unseen = st.text(st.sampled_from(INVISIBLE), max_size=3)


@pytest.mark.parametrize("text", ["", *INVISIBLE, *MARKS, "".join(INVISIBLE + MARKS)], ids=ascii)
def test_unseen_texts_are_found(text: str) -> None:
    """Blanks, ignorable characters, and marks that stand on nothing."""
    assert not seen(text)


@pytest.mark.parametrize(
    "text",
    ["a", " a", "e\u0301", "\u0301e", "é", "あ", "إ", "\U0001fae8", "❤\ufe0f", "👩\u200d🚀", "…",
     "¿", "\n.\n", "\u0600", "\ue000", "\U00020000", "\U0001d400", "一"],
    ids=ascii,
)  # fmt: skip
def test_seen_texts_are_found(text: str) -> None:
    """Letters, symbols and emoji, those that are newer than Python too; whatever is around them."""
    assert seen(text)


@given(texts)
def test_seen_says_what_categories_say(text: str) -> None:
    """All that is seen has a category in which something is: and all else is unseen."""
    expected = any(
        category(each)[0] not in "MZ"
        and category(each) != "Cc"
        and not re.match(f"[{UNSEEN}]", each)
        for each in text
    )
    assert seen(text) is expected


@given(texts, unseen, unseen)
def test_what_is_unseen_makes_no_other_name(text: str, one: str, two: str) -> None:
    """Names that differ in nothing that is seen look alike."""
    middle = len(text) // 2
    assert skeleton(one + text + two) == skeleton(text)
    assert seen(one + text + two) is seen(text)
    if "\u0301" not in text:
        assert is_reserved(text[:middle] + one + text[middle:]) is is_reserved(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Ann", "ann"), ("Ann", "A\u034fnn"), ("Ann", "Ａｎｎ"), ("Ann", "An\u3164n"),
     ("é", "e\u034f\u0301"), ("STRASSE", "straße"), ("❤", "❤\ufe0f"), ("葛", "葛\U000e0100"),
     ("ﬁn", "FIN"), ("Ann B", "AnnB")],
    ids=ascii,
)  # fmt: skip
def test_look_alikes_are_the_same(one: str, other: str) -> None:
    """Case, forms of the same letter, and what is unseen make no difference."""
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(("one", "other"), [("Ann", "Anna"), ("Ann", "Änn"), ("Ann", "Аnn")])
def test_no_look_alikes(one: str, other: str) -> None:
    """Other letters do, and those of other scripts, for which the pages have no table."""
    assert skeleton(one) != skeleton(other)


@pytest.mark.parametrize(
    ("name", "whole"),
    [("Ann", True), ("A", True), ("", False), ("Ann ", False), (" Ann", False),
     ("\u0301Ann", False), ("Ann\u0301", True), ("Ann\ufe0f", False), ("Ann\u200d", False),
     ("Ann\U000e0100", False),
     ("❤\ufe0f", True), ("Ann ❤\ufe0f", True), ("Ann‼\ufe0f", True), ("❤\ufe0f\ufe0f", False),
     ("1\ufe0f\u20e3", True), ("1\ufe0f", False), ("👩\u200d🚀", True), ("👩\u200d", False),
     ("葛\U000e0100", True), ("മോഹന\u0d4d\u200d", True), ("ᠰ\u180b", True), ("ᠰ\u180e", False),
     ("\u3164", False), ("Ann\u3164", False), ("Ann\u17b4", False), ("A\u200dnn", True)],
    ids=ascii,
)  # fmt: skip
def test_unseen_ends_are_trimmed(name: str, whole: bool) -> None:
    """Unseen characters at an end are no part of a name, unless they shape what is before."""
    assert trimmed(name) is whole


@given(texts, st.sampled_from(INVISIBLE))
def test_nothing_unseen_ends_a_name(text: str, end: str) -> None:
    """No name begins with an unseen character, or ends with a blank."""
    assert not trimmed(end + text)
    if not re.match(f"[{SHAPING}]", end):
        assert not trimmed(text + end)


@pytest.mark.parametrize(
    "name",
    ["admin", "Admin", "ADMIN", "ADMlN", "Ａｄｍｉｎ", "\U0001d41adm\U0001d422\U0001d427",
     "аdmin", "аԁmіn", "ΑDMIN", "adrnin", "adm1n", "Ádmin", "a\u0332dmin", "ad\u200bmin", "ꓮꓓꓟꓲꓠ",
     "operator", "Оperator", "οperator", "0perator", "Operаtor", "moderator", "livechat",
     "Iivechat", "live chat", "LiveChat", "system", "sуstem", "ѕystem", "you", "Yоu", "You", "y0u",
     "ｙou", "YΟU"],
    ids=ascii,
)  # fmt: skip
def test_reserved_names_are_found_in_any_letters(name: str) -> None:
    """Names that speak for the server, in whatever letters they are written."""
    assert is_reserved(name)


@pytest.mark.parametrize(
    "name",
    ["Ann", "Adam", "administrator", "Youssef", "Yoda", "operators", "Cooper", "Иван", "Νίκος", "",
     "system1", "Tom", "guest-7f3a", "Olivier", "ايمان"],
)  # fmt: skip
def test_names_that_hold_a_reserved_one_are_free(name: str) -> None:
    """Others, those that only hold one of them too."""
    assert not is_reserved(name)


@given(st.sampled_from(RESERVED), st.lists(unseen, min_size=10, max_size=10), st.data())
def test_reserved_with_what_is_unseen(name: str, between: list[str], data: st.DataObject) -> None:
    """Neither case nor what is unseen gets a guest such a name."""
    cased = "".join(data.draw(st.sampled_from([each, each.upper()])) for each in name)
    assert is_reserved("".join(map("".join, zip(cased, between, strict=False))))


def test_all_marks_are_found() -> None:
    """No combining mark is in a block that the start leaves out."""
    found = re.compile(f"[{UNSEEN}{looks.MARKS}{looks.FAR_MARKS}]")
    characters = map(chr, range(0x110000))
    assert [c for c in characters if category(c)[0] == "M" and not found.match(c)] == []
