"""The named cases of hostile HTTP, with a real daemon: test names end with them."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import suppress

import pytest

from livechat.protocol.wire import wire_limit
from tests.live.daemon import Daemon
from tests.live.siege import answer, siege, statuses
from tests.support import request

pytestmark = pytest.mark.alone

#: Bytes of a body, with messages of 16 KiB.
LIMIT = wire_limit(16_384)
JSON = {"Content_Type": "application/json", "Connection": "close"}
CLOSE = "Connection: close\r\n"
#: Processor seconds for a body that is read, but not parsed, beside bystanders.
UNPARSED = 0.2


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon whose temporary files would be seen."""
    directory = tmp_path_factory.mktemp("daemon")
    (directory / "tmp").mkdir()
    environment = {"TMPDIR": str(directory / "tmp")}
    with Daemon(directory, "--rate=0", "--rate-per-ip=0", environment=environment) as running:
        yield running


@pytest.fixture(autouse=True)
def under_siege(daemon: Daemon) -> Iterator[None]:
    with siege(daemon):
        yield


def lines(*given: str, body: bytes = b"") -> bytes:
    return "\r\n".join([*given, "", ""]).encode("latin-1") + body


def post(body: bytes, room: str = "h", **headers: str) -> bytes:
    return request("POST", f"/chat/send/{room}/", body, **(JSON | headers))


def chunked(*chunks: bytes, room: str = "h", trailer: bytes = b"\r\n") -> bytes:
    head = request(
        "POST", f"/chat/send/{room}/", **JSON, Transfer_Encoding="chunked", Content_Length=""
    )
    return (
        head + b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in chunks) + b"0\r\n" + trailer
    )


def problem(data: bytes) -> dict[str, str]:
    """The one answer, which is a problem."""
    head, _, body = data.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    found: dict[str, str] = json.loads(body)
    return found


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        ([], 400), (["localhost", "localhost"], 400), ([""], 400), (["a@b"], 400),
        (["localhost,evil"], 400), (["evil.example"], 421),
    ],
)  # fmt: skip
def test_host_header_h1(daemon: Daemon, hosts: list[str], status: int) -> None:
    """H-1: exactly one Host that is valid, and a name of the server's."""
    data = answer(
        daemon,
        lines("GET /healthz HTTP/1.1", *(f"Host: {each}" for each in hosts), "Connection: close"),
    )
    assert statuses(data) == [status]
    assert problem(data)["code"] == ("bad_host" if status == 400 else "misdirected")


def test_folded_header_h2(daemon: Daemon) -> None:
    """H-2: a folded header line is refused."""
    data = answer(daemon, lines("GET /healthz HTTP/1.1", "Host: localhost", "X: a", " b"))
    assert statuses(data) == [400]
    problem(data)


@pytest.mark.parametrize(
    ("target", "status"),
    [("https://evil.example/healthz", 421), ("https://localhost@evil.example/healthz", 400),
     ("https://localhost/healthz", 200)],
)  # fmt: skip
def test_absolute_target_h1(daemon: Daemon, target: str, status: int) -> None:
    """H-1: of a target that is a whole URL the authority counts, whatever Host says."""
    data = answer(daemon, lines(f"GET {target} HTTP/1.1", "Host: localhost", "Connection: close"))
    assert statuses(data) == [status]


def test_no_host_h1(daemon: Daemon) -> None:
    """H-1: a monitor of HTTP/1.0 needs no Host."""
    assert answer(daemon, b"GET /healthz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 200 ")


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 5"],
        ["Content-Length: 5", "Content-Length: 6"], ["Content-Length: 5", "Content-Length: 5"],
        ["Content-Length: +5"], ["Content-Length: 0x5"], ["Content-Length: 5,5"],
        ["Content-Length: 5 5"], ["Content-Length: -1"], ["Content-Length: "],
        ["Transfer-Encoding: chunked, identity"], ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        ["Content-Length : 5"], ["Transfer-Encoding : chunked"],
        ["Transfer-Encoding: \x0bchunked"],
    ],
)  # fmt: skip
def test_smuggled_request_h3(daemon: Daemon, headers: list[str]) -> None:
    """H-3: whose length is not clear is refused, and what follows is not taken for a request."""
    smuggled = post(b'{"message": "smuggled"}', room="smuggled")
    body = b"0\r\n\r\n" + smuggled
    data = answer(
        daemon,
        lines(
            "POST /chat/send/h/ HTTP/1.1",
            "Host: localhost",
            "Content-Type: application/json",
            *headers,
            body=body,
        ),
    )
    assert statuses(data) == [400], data
    problem(data)
    assert daemon.history("smuggled/") == []


