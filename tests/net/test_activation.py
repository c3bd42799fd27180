"""`livechat.net.activation`, in processes that systemd could have started."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from livechat.net.activation import MOST, Inherited, handed, inherited

#: Tells what it was given, or why it took nothing.
PROGRAM = """
import json, os, sys
from livechat.errors import StartError
from livechat.net.activation import inherited
if os.environ.get("LISTEN_PID") == "own":
    os.environ["LISTEN_PID"] = str(os.getpid())
try:
    found = inherited(os.environ, worker="worker" in sys.argv)
except StartError as reason:
    sys.exit(str(reason))
print(json.dumps({
    "sockets": [[name, each.getsockname()[1], each.getblocking(), each.get_inheritable()]
                for name, each in found],
    "left": [name for name in os.environ if name.startswith("LISTEN_")],
}))
"""


def start(
    given: Sequence[socket.socket | int], *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the program with these descriptors from 3 on."""
    numbers = [each if isinstance(each, int) else each.fileno() for each in given]
    # So that none is overwritten before it is copied.
    high = [os.dup(number) for number in numbers]
    moves = "".join(f"os.dup2({number}, {3 + index});" for index, number in enumerate(high))
    try:
        return subprocess.run(
            [sys.executable, "-c", f"import os; {moves}{PROGRAM}", *arguments],
            env={**os.environ, **variables},
            pass_fds=high,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        for number in high:
            os.close(number)


def found(ran: subprocess.CompletedProcess[str]) -> Any:
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_nothing_is_handed_over() -> None:
    assert inherited({}) == []
    assert inherited({"LISTEN_PID": "1"}) == []


def test_sockets_come_in_order_with_names() -> None:
    """Sockets come in order, with names; child processes get neither them nor the variables."""
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as two,
    ):
        ran = start([one, two], LISTEN_FDS="2", LISTEN_PID="own", LISTEN_FDNAMES="tls")
        assert found(ran) == {
            "sockets": [
                ["tls", one.getsockname()[1], False, False],
                ["", two.getsockname()[1], False, False],
            ],
            "left": [],
        }


def test_variables_that_twisted_took() -> None:
    """Twisted's endpoints take them out of the environment when they are imported."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        program = PROGRAM.replace(
            "import json, os, sys",
            "import json, os, sys; import twisted.internet.endpoints;"
            "assert 'LISTEN_FDS' not in os.environ",
        )
        shell = f'exec 3<&{one.fileno()}; LISTEN_PID=$$ exec "$@"'
        ran = subprocess.run(
            ["bash", "-c", shell, "bash", sys.executable, "-c", program],
            env={**os.environ, "LISTEN_FDS": "1"},
            pass_fds=[one.fileno()],
            capture_output=True,
            text=True,
            check=False,
        )
        assert len(found(ran)["sockets"]) == 1


def test_sockets_of_another_process_are_refused() -> None:
    """Sockets meant for another process are refused with a clear error."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        for variables in ({"LISTEN_PID": "1"}, {}):
            ran = start([one], LISTEN_FDS="1", **variables)
            assert ran.returncode == 1
            assert ran.stderr.startswith("LISTEN_PID: the sockets are for process ")
        # A supervisor does not know the number beforehand.
        assert len(found(start([one], "worker", LISTEN_FDS="1"))["sockets"]) == 1


@pytest.mark.parametrize("count", ["0", "-1", "x", "", "1.0", "٣", str(MOST + 1)])
def test_bad_counts_are_refused(count: str) -> None:
    ran = start([], LISTEN_FDS=count, LISTEN_PID="own")
    assert ran.stderr == f"LISTEN_FDS: {count!r} must be a whole number from 1 to {MOST}\n"


@pytest.mark.parametrize(
    ("kind", "family", "said"),
    [
        (socket.SOCK_DGRAM, socket.AF_INET, "is a datagram socket"),
        (socket.SOCK_SEQPACKET, socket.AF_UNIX, "is a socket of sequential packets"),
        (socket.SOCK_STREAM, socket.AF_INET, "is a connection, or does not listen"),
    ],
)
def test_a_wrong_socket_is_named(kind: int, family: int, said: str) -> None:
    """A socket that cannot be listened on is named, with what it must be."""
    with socket.socket(family, kind) as wrong:
        ran = start([wrong], LISTEN_FDS="1", LISTEN_PID="own", LISTEN_FDNAMES="web")
    assert ran.stderr.startswith(f"LISTEN_FDS: descriptor 3 (web) {said}; it must be")


def test_descriptors_that_are_no_sockets_are_refused(tmp_path: Path) -> None:
    """A file, and a descriptor that is not open, are no sockets."""
    with (tmp_path / "file").open("w") as file:
        ran = start([file.fileno()], LISTEN_FDS="1", LISTEN_PID="own")
        assert ran.stderr == "LISTEN_FDS: descriptor 3 is not a socket\n"
    ran = start([], LISTEN_FDS=str(MOST), LISTEN_PID="own")
    assert "LISTEN_FDS: descriptor 3 cannot be used: Bad file descriptor" in ran.stderr


def test_a_supervisor_hands_sockets_over() -> None:
    """A supervisor says how many there are, and how they are called."""
    with socket.socket() as one:
        variables = handed([Inherited("tls", one), Inherited("", one)])
    assert variables == {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "tls:"}
