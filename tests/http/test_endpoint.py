"""`livechat.http.endpoint`."""

from __future__ import annotations

import pytest
from twisted.logger import capturedLogs

from livechat.http.call import Call
from livechat.http.endpoint import Endpoint
from livechat.http.response import Response
from tests.support import Port

FORM = {"Content_Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "TRACE"])
def test_unknown_methods_are_told_the_allowed_ones(port: Port, method: str) -> None:
    """An unknown method is answered with the allowed ones."""
    answer = port.ask(method, "/chat/send/")
    assert answer.status == 405
    assert answer.headers["allow"] == "POST, OPTIONS"


def test_a_post_is_told_that_head_comes_with_get(port: Port) -> None:
    """The allowed methods have HEAD where there is GET."""
    answer = port.ask("POST", "/chat/history/", b"x", **FORM)
    assert answer.code() == "method_not_allowed"
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


def test_options_lists_the_allowed_methods(port: Port) -> None:
    """OPTIONS is answered with the allowed methods."""
    answer = port.ask("OPTIONS", "/chat/send/")
    assert (answer.status, answer.headers["allow"]) == (204, "POST, OPTIONS")
    assert "access-control-allow-methods" not in answer.headers


def test_a_bug_of_an_endpoint_is_logged_and_not_shown(port: Port) -> None:
    """An unexpected exception of an endpoint is logged, and its cause is not in the answer."""

    async def broken(call: Call) -> Response:
        raise ZeroDivisionError("secret")

    port.tree.put("/x", Endpoint({"GET": broken}))
    with capturedLogs() as events:
        answer = port.ask("GET", "/x")
    assert (answer.status, answer.code()) == (500, "internal")
    assert b"secret" not in answer.body
    assert [event["log_failure"].type for event in events] == [ZeroDivisionError]
