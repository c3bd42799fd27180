"""`livechat.command.webhooks`."""

from __future__ import annotations

import io
import json
import threading
from contextlib import redirect_stderr, redirect_stdout
from http.client import HTTPConnection
from http.server import HTTPServer
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from livechat.command import webhooks
from livechat.command.output import Output
from livechat.identity.site_secret import site_secrets
from livechat.protocol.signing import secret_to_text, signed
from tests.command.conftest import Command
from tests.command.fake import Fake, Said
from tests.command.receiver import Receiver

SECRET = b"s" * 32
GIVEN = {"LIVECHAT_WEBHOOK_SECRET": secret_to_text(SECRET)}
NOW = 1_790_000_000.0


def test_action_test(command: Command, tmp_path: Path) -> None:
    """One signed event is sent, and its answer printed; the exit code says whether it was taken."""
    with Receiver() as receiver:
        receiver.secrets = [SECRET]
        ran = command("webhook", "test", receiver.url, **GIVEN)
        assert (ran.code, ran.out.split(" after")[0]) == (0, "204 No Content")
        (event,) = receiver.events
        assert event["event"] == "test"
        receiver.secrets = [b"x" * 32]
        ran = command("webhook", "test", receiver.url, "--json", **GIVEN)
        assert ran.code == 1
        assert json.loads(ran.out)["status"] == 401
        assert "only a status of 200 to 299" in ran.err
        # Without an option the secret is the server's, from the state directory.
        receiver.secrets = site_secrets((), tmp_path / "state")
        assert command("webhook", "test", receiver.url).code == 0


@pytest.mark.parametrize(
    ("url", "environment", "why"),
    [
        ("http://example.org/", GIVEN, "must be https"),
        ("http://127.0.0.1:1/", GIVEN, "does not answer"),
        ("http://127.0.0.1:1/", {}, "webhook-secret: No such file"),
        ("http://127.0.0.1:1/", {"LIVECHAT_WEBHOOK_SECRET": "geheim"}, "must be whsec_"),
    ],
)
def test_an_event_that_was_not_sent_is_told(
    command: Command, url: str, environment: dict[str, str], why: str
) -> None:
    ran = command("webhook", "test", url, **environment)
    assert ran.code == 1
    assert why in ran.err
    assert "geheim" not in ran.err


class Listening:
    """The receiver for developers, in a thread."""

    def __init__(self) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        handler = webhooks._handler(Output(as_json=False), [SECRET])
        self.server = HTTPServer(("127.0.0.1", 0), handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=[0.05], daemon=True)
        self.thread.start()

    def post(self, body: bytes, headers: dict[str, str]) -> int:
        connection = HTTPConnection("127.0.0.1", self.server.server_port, timeout=10)
        with redirect_stdout(self.out), redirect_stderr(self.err):
            connection.request("POST", "/", body, headers)
            status = connection.getresponse().status
        connection.close()
        return status

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def test_listen_prints_signed_events() -> None:
    """Signed events are printed, one a line; other requests are refused, and never end it."""
    import time  # noqa: PLC0415

    listening = Listening()
    events = [
        {"event": "message", "room": "r", "seq": 7, "user": {"name": "Ann"}, "message": "\x1b[2J"},
        {"event": "vacated", "room": "r"},
    ]
    body = json.dumps({"type": "events", "data": events}).encode()
    headers = signed([SECRET], "msg_1", int(time.time()), body)
    Webhook(secret_to_text(SECRET)).verify(body, headers)
    try:
        assert listening.post(body, headers) == 204
        assert listening.post(body + b" ", headers) == 401
        assert listening.post(body, {}) == 401
        for odd in (b"", b"[]", b'{"data":7}', b'{"data":[7]}', b'{"data":[{}]}', b"[" * 9_000):
            assert listening.post(odd, signed([SECRET], "m", int(time.time()), odd)) == 401
        assert listening.post(b"x", {"Content-Length": "99999999999999"}) == 413
        assert listening.post(body, headers) == 204
    finally:
        listening.stop()
    lines = ["message r #7 Ann: \ufffd[2J", "vacated r"]
    assert listening.out.getvalue().splitlines() == lines * 2
    assert "refused: no signature fits" in listening.err.getvalue()


def test_listen_on_a_taken_port(command: Command) -> None:
    with Receiver() as receiver:
        port = receiver.url.rsplit(":", 1)[1].split("/")[0]
        ran = command("webhook", "listen", "--port", port, **GIVEN)
    assert (ran.code, "in use" in ran.err) == (1, True)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("90s", 1_789_999_910_000),
        ("3d", 1_789_740_800_000),
        ("2026-09-21T14:13:20+00:00", 1_790_000_000_000),
        ("1970-01-01T00:00:00+00:00", 0),
    ],
)
def test_a_moment_is_read(text: str, found: int) -> None:
    assert webhooks.since(text, NOW) == found


@pytest.mark.parametrize("text", ["", "7", "0s", "soon", "2026-13-01", "-2h", "9" * 400])
def test_texts_that_are_no_moment_are_refused(command: Command, text: str) -> None:
    with pytest.raises(ValueError, match="must be a time ago"):
        webhooks.since(text, NOW)
    assert command("webhook", "rewind", "--receiver=x", text).code == 2


def test_rewind_asks_the_running_server(command: Command, fake: Fake) -> None:
    """The running server is asked, by the local key; the answer is in words."""
    fake.answers = [
        Said(
            {
                "rewound": [
                    {"receiver": "a-1", "rooms": 3},
                    {"receiver": "b-2", "rooms": None},
                    {"receiver": "c-3", "rooms": 1},
                ]
            }
        )
    ]
    ran = command("webhook", "rewind", "2026-09-21T14:13:20+00:00", "--receiver", "https://a/")
    assert ran.code == 0
    (asked,) = fake.asked
    assert (asked.method, asked.path) == ("POST", "/chat/webhooks/rewind/")
    assert json.loads(asked.body) == {"since": 1_790_000_000_000, "receiver": "https://a/"}
    assert ran.out.splitlines() == [
        "a-1 is told anew, of 3 rooms",
        "b-2 is told anew, as soon as a process tells it",
        "c-3 is told anew, of 1 room",
    ]


def test_status_is_a_table_of_receivers(command: Command, fake: Fake) -> None:
    """A table of the receivers."""
    answer = {"time": 1_790_000_000_000, "seconds": 0.1, "status": 500, "text": "no\x1b"}
    fake.answers = [
        Said(
            {
                "webhooks": [
                    {"receiver": "a-1", "url": "https://a/", "state": "failing", "waiting": 7,
                     "sent": 3, "failed": 2, "answer": answer},
                    {"receiver": "b-2", "url": "https://b/"},
                ]
            }
        )
    ]  # fmt: skip
    ran = command("webhook", "status")
    head, first, second = ran.out.splitlines()
    assert head.split() == ["RECEIVER", "STATE", "WAITING", "SENT", "FAILED", "LAST", "ANSWER"]
    assert first.split()[:5] == ["a-1", "failing", "7", "3", "2"]
    assert first.endswith("500 no\ufffd")
    assert second.split() == ["b-2", "unknown", "0", "0", "0", "-"]
    fake.answers = [Said({"webhooks": []})]
    assert "--webhook names one" in command("webhook", "status").out
