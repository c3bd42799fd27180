"""`livechat.http.mount`: other people's resources, with the same bounds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.web.resource import EncodingResourceWrapper, Resource
from twisted.web.server import NOT_DONE_YET, GzipEncoderFactory
from twisted.web.static import File
from twisted.web.wsgi import WSGIResource

from livechat.errors import ChatError, Kind
from livechat.http import request as requests
from livechat.http.connection import _Stage
from tests.support import HANDSHAKE, Port, World, request

FORM = {"Content_Type": "application/x-www-form-urlencoded"}


class Answering(Resource):
    """A resource that answers by a function, at any path."""

    isLeaf = True

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        super().__init__()
        self.answer = answer

    def render_GET(self, request: Any) -> Any:
        return self.answer(request)

    def render_POST(self, request: Any) -> Any:
        return self.answer(request)


def keeping(kept: list[Any], answer: Any) -> Callable[[Any], Any]:
    """Make an answer that keeps its requests."""

    def keep(request: Any) -> Any:
        kept.append(request)
        return answer

    return keep


def mounted(world: World, answer: Callable[[Any], Any], **options: Any) -> Port:
    return Port(world, mounts={"/site": Answering(answer)}, **options)


@pytest.fixture
def cooperating(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Twisted write files on the test's clock."""
    cooperator = task.Cooperator(scheduler=lambda step: world.clock.callLater(0, step))
    monkeypatch.setattr(task, "_theCooperator", cooperator)


@pytest.mark.usefixtures("cooperating")
def test_files_are_served_with_types_and_ranges(world: World, tmp_path: Path) -> None:
    """Files are served as by any site: types, ranges, HEAD, and the slash of a folder."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a b.txt").write_text("hello")
    port = Port(world, mounts={"/site": File(str(tmp_path))})
    answer = port.ask("GET", "/site/sub/a%20b.txt")
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "date" in answer.headers
    assert "server" not in answer.headers
    headed = port.ask("HEAD", "/site/sub/a%20b.txt")
    assert (headed.status, headed.headers["content-length"], headed.body) == (200, "5", b"")
    assert port.ask("GET", "/site/sub/a%20b.txt", Range="bytes=1-2").body == b"el"
    assert port.ask("GET", "/site/sub").headers["location"] == "/site/sub/"
    for path in ("/site/nothing", "/site/../setup.py", "/site/%2e%2e/setup.py", "/site/sub%2fa"):
        assert port.ask("GET", path).status == 404


def test_a_wsgi_application_knows_its_client(world: World) -> None:
    """A WSGI application gets what was asked, and the client's address."""
    seen: dict[str, Any] = {}

    def application(environ: dict[str, Any], start: Any) -> list[bytes]:
        seen.update(environ, body=environ["wsgi.input"].read())
        start("201 Created", [("Content-Type", "text/x"), ("Set-Cookie", "a=b")])
        return [b"one", b"two"]

    class AtOnce:
        """A reactor and a pool of threads, in one thread."""

        def callInThread(self, call: Any, *args: Any) -> None:
            call(*args)

        callFromThread = callInThread

        def __getattr__(self, name: str) -> Any:
            return getattr(world.clock, name)

    resource = WSGIResource(AtOnce(), AtOnce(), application)
    port = Port(world, mounts={"/a/site": resource}, proxies=["192.0.2.9"], names=["chat.example"])
    told = {"X_Forwarded_For": "203.0.113.1", "X_Forwarded_Host": "chat.example"}
    answer = port.ask("POST", "/a/site/x%2Fy/?q=1", b"a=b", **FORM, **told, _from="192.0.2.9")
    assert (answer.status, answer.body) == (201, b"onetwo")
    assert (answer.headers["content-type"], answer.headers["set-cookie"]) == ("text/x", "a=b")
    expected = {
        "SCRIPT_NAME": "/a/site",
        "PATH_INFO": "/x/y/",
        "QUERY_STRING": "q=1",
        "SERVER_NAME": "chat.example",
        "SERVER_PORT": "443",
        "REMOTE_ADDR": "203.0.113.1",
        "wsgi.url_scheme": "https",
        "body": b"a=b",
    }
    assert {name: seen[name] for name in expected} == expected


