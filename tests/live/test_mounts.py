"""Other people's web resources in a real daemon, beside the chat."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.daemon import Daemon, refused, rest

Start = Callable[..., Daemon]

#: Bytes of a file: more than buffers of the system hold.
LARGE = 6_000_000
SITE = """
import threading
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from twisted.web.static import File
from twisted.web.wsgi import WSGIResource

files = File("files")

def hello(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    yield environ["wsgi.input"].read()
    yield f" in {threading.current_thread() is threading.main_thread()}".encode()

def wsgi(reactor):
    return WSGIResource(reactor, reactor.getThreadPool(), hello)

class Ticks(Resource):
    isLeaf = True
    def __init__(self, reactor):
        super().__init__()
        self.reactor = reactor
    def render_GET(self, request):
        self.tick(request, 3)
        return NOT_DONE_YET
    def tick(self, request, left):
        request.write(b"tick ")
        if left == 1:
            request.finish()
        else:
            self.reactor.callLater(0.05, self.tick, request, left - 1)

class Broken(Resource):
    isLeaf = True
    def render_GET(self, request):
        raise ZeroDivisionError("of a resource")
"""


@pytest.fixture
def site(tmp_path: Path) -> dict[str, str]:
    """A directory of files, and the environment in which a module with resources is found."""
    (tmp_path / "a_mounted_site.py").write_text(SITE)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "index.html").write_text("<h1>hello")
    (tmp_path / "files" / "large").write_bytes(os.urandom(LARGE))
    return {"PYTHONPATH": str(tmp_path)}


def test_mounted_resources_stand_beside_the_chat(tmp_path: Path, site: dict[str, str]) -> None:
    """Files, a WSGI application in threads, a stream, and one with a bug, beside the chat."""
    names = ("files", "wsgi", "Ticks", "Broken")
    options = [f"--mount=/{name.lower()}=a_mounted_site.{name}" for name in names]
    daemon = Daemon(tmp_path, *options, environment=site)
    try:
        url = daemon.url
        assert daemon.curl(f"{url}/files/") == "<h1>hello"
        assert daemon.curl("-L", f"{url}/files") == "<h1>hello"
        daemon.curl("-f", "-o", str(tmp_path / "got"), f"{url}/files/large")
        assert (tmp_path / "got").read_bytes() == (tmp_path / "files" / "large").read_bytes()
        assert daemon.curl("-d", "posted", f"{url}/wsgi/x") == "posted in False"
        assert daemon.curl(f"{url}/ticks") == "tick tick tick "
        assert '"code":"internal"' in daemon.curl(f"{url}/broken")
        assert '"code":"bad_origin"' in daemon.curl("-H", "Origin: https://evil", f"{url}/ticks")
        assert '"code":"not_found"' in daemon.curl(f"{url}/elsewhere")
        daemon.curl("-f", "-d", "message=hi", f"{url}/chat/send/r/")
        assert [each["message"] for each in daemon.history("r/")] == ["hi"]
        daemon.log.wait_for("GET /broken met a bug[^$]*ZeroDivisionError: of a resource")
        assert daemon.stop() == 0
    finally:
        daemon.kill()


def test_an_unread_file_waits_on_the_disk(tmp_path: Path, site: dict[str, str]) -> None:
    """A file that its client does not read is not read either: it waits on the disk."""
    daemon = Daemon(tmp_path, "--mount=/files=a_mounted_site.files", environment=site)
    try:
        before = daemon.memory()
        asked = b"GET /files/large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        connections = [daemon.raw(asked) for _ in range(10)]
        for connection in connections:
            assert connection.recv(1) == b"H"
        # Each answer is a turn in which the daemon could have read more of the files.
        for _ in range(5):
            daemon.curl(f"{daemon.url}/healthz")
        assert daemon.memory() - before < LARGE
        assert len(rest(connections[0])) > LARGE
        for connection in connections:
            connection.close()
    finally:
        daemon.kill()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["/x=nowhere.resource"], "--mount /x: there is no module 'nowhere'"),
        (["/x=a_mounted_site.hello"], "--mount /x: a_mounted_site.hello cannot be made: TypeError"),
        (["/x=a_mounted_site.__doc__"], "what is to be mounted at /x is no IResource: None"),
        (["/chat/x=a_mounted_site.files"], "nothing can be mounted at /chat/x, which is "),
        (["x=a_mounted_site.files"], "--mount: ['x=a_mounted_site.files'] must be a path and a"),
        (["/x=a_mounted_site.files", "/x/y=a_mounted_site.files"], "something is mounted above or"),
    ],
)
def test_a_broken_mount_stops_the_start(
    tmp_path: Path, site: dict[str, str], options: list[str], line: str
) -> None:
    """A mount that cannot be made is one line and exit code 1."""
    mounts = [f"--mount={option}" for option in options]
    (printed,) = refused(tmp_path, "--port=0", *mounts, **site)
    assert printed.startswith(f"livechat: {line}")
