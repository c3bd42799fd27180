"""`livechat.command.tracing`."""

from __future__ import annotations

import json

from tests.command.conftest import Command
from tests.command.fake import Fake, Said, problem


def frame(**line: object) -> bytes:
    return f"event: frame\ndata: {json.dumps({'time': 1_790_000_000_123, **line})}\n\n".encode()


END = b"event: end\ndata: {}\n\n"


def test_each_frame_is_a_line_without_controls(command: Command, fake: Fake) -> None:
    """Each frame is a line, with what is known of it; controls of a terminal are none."""
    fake.answers = [
        Said(
            b':\n\nevent: begin\ndata: {"seconds": 60}\n\n'
            + frame(way="open", room="r", connection="c1", user="g:1", process="here/1")
            + frame(way="in", room="r", connection="c1", type="message", bytes=17, text="\x1b[2J")
            + frame(way="out", room="r", members=2, type="message", seq=3, bytes=40)
            + frame(way="out", room="r", members=1, type="message", seq=4, bytes=40)
            + frame(way="close", room="r", connection="c1", code=4008, by="server")
            + END
        )
    ]
    ran = command("trace", "r", "--person", "u:1", "--for", "60s", "--texts")
    assert (ran.code, ran.err) == (0, "livechat: tracing for 60 seconds\n")
    (asked,) = fake.asked
    assert asked.path == "/chat/trace/?room=r&person=u%3A1&seconds=60&texts=1"
    lines = ran.out.splitlines()
    assert [line.split("  ", 1)[1] for line in lines] == [
        "open   r  c1  g:1  here/1",
        "in     r  c1  message  17 B  \ufffd[2J",
        "out    r  2 members  message  #3  40 B",
        "out    r  1 member  message  #4  40 B",
        "close  r  c1  4008 by server",
    ]
    assert all(line.partition("  ")[0].endswith(".123") for line in lines)


def test_lost_lines_are_told(command: Command, fake: Fake) -> None:
    """Lost lines are told on the standard error, and to programs in the output."""
    fake.answers = [Said(frame(way="lost", count=7) + END)]
    ran = command("trace", "r")
    assert (ran.code, ran.out) == (0, "")
    assert "7 lines are not here" in ran.err
    assert json.loads(command("trace", "r", "--json").out)["count"] == 7


def test_a_refused_trace_is_told(command: Command, fake: Fake) -> None:
    ran = command("trace")
    assert ran.code == 1
    assert "name a ROOM" in ran.err
    fake.answers = [problem(403, "forbidden", "You may not.")]
    ran = command("trace", "r")
    assert ran.code == 1
    assert "You may not." in ran.err


def test_a_server_that_goes(command: Command, fake: Fake) -> None:
    """A trace that ends before its time is a failure, after all that came."""
    fake.answers = [Said(frame(way="open", room="r"))]
    ran = command("trace", "r")
    assert ran.code == 1
    assert "open" in ran.out
    assert "the trace has ended" in ran.err
    fake.answers = [Said(b"event: frame\ndata: nonsense\n\n")]
    ran = command("trace", "r")
    assert ran.code == 1
    assert "cannot be read" in ran.err
