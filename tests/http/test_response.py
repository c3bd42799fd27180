"""`livechat.http.response`."""

from __future__ import annotations

import json

from livechat.errors import ChatError, Kind
from livechat.http.response import SAFETY, Response, problem


def test_own_headers_override() -> None:
    """A header that an answer brings replaces the one that all have."""
    own = Response(headers=(("content-security-policy", "default-src 'self'"),)).all_headers()
    policies = [value for name, value in own if name.lower() == "content-security-policy"]
    assert policies == ["default-src 'self'"]
    assert len(own) == len(SAFETY)


def test_problem() -> None:
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


def test_problem_without_retry() -> None:
    """Where waiting does not help, nothing says how long to wait."""
    names = [name for name, _ in problem(ChatError(Kind.NOT_FOUND, "No.")).headers]
    assert "Retry-After" not in names
