"""
`livechat.http.short`: the short way in answers what Twisted's own way answers.

Two connections get the same bytes in the same pieces, at a site with a short way and at one
without.  For any bytes both must give the same answers, call the same endpoints with the same
arguments, log the same lines and end in the same state.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from livechat.http.short import LONGEST_HEAD, MOST_FIELDS
from tests.http.conversations import conversations
from tests.http.sides import MOST, PROXY, Side, compare, post, shake
from tests.support import Port, request
from tests.support.example_counts import examples


@settings(max_examples=examples(200), deadline=None)
@given(conversations(), st.sampled_from(["192.0.2.1", "192.0.2.1", PROXY]))
@example([post("/chat/send/?wait") + post() + shake() + b"early", "answered", b"more"], PROXY)
@example([post() + b"\r\n", post()], PROXY)
@example([b"\r\n", post()], PROXY)
@example([b"\r\n\r\n" + post()], PROXY)
@example([request("GET", "/") + post()[:40], post()[40:]], PROXY)
@example([request("GET", "/") + b"\r\n", post() + post()], PROXY)
@example([request("GET", "/") + b"\r\n", post()], PROXY)
@example([shake("/ws/chat/r/?wait") + b"x" * 17_000, "answered", b"y"], PROXY)
@example([post("/chat/send/?wait") + b"x" * 17_000, "answered", b"y"], PROXY)
@example(["full", post(), post(), "drain", post()], PROXY)
@example([post("/chat/send/?wait"), "stop", "answered", post()], PROXY)
@example(["stop", post(), post()], PROXY)
def test_both_ways_agree_on_anything(steps: list[bytes | str], address: str) -> None:
    """Both ways agree, whatever is sent, however it is cut and whatever happens meanwhile."""
    compare(*steps, address=address)


@pytest.mark.parametrize(
    ("steps", "count"),
    [
        ([post(), post("/chat/send/r/?refuse"), post("/chat/actions/r/?bug")], 3),
        ([post("/chat/send/?wait"), "answered", post()], 2),
        ([shake()], 1),
        ([shake("/ws/chat/r/?wait"), "answered", b"a frame"], 1),
        # Headers that browsers and proxies add.
        ([post(Origin="https://localhost", Connection="keep-alive", Cookie="a=b")], 1),
        ([post(X_Forwarded_For="203.0.113.5", Via="1.1 front", Authorization="Bearer x")], 1),
        # A request behind one that went the long way.
        ([request("GET", "/"), post()], 1),
    ],
)
def test_short_requests_skip_the_tree(steps: list[str | bytes], count: int) -> None:
    """Short requests of each kind are answered without the tree, in their order."""
    assert compare(*steps).taken == count


@pytest.mark.parametrize(
    "data",
    [
        request("GET", "/"),
        request("HEAD", "/ws/chat/r/"),
        post("/chat/actions/"),
        post("/chat/actions/?a"),
        post().replace(b"HTTP/1.1", b"HTTP/1.0"),
        post().replace(b"\r\n", b"\n"),
        post(Connection="close"),
        post(Connection="Keep-Alive, Close"),
        post(Expect="100-continue"),
        post(Transfer_Encoding="chunked"),
        post(Transfer_Encoding="identity"),
        post("/chat/send/", b"x" * (MOST + 1)),
        post(Content_Length="6"),
        post(Content_Length="5\r\nContent-Length: 5"),
        post(Content_Length="+5"),
        post(Content_Length="5,5"),
        post(Content_Length="0x5"),
        post(Content_Length="9" * 5_000),
        post().replace(b"Content-Length:", b"Content-Length :"),
        post().replace(b"Host: ", b"Host: a\r\n "),
        post(Name="\x00"),
        post(Name="\x7f"),
        post(Name="\xe9"),
        post(Name="a\rb"),
        post(Name="x" * LONGEST_HEAD),
        post(**{f"Name{number}": "x" for number in range(MOST_FIELDS)}),
        shake(Content_Length="0"),
        shake(Content_Length="5") + b"hello",
        b"\r\n" + post(),
    ],
)
def test_unusual_requests_are_left_to_the_parser(data: bytes) -> None:
    """Unusual, malformed and ambiguous requests are left to Twisted's parser."""
    compare(data, post())
    side = Side(short=True)
    side.send(data)
    assert side.taken == 0


@pytest.mark.parametrize("first", [post("/chat/send/?wait"), shake("/ws/chat/r/?wait&refuse")])
@pytest.mark.parametrize("behind", [[], [post()], [post()[:50], post()[50:]]])
def test_a_request_while_another_is_under_way(first: bytes, behind: list[bytes]) -> None:
    """A request that comes before the last answer waits, and is answered behind it."""
    side = compare(*([first, *behind] if behind else [first + post()]), "answered")
    written = side.wire.transport.value()
    assert side.taken
    assert written.count(b"HTTP/1.1 ") == len(side.calls)


@pytest.mark.parametrize("data", [post("/chat/send/r/"), shake(), post() + post()])
def test_a_request_cut_anywhere_is_answered(data: bytes) -> None:
    """A request that is cut anywhere, into any two pieces, is answered as a whole one is."""
    for place in range(1, len(data)):
        compare(data[:place], data[place:])


def test_many_in_one_piece() -> None:
    """However many requests come in one piece, each is answered, and the stack does not grow."""
    side = compare(post("/chat/send/?refuse") * 500)
    assert side.wire.transport.value().count(b"HTTP/1.1 429") == 500


def test_bounds_of_connections_hold(port: Port) -> None:
    """A client with too many connections is told so on the short way as well."""
    few = Port(port.world, most_per_address=1)
    few.connect()
    wire = few.connect()
    wire.send(request("POST", "/chat/send/", b'{"message": "x"}', Content_Type="application/json"))
    assert wire.answer().code() == "too_many_connections"


@pytest.mark.parametrize(
    "data",
    [
        request("POST", "/chat/send/", b'{"message": "x"}', Content_Type="application/json"),
        request(
            "POST", "/chat/send/r/", b"message=x", Content_Type="application/x-www-form-urlencoded"
        ),
        request("POST", "/chat/actions/r/", b'{"message": "x"}', Content_Type="application/json"),
        request("POST", "/chat/send/r/", b"x"),
        shake(),
        shake(Sec_WebSocket_Version="8"),
    ],
)
def test_both_ways_agree_on_real_endpoints(port: Port, data: bytes) -> None:
    """Real endpoints give the same answer on both ways, but for its number."""
    heard = []
    for each in (port, Port(port.world, short=False)):
        wire = each.connect()
        wire.send(data)
        heard.append(
            re.sub(rb'(Livechat-Seq: |"seq":)[0-9]+|Date: [^\r]*', rb"\1", wire.received())
        )
    assert heard[0] == heard[1]
