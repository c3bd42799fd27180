"""`livechat.protocol.messages`."""

from __future__ import annotations

import pytest

from livechat.identity.actor import OPERATOR
from livechat.protocol.messages import User, user_of_text, user_to_text


@pytest.mark.parametrize(
    "user",
    [OPERATOR, User("1", "Ann"), User("a-b", " Ann  Lee "), User("2", "a\toperator b")],
    ids=ascii,
)
def test_a_kept_user_is_read_back(user: User) -> None:
    """A kept user is found again."""
    assert user_of_text(user_to_text(user)) == user


def test_kept_before_there_were_roles() -> None:
    """Old entries are read; a livechat that knows no roles reads the name of new ones."""
    assert user_of_text("kX3vPq0aT7yB Ann Lee") == User("kX3vPq0aT7yB", "Ann Lee")
    known_as, name = user_to_text(OPERATOR).split(" ", 1)
    assert name == "Operator"
    assert known_as.startswith(OPERATOR.id)


@pytest.mark.parametrize("text", ["", " ", "1", "1 ", " Ann", "\toperator Ann"], ids=ascii)
def test_other_texts_are_no_users(text: str) -> None:
    """Other texts are not taken for users."""
    with pytest.raises(ValueError, match="not a user"):
        user_of_text(text)
