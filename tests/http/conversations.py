"""Conversations on a connection: requests, malformed requests, and events in between."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st

from tests.http.sides import MOST, STEPS, post, shake

QUERIES = ("", "?wait", "?refuse", "?bug", "?wait&refuse", "?empty", "?frame=1", "?a=%C3%A9&b")
TARGETS = st.one_of(
    st.builds(
        str.__add__,
        st.sampled_from(["/chat/send/", "/chat/send", "/chat/send/room/", "/chat/actions/r/"]),
        st.sampled_from(QUERIES),
    ),
    st.sampled_from([f"/ws/chat/r/{query}" for query in (*QUERIES, "?told&wait&refuse")]),
    st.sampled_from(
        [
            "/", "/chat/actions/", "/chat/actions//", "/chat/send/%FF/", "/chat/send/%2e%2e/",
            "/chat/send/a/b/", "//chat/send/", "/chat/send/../", "/chat/send/#x", "*", "",
            "https://localhost/chat/send/", "/ws/chat/", "/ws/chat/%/", "/chat/send/\x7f",
            "/chat/send/\xe9", "/chat/send/ x", "/chat/send/?a b", "/chat/send/\x00",
        ]
    ),
)  # fmt: skip
LINES = st.sampled_from(
    [
        b"Content-Type: application/json", b"Origin: https://localhost", b"Origin: null",
        b"Origin: https://friend.example", b"Origin: https://evil.example", b"origin:x",
        b"Sec-Fetch-Site: cross-site", b"X-Forwarded-For: 203.0.113.5", b"Via: 1.1 x",
        b"X-Forwarded-For: 203.0.113.6, 192.0.2.7", b"X-Forwarded-Host: localhost",
        b"X-Forwarded-Proto: gopher", b"Forwarded: for=1;host=localhost", b"Cookie: a=b; c",
        b"Authorization: Bearer x", b"Idempotency-Key: 1", b"User-Agent: \t me\t ", b"Empty:",
        b"Referer: https://u:p@a/?secret#x", b"Accept: */*", b"Accept: text/html",
        # Fields that decide how it is read, and those that others read otherwise.
        b"Content-Length: 5", b"Content-Length: 0", b"content-length: 05", b"Content-Length: +5",
        b"Content-Length: -1", b"Content-Length: 5, 5", b"Content-Length: 5 5", b"Content-Length:",
        b"Content-Length: \xb2", b"Content-Length: 4", b"Content-Length: 6", b"Content_Length: 4",
        b"Content-Length: 201", b"Content-Length: " + b"9" * 20, b"Content-Length: " + b"9" * 5_000,
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", b"TE: trailers",
        b"Transfer-Encoding : chunked", b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding:\tchunked",
        b"Expect: 100-continue", b"Expect: other",
        b"Connection: close", b"Connection: keep-alive", b"Connection: Upgrade",
        b"Connection: CLOSE", b"Connection: keep-alive, close", b"Connection: close, x",
        b"Connection: closer", b"Upgrade: websocket", b"Upgrade: h2c", b"Keep-Alive: 5",
        b"Host: other.example",
        b"Host: localhost", b"Host: a b", b"Trailer: x",
        # Malformed lines.
        b" folded", b"\tfolded: x", b"Name : x", b"Na me: x", b": x", b"no colon", b"",
        b"N\x00ame: x", b"Name: a\x00b", b"Name: \x7f", b"Name: \x85", b"Name: \xc3\xa9",
        b"Name: \xff", b"Name: a\rb", b"Name: a\nContent-Length: 0", b"N\xe9: x", b"Name: a\x0bb",
        b"(x): y",
        b"!#$%&'*+.^_`|~: y",
        b"Long: " + b"x" * 9_000, b"Longer: " + b"x" * 17_000,
    ]
)  # fmt: skip
BODIES = st.sampled_from(
    [
        b"hello", b"", b"hell", b"hello!", b"\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n",
        b"x" * MOST, b"x" * (MOST + 1), b"\x00\xff\n\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
    ]
)  # fmt: skip


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Generate a request, or a malformed one."""
    method = draw(
        st.sampled_from(["POST", "POST", "POST", "GET", "GET", "HEAD", "PUT", "post", ""])
    )
    version = draw(st.sampled_from(["HTTP/1.1"] * 8 + ["HTTP/1.0", "HTTP/2.0", "HTTP/1.1 ", ""]))
    body = draw(BODIES)
    lines = [f"{method} {draw(TARGETS)} {version}".encode("latin-1")]
    if draw(st.integers(0, 9)):
        lines.append(b"Host: localhost")
    if method == "GET" and draw(st.booleans()):
        lines += [b"Upgrade: websocket", b"Connection: keep-alive, Upgrade"]
        body = b""
    elif draw(st.integers(0, 9)):
        lines.append(b"Content-Length: %d" % len(body))
    lines += draw(st.lists(LINES, max_size=3))
    end = draw(st.sampled_from([b"\r\n"] * 12 + [b"\n", b"\r", b"\r\r\n", b"\n\r\n"]))
    return end.join([*lines, b"", b""]) + body


WELL = st.builds(
    lambda make, target, body: make(target, body) if make is post else make(target),
    st.sampled_from([post]),
    st.sampled_from([f"/chat/send/r/{query}" for query in QUERIES]),
    st.binary(min_size=1, max_size=20),
)
PIECES = st.one_of(
    WELL,
    messages(),
    st.builds(shake, st.sampled_from([f"/ws/chat/r/{query}" for query in QUERIES])),
    st.sampled_from([b"\r\n", b"\r\n\r\n", b"\n", b"x" * 17_000, b"frames"]),
)


@st.composite
def conversations(draw: st.DrawFn) -> list[bytes | str]:
    """Generate the bytes of a connection, cut anywhere, with events in between."""
    data = bytearray(b"".join(draw(st.lists(PIECES, min_size=1, max_size=4))))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        data[at : at + draw(st.integers(0, 2))] = draw(
            st.sampled_from([b"", b"\x00", b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b"\xff", b"A"])
        )
    places = draw(st.lists(st.integers(0, len(data)), max_size=4))
    edges = [0, *sorted(set(places) - {0, len(data)}), len(data)]
    steps: list[bytes | str] = [bytes(data[start:end]) for start, end in pairwise(edges)]
    for _ in range(draw(st.integers(0, 4))):
        steps.insert(draw(st.integers(0, len(steps))), draw(st.sampled_from(list(STEPS))))
    return steps
