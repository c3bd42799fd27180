"""`livechat.web.pages`."""

from __future__ import annotations

import gzip
import re
from urllib.parse import quote

import pytest

from livechat.web import files
from livechat.web.html import folder
from tests.support import Port


@pytest.mark.parametrize("path", ["/rooms/a.b~c/", "/rooms/a.b~c", "/rooms/%61.b~c/"])
def test_a_page_of_a_room_is_not_framed(port: Port, path: str) -> None:
    """A room's page names the room, and may be neither cached nor framed."""
    answer = port.ask("GET", path)
    assert answer.status == 200
    assert 'data-livechat="a.b~c"' in answer.body.decode()
    assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/", "/rooms/", "/rooms/?room=-!", "/rooms/r/", "/developers/"])
def test_pages_load_nothing_from_elsewhere(port: Port, path: str) -> None:
    """Pages load nothing from elsewhere, and have no scripts or styles in them."""
    answer = port.ask("GET", path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    page = answer.body.decode()
    assert "style=" not in page
    script = r'<script(?! type="module" src="/static/\w+\.[\w-]{8}\.js"></script>)'
    assert re.findall(script, page) == []
    loaded = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert loaded
    for link in loaded:
        assert port.ask("GET", link).status in (200, 303), link


@pytest.mark.parametrize("room", ["a b", "..", "x" * 129, "<script>", "é", '"onload="'])
def test_no_such_room(port: Port, room: str) -> None:
    """An address that names no room is refused, and a room is asked for."""
    answer = port.ask("GET", f"/rooms/{quote(room, safe='')}/")
    assert answer.status == 400
    page = answer.body.decode()
    assert 'role="alert"' in page
    assert "<script>" not in page
    assert 'value=""onload' not in page


def test_finding_a_room_twice(port: Port) -> None:
    """The form names one room."""
    assert port.ask("GET", "/rooms/?room=a&room=b").status == 400


def test_static_files_have_type_and_tag(port: Port) -> None:
    """A file is served with its type, to any page, and as 304 to a client that has it."""
    served = files.read(folder("static"))
    for name in [*(path.name for path in folder("static").glob("*/*")), *served.named]:
        answer = port.ask("GET", f"/static/{name}", Origin="https://other.example")
        assert answer.body == served.named[name].plain.body
        assert answer.headers["content-type"] in {
            "text/css; charset=utf-8",
            "text/javascript; charset=utf-8",
            "text/plain; charset=utf-8",
            "image/png",
            "image/svg+xml",
        }
        assert answer.headers["access-control-allow-origin"] == "*"
        tag = answer.headers["etag"]
        known = port.ask("GET", f"/static/{name}", If_None_Match=tag)
        assert (known.status, "content-length" in known.headers) == (304, False)
        assert port.ask("GET", f"/static/{name}", If_None_Match='"x"').status == 200


@pytest.mark.parametrize("path", ["/", "/rooms/r/", "/rooms/", "/developers/"])
def test_a_name_with_a_digest_is_cached_for_ever(port: Port, path: str) -> None:
    """A name with a digest is cached for ever, and pages use such names only."""
    page = port.ask("GET", path).body.decode()
    own = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert len(own) >= 4
    for address in own:
        caching = port.ask("GET", address).headers["cache-control"]
        assert caching == "public, max-age=31536000, immutable", address


@pytest.mark.parametrize("name", ["embed.js", "chat.js", "livechat.js", "livechat.css"])
def test_old_addresses_of_files_go_on(port: Port, name: str) -> None:
    """Addresses in other sites' pages go on working, and are checked each time."""
    answer = port.ask("GET", f"/static/{name}")
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-cache")


def test_a_digest_of_another_version_is_not_cached(port: Port) -> None:
    """A digest of another version has the file as it is now, not to be cached under that name."""
    answer = port.ask("GET", "/static/livechat.AAAAAAAA.css")
    assert answer.body == port.ask("GET", "/static/livechat.css").body
    assert answer.headers["cache-control"] == "no-cache"
    for name in (
        "livechat.AAAAAAAA",
        "livechat.AAAAAAAAA.css",
        "nothing.AAAAAAAA.css",
        "..AAAAAAAA.js",
    ):
        assert port.ask("GET", f"/static/{name}").status == 404, name


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        ("gzip, deflate, br", True),
        ("br;q=1.0, GZIP;q=0.5", True),
        ("*", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*;q=0", False),
        ("gzip;q=0.001", True),
        ("xgzip", False),
        (",;,;;q=0,gzip;", True),
    ],
)
def test_files_are_compressed_on_request(port: Port, accepted: str, compressed: bool) -> None:
    """Clients that accept gzip get it, with an entity tag of its own."""
    target, path = "/static/livechat.css", folder("static") / "chat" / "livechat.css"
    answer = port.ask("GET", target, Accept_Encoding=accepted)
    body = gzip.decompress(answer.body) if compressed else answer.body
    assert body == path.read_bytes()
    assert answer.headers.get("content-encoding") == ("gzip" if compressed else None)
    assert answer.headers["vary"] == "Accept-Encoding"
    assert ("gzip" in answer.headers["etag"]) == compressed
    known = port.ask("GET", target, Accept_Encoding=accepted, If_None_Match=answer.headers["etag"])
    assert known.status == 304
    other = port.ask(
        "GET",
        target,
        Accept_Encoding="" if compressed else "gzip",
        If_None_Match=answer.headers["etag"],
    )
    assert other.status == 200


def test_every_import_of_a_script_is_served(port: Port) -> None:
    """Every module that a script imports is served, as JavaScript."""
    for path in folder("static").rglob("*.js"):
        for module in re.findall(r'^import .* from "\./([^"]+)";', path.read_text(), re.MULTILINE):
            answer = port.ask("GET", f"/static/{module}")
            assert answer.headers["content-type"] == "text/javascript; charset=utf-8"


def test_ranges_are_ignored(port: Port) -> None:
    """Ranges are ignored: the whole file is sent."""
    many = "bytes=" + ",".join(["0-"] * 2_500)
    whole = port.ask("GET", "/static/livechat.css")
    assert port.ask("GET", "/static/livechat.css", Range=many[:9_000]).body == whole.body
