"""`livechat.web.pages`."""

from __future__ import annotations

from livechat.web.html import folder
from tests.support import Port


def test_front_page(port: Port) -> None:
    """The front page shows how to talk to this very server."""
    answer = port.ask("GET", "/", Host="chat.example:8443")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = answer.body.decode()
    assert "wscat -c wss://chat.example:8443/ws/chat/lobby/" in page
    assert "<script" not in page
    assert "style=" not in page


def test_front_page_loads_only_what_is_there(port: Port) -> None:
    """Everything that the page links to exists."""
    page = port.ask("GET", "/").body.decode()
    links = [part.split('"')[0] for part in page.split('href="')[1:]]
    assert links
    for link in links:
        assert port.ask("GET", link).status == 200


def test_static_files(port: Port) -> None:
    """Each file is served with its type, and not again to who has it."""
    for path in folder("static").iterdir():
        answer = port.ask("GET", f"/static/{path.name}")
        assert answer.body == path.read_bytes()
        assert answer.headers["content-type"] in {
            "text/css; charset=utf-8",
            "text/javascript; charset=utf-8",
            "image/svg+xml",
        }
        tag = answer.headers["etag"]
        known = port.ask("GET", f"/static/{path.name}", If_None_Match=tag)
        assert (known.status, "content-length" in known.headers) == (304, False)
        assert port.ask("GET", f"/static/{path.name}", If_None_Match='"x"').status == 200


def test_ranges(port: Port) -> None:
    """Ranges are ignored: there is no way to ask for more than a file."""
    many = "bytes=" + ",".join(["0-"] * 2_500)
    whole = port.ask("GET", "/static/livechat.css")
    assert port.ask("GET", "/static/livechat.css", Range=many[:9_000]).body == whole.body
