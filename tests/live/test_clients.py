"""The wire contract, with the clients that people use."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.live.command import done
from tests.live.daemon import Daemon, Member, rest
from tests.live.wscat import Wscat
from tests.support import HANDSHAKE, client_frame, request, server_frame


def test_wscat_chats_in_one_room(daemon: Daemon) -> None:
    """Two clients in a room both get exactly the message; a third elsewhere gets nothing."""
    with (
        Wscat(daemon, "room_name") as one,
        Wscat(daemon, "room_name") as two,
        Wscat(daemon, "elsewhere") as other,
    ):
        one.says('{"message": "hi"}')
        for client in (one, two):
            assert client.hears(1) == [{"message": "hi"}]
        other.says('{"message": "me"}')
        assert other.hears(1) == [{"message": "me"}]


def test_wscat_bad_frame(daemon: Daemon) -> None:
    """Text that is no JSON is answered with an error, and the client may go on."""
    with Wscat(daemon, "typing") as client:
        client.says("hello?")
        client.hears(1)
        client.says('{"message": "hello"}')
        error, message = client.hears(2)
        assert error["error"]["code"] == "bad_json"
        assert message == {"message": "hello"}


def test_wscat_is_told_why_it_is_restricted(daemon: Daemon) -> None:
    """A muted client reads on; a banned one is disconnected; both get the reason."""
    room = "moderated/?name=Ann&client=kkkkkkkkkkkkkkkk"
    with Wscat(daemon, room) as wscat, daemon.socket(room) as plain, told(daemon) as other:
        wscat.says('{"message": "hi"}')
        assert wscat.hears(1) == [json.loads(plain.recv())] == [{"message": "hi"}]
        ann = {"user": said(other)["user"]["id"], "guest": True}
        act(daemon, type="restrict", kind="mute", reason="spam", **ann)
        wscat.says('{"message": "hi again"}')
        error = wscat.hears(2)[1]["error"]
        assert (error["code"], error["detail"]) == ("muted", "You are muted: spam")
        act(daemon, type="message", message="to all")
        assert wscat.hears(3)[2] == json.loads(plain.recv()) == {"message": "to all"}
        act(daemon, type="restrict", kind="ban", reason="raid", **ann)
        wscat.output.wait_for("Disconnected .code: 4403, reason: .You are banned: raid")
        close = plain.closed()
        assert close is not None
        assert (close.code, close.reason) == (4403, "You are banned: raid")


def told(daemon: Daemon) -> Member:
    return daemon.socket("moderated/", subprotocols=["livechat.v1"])


def said(member: Member) -> Any:
    """The next message that *member* hears."""
    while (frame := json.loads(member.recv()))["type"] != "message":
        pass
    return frame


def act(daemon: Daemon, **action: Any) -> None:
    """Do something by the command."""
    done(daemon, "act", "moderated", json.dumps(action))


def test_wscat_is_refused_an_impossible_room(daemon: Daemon) -> None:
    """A room that cannot be is refused before the socket opens."""
    client = Wscat(daemon, "a%20b")
    client.output.wait_for("400")
    client.__exit__()


def test_curl_sends_and_reads(daemon: Daemon) -> None:
    """Sending and history work from curl, as JSON and as a form."""
    url = daemon.url
    assert json.loads(daemon.curl(f"{url}/chat/history/")) == {"chat_history": []}
    sent = daemon.curl(
        "-d", '{"message":"hi"}', "-H", "content-type: application/json", f"{url}/chat/send/"
    )
    assert json.loads(sent) == {"message": "Message sent!"}
    assert json.loads(daemon.curl("-d", "message=there", f"{url}/chat/send")) == json.loads(sent)
    assert [each["message"] for each in daemon.history()] == ["hi", "there"]
    assert [each["message"] for each in daemon.history("?limit=1")] == ["there"]
    assert json.loads(daemon.curl(f"{url}/chat/history/?room=other")) == {"chat_history": []}


def test_curl_with_the_certificate(daemon: Daemon) -> None:
    """Curl accepts the self-made certificate as its own authority."""
    authority = str(daemon.directory / "certs" / "livechat.crt")
    for host in ("localhost", "127.0.0.1", "[::1]"):
        url = f"https://{host}:{daemon.port}/healthz"
        assert json.loads(daemon.curl("--no-insecure", "--cacert", authority, url))


def test_curl_asks_for_http2_and_gets_http1(daemon: Daemon) -> None:
    """A client that would like HTTP/2 gets HTTP/1.1."""
    shown = daemon.curl("--http2", "-w", "%{http_version}", "-o", "/dev/null", daemon.url)
    assert shown == "1.1"


def test_socket_and_http_share_rooms(daemon: Daemon) -> None:
    """Messages over HTTP reach sockets, and those of sockets are in the history."""
    with daemon.socket("shared") as one, daemon.socket("%73hared") as two:
        daemon.curl("-d", "message=from curl", f"{daemon.url}/chat/send/shared/")
        for client in (one, two):
            assert json.loads(client.recv(timeout=10)) == {"message": "from curl"}
        two.send('{"message": "from a socket", "ignored": [1, 2]}')
        assert json.loads(one.recv(timeout=10)) == {"message": "from a socket"}
    texts = [each["message"] for each in daemon.history("shared/")]
    assert texts == ["from curl", "from a socket"]


def test_without_last_slash(daemon: Daemon) -> None:
    """A room's address works with and without its last slash."""
    with daemon.socket("slash") as one, daemon.socket("slash/") as two:
        one.send('{"message": "x"}')
        assert json.loads(two.recv(timeout=10)) == {"message": "x"}


