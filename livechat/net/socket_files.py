"""
Socket files, on which proxies of the same machine connect.

A file that a dead process has left is replaced; one on which somebody listens, and any other file,
stays as it is.  Who may connect is a matter of the file's permissions: it has its own from the
beginning, and its directory is locked while that is decided, so that of two that start at once
none takes the other's.
"""

from __future__ import annotations

import fcntl
import grp
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from livechat.addresses import Address
from livechat.errors import StartError

#: Connections that the kernel keeps for us until we accept them.
BACKLOG: Final = 1024
#: Bytes of a path (`sockaddr_un`, without the zero at its end).
LONGEST_PATH: Final = 107


class SocketFile:
    """
    A socket that listens on a file, as long as it is there.

    @ivar socket: the socket.
    """

    def __init__(self, address: Address) -> None:
        """
        @raise StartError: it cannot be made.
        """
        assert address.path is not None
        self._path = path = address.path
        if len(os.fsencode(path)) > LONGEST_PATH:
            raise StartError(
                f"--listen: {path} is longer than the {LONGEST_PATH} bytes of a socket"
            )
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            with _locked(path.parent):
                _make_room(path)
                self._bind(address)
        except OSError as reason:
            self.socket.close()
            raise StartError(f"--listen: cannot use {path}: {reason.strerror}") from None
        except BaseException:
            self.socket.close()
            raise

    def _bind(self, address: Address) -> None:
        before = os.umask(0o777)
        try:
            self.socket.bind(str(self._path))
        finally:
            os.umask(before)
        self._identity = _identity(self._path)
        try:
            if address.group is not None:
                os.chown(self._path, -1, _group(address.group))
            # The mode follows the group, so that the former group never has these rights.
            self._path.chmod(address.mode)
            self.socket.listen(BACKLOG)
            self.socket.setblocking(False)
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """Remove the file, unless it is another one by now."""
        with suppress(OSError):
            if _identity(self._path) == self._identity:
                self._path.unlink()


def _identity(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_room(path: Path) -> None:
    """
    Remove the socket file of a dead process at *path*.

    @raise StartError: something is there, and in use.
    """
    try:
        is_socket = stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise StartError(f"--listen: {path} is there, and no socket")
    with socket.socket(socket.AF_UNIX) as asking:
        asking.setblocking(False)
        try:
            asking.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            # Its backlog is full.
            pass
    raise StartError(f"--listen: {path} is taken: something else listens there")


def _group(name: str) -> int:
    """
    @raise StartError: there is none.
    """
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise StartError(f"--listen: there is no group {name}") from None