@pytest.mark.parametrize(
    "length",
    ["99999999999999999999", str(LIMIT + 1), "9" * 4_000, "9" * 5_000],
    ids=["20 digits", "one more", "4,000 digits", "5,000 digits"],
)
def test_huge_content_length_h4(daemon: Daemon, length: str) -> None:
    """H-4: a length over the limit is refused at once; the body is not waited for."""
    connection = daemon.raw(post(b"", Content_Length=length))
    data = connection.recv(65_536)
    assert statuses(data) == [413]
    problem(data)
    connection.close()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (chunked()[: -5] + b"FFFFFFFFFFFFFFFF\r\nx", {400, 413}),
        (chunked()[: -5] + b"FFFFFFFFFFFFFFFFFFFFFFFF\r\nx", {400, 413}),
        (chunked()[: -5] + b"-1\r\nx\r\n0\r\n\r\n", {400}),
        (chunked()[: -5] + b"1;" + 2_048 * b"e" + b"\r\nx\r\n0\r\n\r\n", {400}),
        (chunked(b'{"message":"x"}', trailer=b"X: " + 20_000 * b"t" + b"\r\n\r\n"), {400, 413}),
        (chunked(*[b" "] * 70_000, b'{"message":"x"}'), {200}),
        (chunked(*[b" " * 1_000] * 200), {413}),
    ],
    ids=["2^64", "2^96", "negative", "extension", "trailer", "1-byte chunks", "too long"],
)  # fmt: skip
def test_bad_chunks_h5(daemon: Daemon, data: bytes, expected: set[int]) -> None:
    """H-5: chunks that are no chunks are refused; many small ones cost nothing but time."""
    found = answer(daemon, data)
    (status,) = statuses(found)
    assert status in expected
    if status != 200:
        problem(found)


@pytest.mark.parametrize(
    "method", ["TRACE", "PUT", "DELETE", "PATCH", "GEt", "PROPFIND", "A" * 9_000]
)
def test_unknown_method_h6(daemon: Daemon, method: str) -> None:
    """H-6: a method that is not there is answered with those that are."""
    data = answer(
        daemon, lines(f"{method} /chat/send/ HTTP/1.1", "Host: localhost", "Connection: close")
    )
    assert statuses(data) == [405]
    assert b"\r\nAllow: POST, OPTIONS\r\n" in data
    problem(data)


@pytest.mark.parametrize(
    "line", ["POST", "POST  /", " POST /", "PO\x00ST /", "P\xd6ST /", "(POST) /"]
)
def test_malformed_request_line_h6(daemon: Daemon, line: str) -> None:
    """H-6: what is no request line is refused, and no method is looked for in it."""
    data = answer(daemon, lines(f"{line} HTTP/1.1", "Host: localhost", "Connection: close"))
    assert statuses(data) in ([400], [404], [405])
    problem(data)


def test_options_h6(daemon: Daemon) -> None:
    """H-6: OPTIONS is answered."""
    data = answer(daemon, request("OPTIONS", "/chat/send/", Connection="close"))
    assert statuses(data) == [204]
    assert b"\r\nAllow: POST, OPTIONS\r\n" in data


