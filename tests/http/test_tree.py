"""`livechat.http.tree`."""

from __future__ import annotations

import pytest

from livechat.http.call import Call
from livechat.http.endpoint import Endpoint
from livechat.http.response import Response, json
from livechat.http.tree import Place
from tests.support import Port


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere", "//chat/send/", "/chat//send/", "/CHAT/SEND/", "/chat",
        "/chat/send/a/b", "/chat%2Fsend/", "/static/", "/static/..", "/static/../setup.py",
        "/static/%2e%2e/setup.py", "/static/livechat.css%00", "/static/%ff", "/ws/chat/", "/ws/",
        "/./healthz", "/healthz/x", "/ws?redirect=https://example.org",
    ],
)  # fmt: skip
def test_unknown_paths_are_refused(port: Port, path: str) -> None:
    """A path that is not in the tree is refused: no redirect, no listing, no near miss."""
    answer = port.ask("GET", path)
    assert answer.status in {400, 404}
    assert answer.code()
    assert "location" not in answer.headers


@pytest.mark.parametrize("path", ["/healthz", "/chat/history", "/chat/history/r", "/ws/chat/r"])
def test_a_last_slash_means_nothing(port: Port, path: str) -> None:
    """A path means the same with and without its last slash."""
    with_slash, without = port.ask("GET", path + "/"), port.ask("GET", path)
    assert with_slash.status == without.status
    assert with_slash.body == without.body


def test_names_are_decoded(port: Port) -> None:
    """Names in a path are decoded, once."""

    async def show(call: Call) -> Response:
        return json(dict(call.names))

    port.tree.put("/a/{x}/{y}/", Endpoint({"GET": show}))
    assert port.ask("GET", "/a/%41%252F/b").body == b'{"x":"A%2F","y":"b"}'


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/%68ealthz", "not_found"),
        ("/chat/%68istory/", "not_found"),
        ("/%61dmin/", "not_found"),
        ("/chat/history/a%2Fb/", "bad_room"),
        ("/chat/history/%ff/", "bad_request"),
        ("/chat/history/%ff/x", "not_found"),
    ],
)
def test_an_encoded_path_is_another_path(port: Port, path: str, code: str) -> None:
    """A path that is written in another way is another path."""
    assert port.ask("GET", path).code() == code


def test_an_encoded_name_is_the_name(port: Port) -> None:
    """A name in a path may be written in another way."""
    assert port.ask("GET", "/chat/history/%72/").status == 200


def test_a_path_holds_one_endpoint() -> None:
    """A path holds one endpoint, and a leaf has no path below it."""
    tree, leaf = Place(), Place()
    leaf.isLeaf = True
    tree.put("/a/{x}/b", Place())
    tree.put("/c/", leaf)
    for taken in ("/a/{x}/b/", "/a/{x}", "/a", "/c", "/c/d", "/c/d/e", "/"):
        with pytest.raises(ValueError, match=r"/"):
            tree.put(taken, Place())
    assert [place.path for place in tree.places()] == ["/", "/", "/", "/a/{x}/b", "/c/"]
