"""`livechat.net.socket_files`."""

from __future__ import annotations

import grp
import os
import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Thread

import pytest

from livechat.addresses import Address, parse
from livechat.errors import StartError
from livechat.net.listening import listen


def file(path: Path, more: str = "") -> list[Address]:
    return [parse(f"unix:{path}{more}")]


def taken(path: Path) -> str:
    """Why nobody can listen at *path*."""
    with pytest.raises(StartError, match=r"^--listen: ") as caught:
        listen(file(path))
    return str(caught.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chat.sock"


def test_a_socket_file_has_its_permissions_and_goes(path: Path) -> None:
    """A socket file has its permissions, takes connections, and goes with its socket."""
    (found,) = listen(file(path, ":mode=620"))
    assert path.stat().st_mode & 0o777 == 0o620
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(path))
    found.close()
    assert not path.exists()


def test_a_socket_file_can_be_of_a_group(path: Path) -> None:
    """A file can be a group's; an unknown one is told, and leaves nothing."""
    name = grp.getgrgid(os.getegid()).gr_name
    (found,) = listen(file(path, f":group={name}"))
    assert path.stat().st_gid == os.getegid()
    found.close()
    with pytest.raises(StartError, match="no group nobody-has-this"):
        listen(file(path, ":group=nobody-has-this"))
    assert not path.exists()


def test_a_file_of_a_dead_process(path: Path) -> None:
    """A file on which nobody listens any more is replaced."""
    (dead,) = listen(file(path))
    dead.socket.close()
    assert path.is_socket()
    (found,) = listen(file(path))
    # The file is another's now.
    dead.close()
    assert path.is_socket()
    found.close()


def test_a_file_of_a_living_process(path: Path) -> None:
    """A file on which somebody listens stays, also when its backlog is full."""
    with socket.socket(socket.AF_UNIX) as other, ExitStack() as asking:
        other.bind(str(path))
        other.listen(0)
        assert "is taken" in taken(path)
        with suppress(BlockingIOError):
            for _ in range(10):
                each = asking.enter_context(socket.socket(socket.AF_UNIX))
                each.setblocking(False)
                each.connect(str(path))
        assert "is taken" in taken(path)
    assert path.exists()


def test_a_file_that_is_no_socket(path: Path) -> None:
    """Any other file, and a link to a socket, are left alone."""
    path.write_text("precious")
    assert "no socket" in taken(path)
    assert path.read_text() == "precious"
    path.unlink()
    path.symlink_to("elsewhere")
    assert "no socket" in taken(path)
    assert path.is_symlink()


def test_no_such_directory(path: Path) -> None:
    """A missing directory is told, and so is one that is a file."""
    assert "No such file" in taken(path / "chat.sock")
    path.write_text("")
    assert "Not a directory" in taken(path / "chat.sock")


def test_a_path_too_long_for_a_socket_is_told(tmp_path: Path) -> None:
    """A path that no socket can have is told in one line."""
    assert "longer than the 107 bytes" in taken(tmp_path / ("x" * 107))
    assert list(tmp_path.iterdir()) == []


def test_two_at_once(path: Path) -> None:
    """Two processes start at once on a dead one's file: one listens, the other gets an error."""
    (dead,) = listen(file(path))
    dead.socket.close()
    results: list[object] = []

    def start() -> None:
        try:
            results.extend(listen(file(path)))
        except StartError as reason:
            results.append(str(reason))

    threads = [Thread(target=start) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    told = [each for each in results if isinstance(each, str)]
    assert len(told) == 1
    assert "is taken" in told[0]
    for found in results:
        if not isinstance(found, str):
            found.close()  # type: ignore[attr-defined]