@pytest.mark.parametrize(
    ("path", "status"),
    [
        # The last slash is optional, and a room may be in the path: livechat's contract.
        ("/chat/send", 200), ("/chat/send/", 200), ("/chat/send/x", 200), ("/chat/send/x/", 200),
        ("//chat/send/", 404), ("/CHAT/SEND/", 404), ("/chat/send/x/y", 404),
        ("/chat/./send/", 404), ("/chat//send/", 404), ("/chat%2Fsend/", 404),
        ("http://localhost/chat/send/", 200),
        ("*", 404), ("chat/send/", 404),
    ],
)  # fmt: skip
def test_odd_path_h7(daemon: Daemon, path: str, status: int) -> None:
    """H-7: each address is one thing."""
    data = answer(daemon, request("POST", path, b'{"message":"x"}', **JSON))
    assert statuses(data) in ([[404], [400]] if status == 404 else [[200]])


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("by", ["length", "chunks"])
def test_body_limit_h8(daemon: Daemon, over: int, by: str) -> None:
    """H-8: a body may have so many bytes, and not one more; nothing becomes a temporary file."""
    body = b'{"message":"x"}'.ljust(LIMIT + over)
    pieces = [body[at : at + 10_000] for at in range(0, len(body), 10_000)]
    data = post(body) if by == "length" else chunked(*pieces)
    almost = daemon.raw(data[:-100])
    assert not [link for link in daemon.links() if str(daemon.directory / "tmp") in link]
    almost.close()
    found = answer(daemon, data)
    assert statuses(found) == [413 if over else 200]
    if over:
        problem(found)


FORM = {"Content_Type": "application/x-www-form-urlencoded"}
PARTS = {"Content_Type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize("path", ["/chat/send/h/", "/nowhere", "/admin/sign-in/", "/healthz"])
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"a=b&" * 262_144, FORM), (b"a=b&" * (LIMIT // 4), FORM),
        (b"--b\r\n\r\n\r\n" * 10_000, PARTS), (b"--b\r\n\r\n\r\n" * (LIMIT // 10), PARTS),
    ],
    ids=["a megabyte", "as many fields as fit", "10,000 parts", "as many parts as fit"],
)  # fmt: skip
def test_form_bomb_h9(daemon: Daemon, path: str, body: bytes, headers: dict[str, str]) -> None:
    """H-9: fields and parts in masses are refused unparsed, wherever they go."""
    before = daemon.worked()
    connection = daemon.raw(request("POST", path, **headers, Content_Length=str(len(body))))
    with suppress(ConnectionError, ssl.SSLError):
        connection.sendall(body)
    data = connection.recv(65_536)
    assert daemon.worked() - before < UNPARSED
    allowed = {413} if len(body) > LIMIT else {400, 403, 404, 405, 413, 415}
    assert statuses(data)[0] in allowed, statuses(data)
    connection.close()


@pytest.mark.parametrize(
    "media",
    ["text/plain", "", "application/json; charset=utf-16", "application/jsonx", "*/*", "json",
     "multipart/form-data; boundary=x", "text/html", "application/json, text/plain"],
)  # fmt: skip
def test_media_type_h10(daemon: Daemon, media: str) -> None:
    """H-10: what is neither JSON nor a form, in UTF-8, is not guessed at."""
    data = answer(daemon, post(b'{"message":"x"}', Content_Type=media))
    assert statuses(data) == [415]
    assert problem(data)["code"] == "unsupported_media_type"


def test_expect_continue_h11(daemon: Daemon) -> None:
    """H-11: who asks whether to send a body that is too long is told no, and not first yes."""
    too_long = post(b"", Expect="100-continue", Content_Length=str(LIMIT + 1))
    data = answer(daemon, too_long)
    assert statuses(data) == [413]
    problem(data)
    fits = post(b"", Expect="100-continue", Content_Length="15")
    connection = daemon.raw(fits)
    assert statuses(connection.recv(65_536)) == [100]
    connection.sendall(b'{"message":"x"}')
    assert statuses(connection.recv(65_536)) == [200]
    connection.close()


@pytest.mark.parametrize(
    "data",
    [
        b"GET /healthz HTTP/1.1\nHost: localhost\n\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\n\n",
        chunked()[:-5] + b"f\n",
        chunked(b'{"message":"x"}', trailer=b"X: y\n"),
    ],
    ids=["request line", "header", "chunk", "trailer"],
)
def test_bare_line_feed_h12(daemon: Daemon, data: bytes) -> None:
    """H-12: a line that ends with LF alone is refused at once; no more of it is waited for."""
    found = answer(daemon, data)
    assert statuses(found) == [400]
    problem(found)
