"""`livechat.web.pages`."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from urllib.parse import quote

import pytest

from livechat.web.html import folder
from livechat.web.pages import _files
from tests.support import Port


def test_a_room(port: Port) -> None:
    """A room's page names the room, and is nothing that anybody keeps or frames."""
    for path in ("/rooms/a.b~c/", "/rooms/a.b~c", "/rooms/%61.b~c/"):
        answer = port.ask("GET", path)
        assert answer.status == 200
        assert 'data-livechat="a.b~c"' in answer.body.decode()
        assert answer.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/", "/rooms/", "/rooms/?room=-!", "/rooms/r/", "/developers/"])
def test_strict_policy(port: Port, path: str) -> None:
    """Pages load nothing from elsewhere, and have no scripts or styles in them."""
    answer = port.ask("GET", path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    page = answer.body.decode()
    assert "style=" not in page
    assert re.findall(r"<script(?! type=\"module\" src=\"/static/\w+\.js\"></script>)", page) == []
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


def test_s_10_links_and_directories(tmp_path: Path) -> None:
    """Of a directory its files are served: nothing else, and nothing from elsewhere."""
    (tmp_path / "secret").write_text("secret")
    static = tmp_path / "static" / "chat"
    (static / "more").mkdir(parents=True)
    (static / "a.css").write_text("a")
    (static / "b.css").symlink_to("a.css")
    (static / "c.css").symlink_to(tmp_path / "secret")
    (static / "d.css").symlink_to("nothing")
    assert sorted(_files(static.parent)) == ["a.css", "b.css"]


def test_no_file_name_twice() -> None:
    """Addresses of files are flat, so a name is in one folder only; none is beside the folders."""
    static = folder("static")
    names = [path.name for path in static.rglob("*") if path.is_file()]
    assert sorted(names) == sorted(_files(static))


def test_static_files(port: Port) -> None:
    """Each file is served with its type, to any page, and not again to who has it."""
    for path in folder("static").glob("*/*"):
        answer = port.ask("GET", f"/static/{path.name}", Origin="https://other.example")
        assert answer.body == path.read_bytes()
        assert answer.headers["content-type"] in {
            "text/css; charset=utf-8",
            "text/javascript; charset=utf-8",
            "text/plain; charset=utf-8",
            "image/png",
            "image/svg+xml",
        }
        assert answer.headers["access-control-allow-origin"] == "*"
        tag = answer.headers["etag"]
        known = port.ask("GET", f"/static/{path.name}", If_None_Match=tag)
        assert (known.status, "content-length" in known.headers) == (304, False)
        assert port.ask("GET", f"/static/{path.name}", If_None_Match='"x"').status == 200


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
def test_compressed(port: Port, accepted: str, compressed: bool) -> None:
    """Who takes gzip gets it, with a tag of its own; others do not."""
    target, path = "/static/livechat.js", folder("static") / "client" / "livechat.js"
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


def test_the_scripts_load_only_what_is_there(port: Port) -> None:
    """What a module imports is served, as JavaScript."""
    for path in folder("static").rglob("*.js"):
        for module in re.findall(r'^import .* from "\./([^"]+)";', path.read_text(), re.MULTILINE):
            answer = port.ask("GET", f"/static/{module}")
            assert answer.headers["content-type"] == "text/javascript; charset=utf-8"


def test_ranges(port: Port) -> None:
    """Ranges are ignored: there is no way to ask for more than a file."""
    many = "bytes=" + ",".join(["0-"] * 2_500)
    whole = port.ask("GET", "/static/livechat.css")
    assert port.ask("GET", "/static/livechat.css", Range=many[:9_000]).body == whole.body
