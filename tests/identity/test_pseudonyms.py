"""`livechat.identity.pseudonyms`."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed

from livechat.errors import ChatError, Kind
from livechat.identity.known import checked_id
from livechat.identity.pseudonyms import NAME, Pseudonyms, is_pseudonym
from livechat.protocol.messages import User
from tests.support import run


def test_a_person_has_one_pseudonym() -> None:
    """A person has the same one everywhere, others have others, and it says nothing of the id."""
    one, other = (Pseudonyms(lambda: succeed(b"a secret")) for _ in range(2))
    user: User = run(one.find("u:42"))
    assert (user.name, user.verified) == (NAME, True)
    assert checked_id(user.id) == user.id
    assert "42" not in user.id.partition("-")[2] or user.id.count("42") < 3
    assert other.of("u:42") == user.subject
    assert is_pseudonym(user.subject)
    assert not is_pseudonym("u:42")
    found = {other.of(each) for each in ("u:42", "g:42", "u:43")}
    assert len(found) == 3
    assert Pseudonyms(lambda: succeed(b"another")).of("u:42") not in found


def test_without_the_secret_there_is_no_pseudonym() -> None:
    """Before the secret can be read there is none; then there is."""
    secrets: list[Deferred[bytes]] = [
        fail(ChatError(Kind.UNAVAILABLE, "away")), succeed(b"a secret"),
    ]  # fmt: skip
    pseudonyms = Pseudonyms(lambda: secrets.pop(0))
    assert pseudonyms.of("u:42") is None
    assert pseudonyms.of("u:42") is not None
    assert pseudonyms.of("u:42") is not None
