"""`livechat.identity.guests`."""

from __future__ import annotations

import re
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.errors import ChatError
from livechat.identity.actor import OPERATOR
from livechat.identity.guests import (
    LONGEST_NAME,
    checked_key,
    checked_name,
    cleaned_name,
    passer_by,
    regular,
)
from livechat.protocol.looks import skeleton

KEY = "abcdefghijklmnop"


NO_NAMES = (
    *("", " ", "\u2003", "x" * (LONGEST_NAME + 1), "a\nb", "a\0", "\x7f", "a\u2028b", "\x1b[31m"),
    *("\u202eevil", "a\u2066b", "a\u200f", "\u061c", "\u200b", "\ufeff", "\U000e0041", "\ufdd0"),
    *("\u2800", "\u3164", "\u200d", "\ud800"),
    # Nothing of it is to be seen.
    *("\ufe0f", "\u034f", "\U000e0100", "\u0301", "\u0903", "\u20dd", "\u115f", "\uffa0", "\u17b4"),
    *(" \u0301", "\u200d\ufe0f"),
    # Look-alikes of another name.
    *("Ann ", " Ann", "Ann\u200d", "Ann\u034f", "Ann\u3164", "Ann\u17b4", "Ann\ufe0f", "Ann\u2800"),
    *("\u034fAnn", "\u0301Ann", "Ann\u00a0", "Ann\u3000", "x" * LONGEST_NAME + " "),
)


@pytest.mark.parametrize("name", NO_NAMES, ids=ascii)
def test_disturbing_characters_are_refused(name: str) -> None:
    """Characters that would disturb the text around a name are refused."""
    with pytest.raises(ChatError):
        checked_name(name)


@pytest.mark.parametrize(
    "name",
    ["Ann", "A", "x" * LONGEST_NAME, "a b", "إيمان", "Zoë", "Zoe\u0308", "a\u200db", "👩\u200d🚀",
     "\U0001fae8", "<b>", "\ue000", "Ann ❤\ufe0f", "❤\ufe0fAnn", "葛\U000e0100城", "葛\U000e0100"],
    ids=ascii,
)  # fmt: skip
def test_names_of_many_languages_are_accepted(name: str) -> None:
    """Names of many languages are accepted, also with letters and emoji newer than Python."""
    assert checked_name(name) == name


@given(st.text(max_size=LONGEST_NAME + 2))
def test_an_accepted_name_stays_and_is_seen(name: str) -> None:
    """An accepted name stays as it is, and is seen at both ends."""
    try:
        taken = checked_name(name)
    except ChatError:
        return
    assert taken == name
    assert 1 <= len(name) <= LONGEST_NAME
    assert category(name[0])[0] not in "MZC" or category(name[0]) in {"Cn", "Co"}
    assert not name[-1].isspace()
    assert skeleton(name)


@pytest.mark.parametrize("name", ["admin", "You", "Оperator", "SYSTEM", "ad\u034fmin", "Livechat"])
def test_a_reserved_name_is_replaced(name: str) -> None:
    """A guest gets another in place of one that is the server's; with a key, the same each time."""
    assert checked_name(name) == name
    guest = passer_by("c1", name)
    assert re.fullmatch("guest-[0-9a-f]{4}", guest.name)
    assert regular(b"s", KEY, name) == regular(b"s", KEY)


@pytest.mark.parametrize("key", ["", "short", "x" * 65, "abcdefghijklmno p", "ä" * 20, "x" * 15])
def test_guessable_keys_are_refused(key: str) -> None:
    """A key that can be guessed or does not fit into a URL is none."""
    with pytest.raises(ChatError):
        checked_key(key)


def test_a_guest_without_a_key_is_its_connection() -> None:
    """The id is that of the connection, and there is a name all the same."""
    one, two = passer_by("c1"), passer_by("c2")
    assert (one.id, two.id) == ("c1", "c2")
    assert one.name.startswith("guest-")
    assert passer_by("c1", "Ann").name == "Ann"


def test_a_key_stands_for_one_user() -> None:
    """A key stands for the same user each time; the key cannot be learnt from the user."""
    one, two = regular(b"s", KEY, "Ann"), regular(b"s", checked_key(KEY))
    assert one.id == two.id
    assert KEY not in one.id
    assert regular(b"t", KEY).id != one.id
    assert regular(b"s", KEY + "x").id != one.id
    # A name that was made up stays, too.
    assert regular(b"s", KEY) == two


def test_no_guest_is_an_operator() -> None:
    """No guest has a role or an operator's id, whatever it says of itself."""
    for name in ("Operator", "operator", "x operator"):
        for guest in (passer_by("c1", name), regular(b"s", "livechat-operator", name)):
            assert guest.role is None
            # An operator's id has a character that no guest's id can have.
            assert "!" not in guest.id
    assert "!" in OPERATOR.id


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("Ann", "Ann"), ("  Ann \t Lee\n", "Ann Lee"), ("Ann\u202e\0\u200b", "Ann"),
        ("\u0301Ann\u034f", "Ann"), ("x" * 99, "x" * LONGEST_NAME), ("", None), ("\n \0", None),
        ("\u0301" * 50, None), ("x" * 39 + " y", "x" * 39), ("田中 👩‍👩‍👧", "田中 👩‍👩‍👧"),
    ],
)  # fmt: skip
def test_a_name_of_a_site_is_cleaned(name: str, cleaned: str | None) -> None:
    """A site's name is never refused: what nobody may be called is left out."""
    assert cleaned_name(name) == cleaned


@given(st.text(max_size=60))
def test_any_name_is_cleaned(name: str) -> None:
    """Cleaning any name leaves no name or a valid one, which cleaning does not change again."""
    cleaned = cleaned_name(name)
    if cleaned is not None:
        assert checked_name(cleaned) == cleaned == cleaned_name(cleaned)
