"""`livechat.web.mounts`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.web.resource import Resource

from livechat.errors import StartError
from livechat.web.mounts import load
from tests.support import Port, World

REACTOR: Any = object()
SITE = """
from twisted.web.resource import Resource
resource = Resource()
class Own(Resource):
    def __init__(self, reactor):
        super().__init__()
        self.reactor = reactor
def given(reactor):
    return Own(reactor)
def alone():
    return Resource()
def broken(reactor):
    raise OSError("no such disk")
def needy(reactor, more):
    return Resource()
number = 7
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Write a module with resources; return its name."""
    (tmp_path / "a_site_to_mount.py").write_text(SITE)
    monkeypatch.syspath_prepend(tmp_path)
    return "a_site_to_mount"


def test_a_name_is_a_resource_or_makes_one(site: str) -> None:
    """A name is a resource, or a function or class that makes one, of the reactor if it wants."""
    names = ("resource", "given", "alone", "Own")
    named = [(f"/{name}", f"{site}.{name}") for name in names]
    found: dict[str, Any] = dict(load(named, REACTOR))
    assert list(found) == [f"/{name}" for name in names]
    assert all(isinstance(each, Resource) for each in found.values())
    assert found["/given"].reactor is found["/Own"].reactor is REACTOR


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("broken", "cannot be made: OSError: no such disk"),
        ("needy", "cannot be made: TypeError"),
        ("nothing", "there is no"),
        ("resource.nothing", "there is no"),
        ("", "is no dotted name"),
    ],
)
def test_an_unusable_resource_stops_the_start(site: str, name: str, said: str) -> None:
    """An unusable resource stops the start with a line that has path and reason."""
    with pytest.raises(StartError, match=said) as raised:
        load([("/x", f"{site}.{name}")], REACTOR)
    assert str(raised.value).startswith("--mount /x: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("path", "resource", "said"),
    [
        *((path, Resource(), "livechat's own")
          for path in ("/chat", "/chat/send/x", "/rooms/r", "/healthz/x", "/admin", "/admin/x/")),
        *((path, Resource(), "cannot be mounted at")
          for path in ("/", "", "x", "//x", "/a//b", "/a b", "/..", "/a/../b", "/a/.", "/%61",
                       "/{x}", "/\u00e9", "/a?b", "/" + "x" * 65, "/x" * 9)),
        *(("/x", found, "is no IResource") for found in (7, None, Resource, "Resource")),
    ],
)  # fmt: skip
def test_paths_that_are_refused(world: World, path: str, resource: object, said: str) -> None:
    """Nothing is mounted where endpoints are, at what is no path, or that is no resource."""
    with pytest.raises(StartError, match=said):
        Port(world, mounts={path: resource})


@pytest.mark.parametrize("paths", [("/a", "/a/"), ("/a", "/a/b"), ("/a/b/c", "/a/b")])
def test_no_mount_is_in_the_way_of_another(world: World, paths: tuple[str, str]) -> None:
    """No mount is at, above or below another."""
    with pytest.raises(StartError, match="already"):
        Port(world, mounts=dict.fromkeys(paths, Resource()))


def test_mounts_may_share_a_beginning(world: World) -> None:
    """Mounts may share the beginning of their paths."""
    port = Port(world, mounts={"/a/b": Resource(), "/a/c": Resource()})
    assert port.ask("GET", "/a").code() == "not_found"
    assert port.ask("GET", "/a/c/d").headers["content-type"].startswith("text/html")
