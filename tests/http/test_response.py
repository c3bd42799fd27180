"""`livechat.http.response`."""

from __future__ import annotations

import json

import pytest

from livechat.errors import ChatError, Kind
from livechat.http.response import SAFETY, Response, problem


def test_own_headers_override() -> None:
    """A header that an answer brings replaces the one that all have."""
    own = Response(headers=(("content-security-policy", "default-src 'self'"),)).head()
    lines = own.decode().split("\r\n")
    policies = [line for line in lines if line.lower().startswith("content-security-policy")]
    assert policies == ["content-security-policy: default-src 'self'"]
    assert len(lines) == len(SAFETY) + 1
    assert Response().head().decode().split("\r\n")[:-1] == [f"{n}: {v}" for n, v in SAFETY]


@pytest.mark.parametrize("text", ["a\nX: b", "a\r\nX: b", "a\rb", "\n", "a\r"])
def test_a_line_break_makes_no_second_header(text: str) -> None:
    """A line break cannot make a header two."""
    for header in (("X", text), (text, "x")):
        with pytest.raises(ValueError, match="line break"):
            Response(headers=(header,)).head()


def test_an_error_is_rendered_as_a_problem() -> None:
    """An error is rendered as RFC 9457 says, with its headers."""
    error = ChatError(Kind.RATE_LIMITED, "Wait.", retry_after=0.2, headers=(("X", "y"),))
    answer = problem(error)
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body) == {
        "title": "Too Many Requests",
        "status": 429,
        "code": "rate_limited",
        "detail": "Wait.",
    }
    assert ("Retry-After", "1") in answer.headers
    assert ("X", "y") in answer.headers
    assert ("Content-Type", "application/problem+json") in answer.headers


def test_words_of_a_moderator_stand_by_themselves() -> None:
    """A moderator's words, and the case, stand by themselves where there are such."""
    error = ChatError(Kind.HELD, "Held: spam", reason="spam", case="c8f2")
    answer = problem(error)
    assert isinstance(answer.body, bytes)
    found = json.loads(answer.body)
    assert (found["reason"], found["case"]) == ("spam", "c8f2")


def test_problem_without_retry() -> None:
    """A problem that waiting does not cure has no Retry-After."""
    names = [name for name, _ in problem(ChatError(Kind.NOT_FOUND, "No.")).headers]
    assert "Retry-After" not in names
