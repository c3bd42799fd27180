"""`livechat.command.people`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command.conftest import Command
from tests.command.fake import Fake, Said, problem

PERSON = b'{"line":"person","user":"a b","guest":true,"time":1}\n'
MESSAGE = b'{"line":"message","room":"r","message":{"message":"hi"}}\n'
PROGRESS = b'{"line":"progress","rooms":7}\n'
END = b'{"line":"end","restrictions":0,"cases":0,"messages":1,"records":0}\n'
COUNTS = {"restrictions": 0, "cases": 0, "messages": 1, "records": 0}


def test_an_export_is_readable_by_its_owner_alone(
    command: Command, fake: Fake, tmp_path: Path
) -> None:
    """The file has all lines, and is nobody else's to read."""
    fake.answers = [Said(PERSON + PROGRESS + MESSAGE + END)] * 3
    file = tmp_path / "ann.ndjson"
    ran = command("export", "--user", "a b", "--guest", str(file))
    assert (ran.code, ran.err) == (0, "")
    assert "messages 1" in ran.out
    assert file.read_bytes() == PERSON + MESSAGE + END
    assert file.stat().st_mode & 0o777 == 0o600
    (asked,) = fake.asked
    assert asked.path == "/chat/export/?user=a+b&guest=1"
    ran = command("export", "--user", "a b", "--json", str(file))
    assert json.loads(ran.out) == {"file": str(file), **COUNTS}
    assert command("export", "--user", "a b", "-").out.encode() == PERSON + MESSAGE + END


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (PERSON + MESSAGE, ""),
        (PERSON + b'{"line":"error","code":"unavailable","detail":"away"}\n', "not whole: away"),
        (b"<html>\n", "cannot be read"),
    ],
)
def test_an_export_that_is_cut_off(
    command: Command, fake: Fake, tmp_path: Path, body: bytes, said: str
) -> None:
    """An export that is cut off leaves no file, and keeps the earlier one."""
    file = tmp_path / "ann.ndjson"
    file.write_text("before")
    fake.answers = [Said(body)]
    ran = command("export", "--user", "42", str(file))
    assert ran.code == 1
    assert said in ran.err
    assert [each.name for each in tmp_path.iterdir() if "ann" in each.name] == ["ann.ndjson"]
    assert file.read_text() == "before"


def test_options_of_room_exports_are_refused(command: Command) -> None:
    """Options of exports of rooms are refused."""
    for more in (["--resume"], ["--with-secret", "x"]):
        assert command("export", "--user", "42", *more, "file").code == 1


def test_forget_prints_its_case_or_the_refusal(command: Command, fake: Fake) -> None:
    ack = json.dumps({"type": "ack", "time": 1, "case": "c8f2"}).encode()
    fake.answers = [Said(ack), Said(ack), problem(403, "forbidden", "You may not.")]
    ran = command("forget", "42")
    assert (ran.code, ran.err) == (0, "")
    assert "c8f2" in ran.out
    assert json.loads(command("forget", "7", "--guest", "--json").out) == {"case": "c8f2"}
    first, second = fake.asked
    assert json.loads(first.body) == {"type": "forget", "user": "42"}
    assert json.loads(second.body) == {"type": "forget", "user": "7", "guest": True}
    ran = command("forget", "42")
    assert (ran.code, "You may not." in ran.err) == (1, True)