def test_concurrent_messages_have_one_order(daemon: Daemon) -> None:
    """Concurrent messages reach everybody in the same order, that of the history."""
    clients = [daemon.socket("order") for _ in range(3)]
    for number in range(100):
        for index, client in enumerate(clients):
            client.send(json.dumps({"message": f"{index}-{number}"}))
    heard = []
    for client in clients:
        heard.append([json.loads(client.recv(timeout=10))["message"] for _ in range(300)])
        client.close()
    assert heard[0] == heard[1] == heard[2]
    stored = daemon.history("order/?limit=1000")
    assert [each["message"] for each in stored] == heard[0]
    assert [each["seq"] for each in stored] == list(range(1, 301))


def test_a_close_code_is_echoed(daemon: Daemon) -> None:
    """A client's close code comes back to it."""
    client = daemon.socket()
    client.close(4000, "bye")
    assert client.close_received is not None
    assert client.close_received.code == 4000


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost"])
def test_a_foreign_origin_opens_no_socket(daemon: Daemon, origin: str) -> None:
    """A page of another origin cannot open a socket."""
    with pytest.raises(InvalidStatus) as caught:
        daemon.socket(origin=origin)
    assert caught.value.response.status_code == 403
    assert json.loads(caught.value.response.body)["code"] == "bad_origin"


def test_the_own_origin_opens_a_socket(daemon: Daemon) -> None:
    """A page of this server can."""
    daemon.socket(origin=f"https://localhost:{daemon.port}").close()


def test_compression_and_subprotocols_are_not_needed(daemon: Daemon) -> None:
    """A client that offers more than the server speaks gets plain mode."""
    with daemon.socket("offers", subprotocols=["soap"], compression="deflate") as client:
        assert client.subprotocol is None
        client.send('{"message": "x"}')
        assert json.loads(client.recv(timeout=10)) == {"message": "x"}


def test_too_large_a_frame(daemon: Daemon) -> None:
    """A frame over the limit is answered with 1009, a close frame."""
    client = daemon.socket()
    client.send("x" * 200_000)
    with pytest.raises(ConnectionClosed) as caught:
        client.recv(timeout=10)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1009


def test_frames_behind_the_handshake(daemon: Daemon) -> None:
    """A message in one TLS record with its handshake is not lost."""
    handshake = request("GET", "/ws/chat/early/", **HANDSHAKE)
    connection = daemon.raw(handshake + client_frame(b'{"message": "early"}'))
    data = b""
    while b"early" not in data:
        data += connection.recv(1_000)
    connection.sendall(client_frame(b"\x03\xe8", 8))
    head, _, data = (data + rest(connection)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101")
    opcode, payload, data = server_frame(data)
    assert (opcode, json.loads(payload)) == (1, {"message": "early"})
    assert server_frame(data)[0] == 8