def test_a_stream_ends_at_its_deadline(world: World) -> None:
    """Written bytes are sent at once; a stream may go on up to its deadline, and then is cut."""
    asked: list[Any] = []
    port = mounted(world, keeping(asked, NOT_DONE_YET))
    wire = port.connect()
    wire.send(request("GET", "/site"))
    assert wire.received() == b""
    for text in (b"one", b"two"):
        asked[0].write(text)
        world.clock.advance(_Stage.ANSWER.value - 1)
        assert text in wire.received()
    asked[0].finish()
    assert wire.received() == b"0\r\n\r\n"
    wire.send(request("GET", "/site"))
    asked[1].write(b"x")
    lost = asked[1].notifyFinish()
    world.clock.advance(_Stage.STREAM.value)
    assert wire.aborted
    wire.hang_up()
    lost.addErrback(lambda failure: asked.append(failure.type))
    assert len(asked) == 3


def test_stream_that_nobody_reads(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resource that writes without looking whether its client reads is stopped."""
    monkeypatch.setattr(requests, "MOST_UNREAD", 1_000)
    asked: list[Any] = []
    port = mounted(world, keeping(asked, NOT_DONE_YET))
    wire = port.connect()
    wire.send(request("GET", "/site"))
    for _ in range(5):
        asked[0].write(b"x" * 900)
    assert not wire.aborted
    wire.transport.full = True
    asked[0].write(b"x" * 900)
    assert not wire.aborted
    with capturedLogs() as events:
        asked[0].write(b"x" * 900)
        asked[0].write(b"x" * 900)
    assert wire.aborted
    assert any("does not read" in event["log_format"] for event in events)
    wire.hang_up()


def test_a_resource_that_never_answers_is_cut(world: World) -> None:
    """A resource that never answers holds its client for no longer than an endpoint may."""
    port = mounted(world, lambda request: NOT_DONE_YET)
    wire = port.connect()
    wire.send(request("GET", "/site"))
    world.clock.advance(_Stage.ANSWER.value - 1)
    assert not wire.aborted
    world.clock.advance(1)
    assert wire.aborted
    wire.hang_up()
    assert port.factory.channels == set()


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_resource_that_raises_is_logged(world: World, method: str, begun: bool) -> None:
    """A resource that raises is in the log, and its client gets our 500, or is cut off."""

    def broken(request: Any) -> bytes:
        request.setHeader(b"Content-Length", b"9999")
        request.addCookie(b"a", b"b")
        request.setETag(b'"x"')
        if begun:
            request.write(b"x")
        raise ZeroDivisionError("secret")

    port = mounted(world, broken, headers=(("Strict-Transport-Security", "max-age=1"),))
    wire = port.connect()
    with capturedLogs() as events:
        wire.send(request(method, "/site/x?token=y"))
    assert [event["log_failure"].type for event in events if "log_failure" in event] == [
        ZeroDivisionError
    ]
    if begun:
        assert wire.aborted
    else:
        answer = wire.answer(method)
        assert answer.status == 500
        assert method == "HEAD" or answer.code() == "internal"
        assert not {"set-cookie", "etag"} & answer.headers.keys()
        assert answer.headers["strict-transport-security"] == "max-age=1"
    wire.hang_up()


def test_a_resource_that_writes_too_late_harms_nobody(world: World) -> None:
    """A resource that writes to a client that has gone, or raises behind its answer, harms none."""
    asked: list[Any] = []
    port = mounted(world, keeping(asked, NOT_DONE_YET))
    wire = port.connect()
    wire.send(request("GET", "/site"))
    lost = asked[0].notifyFinish()
    wire.hang_up()
    asked[0].write(b"x")
    lost.addErrback(lambda failure: asked.append(failure.type))
    assert len(asked) == 2

    def done(request: Any) -> bytes:
        request.write(b"done")
        request.finish()
        raise ZeroDivisionError

    port = mounted(world, done)
    wire = port.connect()
    with capturedLogs() as events:
        wire.send(request("GET", "/site") + request("GET", "/healthz"))
    first, second = wire.answers()
    assert (first.body, second.json()["status"]) == (b"done", "ok")
    assert [event["log_failure"].type for event in events] == [ZeroDivisionError]


@pytest.mark.parametrize("answer", ["text", None, 7])
def test_a_resource_without_bytes_is_a_bug(world: World, answer: Any) -> None:
    """A resource that returns no bytes is answered as a bug."""
    port = mounted(world, lambda request: answer)
    with capturedLogs() as events:
        assert port.ask("GET", "/site").code() == "internal"
    assert any("not bytes" in str(event.get("log_failure")) for event in events)


def test_a_resource_may_refuse_as_we_do(world: World) -> None:
    """A resource may raise our errors; a method that it does not know is refused as ours are."""

    def refuse(request: Any) -> bytes:
        raise ChatError(Kind.RATE_LIMITED, "Not so fast.", retry_after=3)

    port = mounted(world, refuse)
    answer = port.ask("GET", "/site")
    assert (answer.code(), answer.headers["retry-after"]) == ("rate_limited", "3")
    for method in ("PUT", "DELETE", "OPTIONS", "BREW"):
        answer = port.ask(method, "/site/x")
        assert answer.code() == "method_not_allowed"
        assert sorted(answer.headers["allow"].split(", ")) == ["GET", "HEAD", "POST"]
    page = port.ask("PUT", "/site", Accept="text/html")
    assert page.headers["content-type"].startswith("text/html")


def test_head_of_a_resource_without_it(world: World) -> None:
    """HEAD is answered as GET is, without a body, also where a resource does not know it."""

    class Old(Answering):
        render_HEAD = property()

        def __getattribute__(self, name: str) -> Any:
            if name == "render_HEAD":
                raise AttributeError(name)
            return super().__getattribute__(name)

        allowedMethods = (b"GET",)

    port = Port(world, mounts={"/site": Old(lambda request: b"four")})
    answer = port.ask("HEAD", "/site")
    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "4", b"")


def test_a_foreign_request_does_not_reach_a_resource(world: World) -> None:
    """A request by another name, or of another site, does not reach the resource."""
    asked: list[Any] = []
    options: dict[str, Any] = {"names": ["localhost"], "origins": ["https://app.example"]}
    port = mounted(world, keeping(asked, b""), **options)
    for headers, code in (
        ({"Host": "evil.example"}, "misdirected"),
        ({"Host": "a b"}, "bad_host"),
        ({"Origin": "https://evil.example"}, "bad_origin"),
        ({"Sec_Fetch_Site": "cross-site"}, "bad_origin"),
    ):
        assert port.ask("POST", "/site", b"a=b", **FORM, **headers).code() == code
    assert asked == []
    for origin in ("https://localhost:10443", "https://app.example"):
        answer = port.ask("POST", "/site", b"a=b", **FORM, Origin=origin)
        assert answer.status == 200
        # CORS headers are the resource's own.
        assert "access-control-allow-origin" not in answer.headers
    assert port.ask("GET", "/sites").code() == "not_found"
    assert port.ask("GET", "//site").code() == "not_found"


def test_bodies_of_resources_are_bounded(world: World) -> None:
    """The body is bounded, in a resource's hands when it is whole, and bytes in memory."""
    port = mounted(world, lambda request: request.content.read())
    most = port.factory.max_body
    assert port.ask("POST", "/site", b"x" * (most + 1)).code() == "body_too_large"
    assert port.ask("POST", "/site", b"x" * most).body == b"x" * most
    wire = port.connect()
    wire.send(request("POST", "/site", Content_Length="10") + b"x")
    world.clock.advance(_Stage.BODY.value)
    assert wire.answer().code() == "too_slow"


def test_a_request_waits_for_a_slow_resource(world: World) -> None:
    """A request behind one to a slow resource is answered after it."""
    waiting: Deferred[None] = Deferred()

    def later(request: Any) -> int:
        waiting.addCallback(lambda _: (request.write(b"late"), request.finish()))
        return NOT_DONE_YET

    port = mounted(world, later)
    wire = port.connect()
    wire.send(request("GET", "/site") + request("GET", "/healthz"))
    assert wire.received() == b""
    waiting.callback(None)
    first, second = wire.answers()
    assert (first.body, second.json()["status"]) == (b"late", "ok")


def test_a_resource_may_keep_sessions(world: World) -> None:
    """A resource may keep sessions of its visitors."""
    port = mounted(world, lambda request: request.getSession().uid)
    first = port.ask("GET", "/site")
    cookie = first.headers["set-cookie"]
    assert cookie.startswith("TWISTED_SECURE_SESSION=")
    assert "secure" in cookie.lower()
    again = port.ask("GET", "/site/x", Cookie=cookie.partition(";")[0])
    assert again.body == first.body
    for session in tuple(port.factory.sessions.values()):
        session.expire()


def test_a_resource_may_be_compressed(world: World) -> None:
    """A resource may be wrapped to be sent compressed."""
    resource = EncodingResourceWrapper(Answering(lambda _: b"x" * 1_000), [GzipEncoderFactory()])
    port = Port(world, mounts={"/site": resource})
    answer = port.ask("GET", "/site", Accept_Encoding="gzip")
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.body) < 100
    assert port.ask("GET", "/site").body == b"x" * 1_000


def test_a_handshake_at_a_resource_closes_the_connection(world: World) -> None:
    """A handshake that a resource answers as a request closes the connection, as elsewhere."""
    port = mounted(world, lambda _: b"")
    wire = port.connect()
    wire.send(request("GET", "/site", **HANDSHAKE))
    assert wire.answer().headers["connection"] == "close"
    assert wire.closing
