"""``livechat.v1`` and server-sent events, with a real daemon and real clients."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.live.client import Client
from tests.live.daemon import PATIENCE, Daemon, Output
from tests.live.wscat import Wscat

KEY = "k" * 16


class Curl:
    """``curl -N`` on an event stream."""

    def __init__(self, daemon: Daemon, room: str, *options: str) -> None:
        self._process = subprocess.Popen(
            ["curl", "-sSkN", *options, f"{daemon.url}/chat/events/{room}/"],
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self.output = Output(self._process.stdout.fileno())

    def __enter__(self) -> Curl:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)
        self.output.close()
        assert self._process.stdout is not None
        self._process.stdout.close()


def test_two_clients_and_a_plain_one_talk(daemon: Daemon) -> None:
    """Two clients, and a plain one among them."""
    with (
        Client(daemon, "talk", "?name=Ann") as one,
        Client(daemon, "talk") as two,
        Wscat(daemon, "talk") as plain,
    ):
        assert one.subprotocol == "livechat.v1"
        ann = one.hears("hello")["user"]
        assert ann["name"] == "Ann"
        assert two.hears("hello")["seq"] == 0
        one.says(type="message", message="hi", nonce="n")
        assert one.hears("ack")["seq"] == 1
        heard = two.hears("message")
        assert (heard["message"], heard["seq"], heard["user"]) == ("hi", 1, ann)
        assert plain.hears(1) == [{"message": "hi"}]
        plain.says('{"message": "from wscat"}')
        assert two.hears("message")["message"] == "from wscat"
        two.says(type="presence")
        assert two.hears("presence")["users"] == 3


def test_the_protocol_can_be_typed(daemon: Daemon) -> None:
    """The protocol can be typed."""
    with Wscat(daemon, "typed", "-s", "livechat.v1") as client:
        client.hears(1)
        client.says('{"message": "hi"}')
        kinds = sorted(frame["type"] for frame in client.hears(3))
        assert kinds == ["ack", "hello", "message"]


@pytest.mark.parametrize(
    ("room", "query", "code"),
    [
        ("a%20b", "", 4400),
        ("r", "?since=nonsense", 4400),
        ("r", "?client=short", 4400),
        ("r", "?name=" + 41 * "x", 4400),
        ("r", "?name=a&name=b", 4400),
    ],
)
def test_a_refusal_is_a_close_code_with_its_reason(
    daemon: Daemon, room: str, query: str, code: int
) -> None:
    """A client that a browser would leave in the dark is told by a close code, with the reason."""
    with Client(daemon, room, query) as client, pytest.raises(ConnectionClosed):
        client.recv()
    assert client.close_received is not None
    assert client.close_received.code == code
    assert len(client.close_received.reason) > 20


def test_a_foreign_origin_is_refused(daemon: Daemon) -> None:
    """A page of another site is refused as always."""
    with pytest.raises(InvalidStatus) as refused:
        Client(daemon, "r", origin="https://evil.example")
    assert refused.value.response.status_code == 403


def test_too_many_connections(start: Callable[..., Daemon]) -> None:
    """A connection too many is closed with its code; over HTTP the status is 429."""
    daemon = start("--max-connections-per-ip=1")
    with Client(daemon, "r") as first, Client(daemon, "r") as second:
        first.hears("hello")
        with pytest.raises(ConnectionClosed):
            second.recv()
        assert second.close_received is not None
        assert second.close_received.code == 4201
        offered = ("-H", "Sec-WebSocket-Protocol: livechat.v1")
        answer = daemon.curl(
            "-o", "/dev/null", "-w", "%{http_code}", *offered, f"{daemon.url}/healthz"
        )
        assert answer == "429"


def test_resume_after_a_kill(start: Callable[..., Daemon]) -> None:
    """A daemon that was killed goes on where it was, and nothing is said twice."""
    daemon = start()
    client = Client(daemon, "r", f"?client={KEY}")
    hello = client.hears("hello")
    client.says(type="message", message="a", nonce="n")
    client.hears("ack")
    daemon.kill()
    daemon = start()
    back = Client(daemon, "r", f"?client={KEY}&since={hello['epoch']}:0")
    assert back.hears("hello")["user"] == hello["user"]
    assert back.hears("resumed") == {"type": "resumed", "complete": True, "from": 1, "to": 1}
    assert back.hears("message")["message"] == "a"
    back.says(type="message", message="a", nonce="n")
    assert back.hears("ack")["duplicate"] is True
    back.close()


def test_a_daemon_that_ends_says_when_to_be_back(start: Callable[..., Daemon]) -> None:
    """A daemon that ends says when to be back."""
    daemon = start()
    client = Client(daemon, "r")
    client.hears("hello")
    with Curl(daemon, "r") as curl:
        curl.output.wait_for("event: hello")
        daemon.process.send_signal(signal.SIGTERM)
        assert 0 < client.hears("goaway")["retry_ms"] < 60_000
        with pytest.raises(ConnectionClosed):
            client.recv()
        assert client.close_received is not None
        assert client.close_received.code == 1012
        curl.output.wait_for(r"retry: \d+\nevent: goaway\n")
    assert daemon.stop() in (0, -signal.SIGTERM)


def test_a_long_way_back(daemon: Daemon) -> None:
    """Far more than may wait for a member is no reason to close one that resumes."""
    text = "x" * 16_000
    many = 300
    # The sender reads nothing before the end, so frames to it wait in its own queue.
    with Client(daemon, "long", max_queue=None) as client:
        epoch = client.hears("hello")["epoch"]
        for number in range(many):
            client.says(message=f"{number} {text}")
        while client.hears("ack")["seq"] < many:
            pass
    with Client(daemon, "long", f"?since={epoch}:0") as back:
        assert back.hears("resumed")["to"] == many
        numbers = [int(back.hears("message")["message"].split()[0]) for _ in range(many)]
    assert numbers == list(range(many))


def test_events_resume_after_the_last_id(daemon: Daemon) -> None:
    """Messages come as events, and a client that names the last one gets those since."""
    url = f"{daemon.url}/chat/send/feed/"
    with Curl(daemon, "feed") as curl:
        curl.output.wait_for("event: hello")
        daemon.curl("-d", "message=a", url)
        seen = curl.output.wait_for(r"event: message\nid: (\S+)\ndata: .*\"a\"")[1]
    daemon.curl("-d", "message=b", url)
    with Curl(daemon, "feed", "-H", f"Last-Event-ID: {seen}") as curl:
        curl.output.wait_for(
            'event: resumed\ndata: {"type":"resumed","complete":true,"from":2,"to":2}'
        )
        assert curl.output.wait_for(r"event: message\nid: \S+:(\d+)\n")[1] == "2"


def test_a_repeated_request_is_one_message(daemon: Daemon) -> None:
    """A repeated request is one message, also together with the user's socket."""
    url = f"{daemon.url}/chat/send/again/?client={KEY}&name=Ann"
    for _ in range(2):
        sent = daemon.curl("-d", "message=a", "-H", "Idempotency-Key: n", url)
        assert json.loads(sent) == {"message": "Message sent!"}
    refused = daemon.curl("-d", "message=b", "-H", "Idempotency-Key: n", url)
    assert json.loads(refused)["code"] == "nonce_reused"
    with Client(daemon, "again", f"?client={KEY}") as client:
        assert client.hears("hello")["seq"] == 1
        client.says(message="a", nonce="n")
        assert client.hears("ack")["duplicate"] is True
    (message,) = daemon.history("again/")
    assert message["user"]["name"] == "Ann"
    # Without a key it is one among those of all, and must be long.
    url = f"{daemon.url}/chat/send/again/"
    short = daemon.curl("-d", "message=c", "-H", "Idempotency-Key: n", url)
    assert json.loads(short)["code"] == "bad_request"
    for _ in range(2):
        daemon.curl("-d", "message=c", "-H", f"Idempotency-Key: {'n' * 16}", url)
    assert [each["message"] for each in daemon.history("again/")] == ["a", "c"]


def test_a_plain_client_may_ask_for_history(daemon: Daemon, tmp_path: Path) -> None:
    """A plain client may have what was said before."""
    url = f"{daemon.url}/chat/send/before/"
    for text in "abc":
        daemon.curl("-d", f"message={text}", url)
    with Wscat(daemon, "before/?history=2") as client:
        assert client.hears(2) == [{"message": "b"}, {"message": "c"}]
        client.says('{"message": "d"}')
        assert client.hears(3)[2] == {"message": "d"}
