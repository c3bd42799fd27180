"""`livechat.backends.amending`; `tests.amend_contract` has them with every backend."""

from __future__ import annotations

import pytest

from livechat.backends.amending import check_edit, check_retraction
from livechat.errors import ChatError, Kind
from livechat.protocol.messages import MOST_EDITS, Edit, Message, Retraction, User

ANN = User("1", "Ann")
MINE = Message("a", 1, 1_000, ANN)
OTHERS = Message("b", 2, 1_000, User("1", "Ann", None, verified=True))
NOBODYS = Message("c", 3, 1_000)


@pytest.mark.parametrize(
    ("found", "edits", "since", "kind"),
    [
        (None, 0, 0, Kind.NOT_FOUND),
        (OTHERS, 0, 0, Kind.FORBIDDEN),
        (NOBODYS, 0, 0, Kind.FORBIDDEN),
        (OTHERS, MOST_EDITS, 2_000, Kind.FORBIDDEN),
        (MINE, 0, 1_001, Kind.TOO_LATE),
        (MINE, MOST_EDITS, 1_000, Kind.TOO_MANY_EDITS),
    ],
)
def test_edits_that_are_refused(found: Message | None, edits: int, since: int, kind: Kind) -> None:
    """A missing message is missing to everybody; another's is refused before its age counts."""
    with pytest.raises(ChatError) as caught:
        check_edit(Edit("r", 1, "x", ANN.subject, since), found, edits)
    assert caught.value.kind is kind


def test_an_author_may_edit_up_to_the_bounds() -> None:
    """An author may edit up to the last moment, and up to the last of the allowed edits."""
    edit = Edit("r", 1, "x", ANN.subject, MINE.time)
    assert check_edit(edit, MINE, MOST_EDITS - 1) is MINE


@pytest.mark.parametrize(
    ("found", "by"),
    [((MINE,), "author"), ((MINE, OTHERS), "moderator"), ((NOBODYS,), "moderator")],
)
def test_retracting_others_takes_a_moderator(found: tuple[Message, ...], by: str) -> None:
    """All of one's own is the author's act; with any other it takes a moderator."""
    refs = tuple(each.seq for each in found)
    assert check_retraction(Retraction("r", refs, ANN.subject, moderates=True), found) == by
    retraction = Retraction("r", refs, ANN.subject)
    if by == "author":
        assert check_retraction(retraction, found) == by
    else:
        with pytest.raises(ChatError) as caught:
            check_retraction(retraction, found)
        assert caught.value.kind is Kind.FORBIDDEN


@pytest.mark.parametrize("moderates", [False, True])
def test_nothing_to_retract(moderates: bool) -> None:
    with pytest.raises(ChatError) as caught:
        check_retraction(Retraction("r", (1,), ANN.subject, moderates), ())
    assert caught.value.kind is Kind.NOT_FOUND


@pytest.mark.parametrize("author", [None, "", "None"])
def test_messages_of_nobody(author: str | None) -> None:
    """Messages without a user belong to nobody, not to everybody without a user."""
    with pytest.raises(ChatError) as caught:
        check_retraction(Retraction("r", (3,), author), (NOBODYS,))
    assert caught.value.kind is Kind.FORBIDDEN
