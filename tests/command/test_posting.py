"""`livechat.command.posting`; tests of the commands have how it is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from livechat.command.output import CommandError
from livechat.command.posting import post
from tests.command.receiver import DeafPort, Receiver
from tests.support.site import HttpsSite, answers

SECRET = b"s" * 32


def test_a_receiver_can_verify_the_request() -> None:
    """A receiver can verify the request."""
    with Receiver() as receiver:
        receiver.secrets = [SECRET]
        found = post(receiver.url, b'{"data":[1]}', "msg_1", [SECRET])
        assert (found.status, found.good) == (204, True)
        assert receiver.events == [1]
        assert post(receiver.url, b"{}", "msg_1", [b"x" * 32]).good is False


def test_a_failure_has_its_reason_in_words(tmp_path: Path) -> None:
    """A failure's reason is told in words."""
    with DeafPort() as deaf, pytest.raises(CommandError, match="does not answer"):
        post(deaf.url, b"{}", "msg_1", [SECRET])
    with pytest.raises(CommandError, match="refused"):
        post("http://127.0.0.1:1/", b"{}", "msg_1", [SECRET])
    with (
        HttpsSite(tmp_path, answers(b"")) as site,
        pytest.raises(CommandError, match="certificate is not trusted"),
    ):
        post(site.url(), b"{}", "msg_1", [SECRET])
