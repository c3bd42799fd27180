"""`livechat.identity.known`."""

from __future__ import annotations

from typing import Any

import pytest

from livechat.identity.actor import Lease
from livechat.identity.known import known
from livechat.interfaces import Identity
from livechat.protocol.messages import User, user_of_text, user_to_text


@pytest.mark.parametrize(
    "known_as",
    [
        "", " ", "a b", "a!", "!operator", "x" * 65, "a\u200b", "\u2800",
        "a\n", 42,
    ],
)  # fmt: skip
def test_ids_that_nobody_can_have_are_refused(known_as: Any) -> None:
    """An id that is too long, has what cannot be seen, or ``!``, as livechat's own have."""
    with pytest.raises(ValueError, match=r"an id has|blanks"):
        known(Identity(known_as), 0)


@pytest.mark.parametrize("known_as", ["42", "é", "ann@example.org", "a:b", "नमस्ते", "x" * 64])
def test_ids_come_back_from_a_store_as_they_went(known_as: str) -> None:
    """All others, which come back from a store as they went."""
    user = known(Identity(known_as, "Ann", "vip"), 0).user
    assert user == User(known_as, "Ann", "vip", verified=True)
    assert user_of_text(user_to_text(user)) == user


@pytest.mark.parametrize(
    ("role", "shown"),
    [
        (None, None), ("", None), ("vip", "vip"), ("Team lead", "Team-lead"), ("operator", None),
        ("0perat\u043er", None), ("\u202evip", "vip"), ("x" * 21, "x" * 20), ("\t", None),
        ("a\tv", "av"),
    ],
)  # fmt: skip
def test_a_role_is_cleaned_and_never_an_operators(role: str | None, shown: str | None) -> None:
    """A badge is cleaned, and never looks like an operator's."""
    assert known(Identity("42", "Ann", role), 0).user.role == shown


def test_an_identity_without_times_counts_and_does_not_end() -> None:
    """An identity that says nothing of it counts from now on, and does not end."""
    assert known(Identity("42"), 7.9).lease == Lease(7)
    assert known(Identity("42", issued=1, ends=2, token="t"), 7).lease == Lease(1, 2, "t")


def test_rooms_left_out_are_those_of_all_users() -> None:
    """Rooms that are left out are those of all users; none are none."""
    assert known(Identity("42"), 0).grants is None
    assert known(Identity("42", rooms={}), 0).grants == {}
    with pytest.raises(ValueError, match="no right"):
        known(Identity("42", rooms={"a": ["fly"]}), 0)
