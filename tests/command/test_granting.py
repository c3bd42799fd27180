"""`livechat.command.granting`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from livechat.command.granting import rooms_of, shown_rooms
from tests.command.conftest import Command
from tests.command.fake import Fake, Said, problem

KEY = {
    "id": "a1", "name": "shop", "rooms": {"*": ["send"]}, "as": True, "rate": 1000.0,
    "made": 1, "expires": 1_790_000_000, "scope": None,
}  # fmt: skip


def body(fake: Fake) -> object:
    return json.loads(fake.asked[-1].body)


@pytest.mark.parametrize(
    ("given", "rooms"),
    [
        (["lobby=join,send"], {"lobby": ["join", "send"]}),
        (["a=join, send ,", "b*=*"], {"a": ["join", "send"], "b*": ["*"]}),
        (["*="], {"*": []}),
        ([], {}),
    ],
)
def test_rights_in_rooms_are_read(given: list[str], rooms: dict[str, list[str]]) -> None:
    assert rooms_of(given) == rooms


@pytest.mark.parametrize("given", [["lobby"], ["=send"], [""], ["a=send", "a=join"]])
def test_rights_that_cannot_be_read_are_refused(
    given: list[str], command: Command, fake: Fake
) -> None:
    with pytest.raises(ValueError, match="is"):
        rooms_of(given)
    ran = command("key", "add", "x", *(word for each in given for word in ("--room", each)))
    assert (ran.code, ran.out, fake.asked) == (1, "", [])


def test_rights_in_rooms_are_shown() -> None:
    assert shown_rooms({"a": ["join", "send"], "*": ["*"]}) == "a=join,send *=*"
    assert shown_rooms({}) == "-"


def test_only_the_token_is_printed(fake: Fake, command: Command) -> None:
    """Only the token is printed: it is put into variables."""
    fake.answers = [Said({"token": "x.y.z", "expires": 1})]
    ran = command("token", "--user", "42", "--name", "Ann", "--role=vip", "--for", "90s")
    assert ran == (0, "x.y.z\n", "")
    assert body(fake) == {"user": "42", "name": "Ann", "role": "vip", "seconds": 90}
    ran = command("token", "--user=42", "--room", "lobby=join,send", "--json")
    assert json.loads(ran.out) == {"token": "x.y.z", "expires": 1}
    assert body(fake) == {"user": "42", "rooms": {"lobby": ["join", "send"]}}
    assert [asked.path for asked in fake.asked] == ["/chat/token/"] * 2


def test_a_token_authorizes_its_own_check(fake: Fake, command: Command) -> None:
    """The token itself authorizes the question: no key is needed, nor sent."""
    found = {
        "user": {"id": "42", "name": "Ann\x1b", "verified": True, "role": "vip"},
        "expires": 1_790_000_000,
        "rooms": {"lobby": ["join"]},
    }
    fake.answers = [Said(found)]
    (fake.state / "local-key").unlink()
    ran = command("token", "check", " x.y.z ")
    assert ran.code == 0
    assert ran.out.startswith("the token of 42, shown as Ann\ufffd, with the role vip, until 2026-")
    assert ran.out.endswith(", for lobby=join\n")
    assert json.loads(command("token", "check", "-", "--json", stdin="x.y.z\n").out) == {
        "valid": True,
        **found,
    }
    assert {asked.headers["authorization"] for asked in fake.asked} == {"Bearer x.y.z"}
    assert {asked.path for asked in fake.asked} == {"/chat/token/check/"}


def test_a_token_that_is_refused(fake: Fake, command: Command) -> None:
    fake.answers = [problem(401, "token_expired", "Your token has expired; get a new one.")]
    ran = command("token", "check", "x.y.z")
    assert ran == (1, "", "livechat: Your token has expired; get a new one.\n")
    ran = command("token", "check", "x.y.z", "--json")
    assert json.loads(ran.out)["code"] == "token_expired"
    assert ran.code == 1


@pytest.mark.parametrize("token", ["", "a b", "a\nb", "\x7f", "é"])
def test_texts_that_are_no_token_are_not_sent(fake: Fake, command: Command, token: str) -> None:
    """Nothing that could be another header is sent."""
    ran = command("token", "check", "-", stdin=token)
    assert (ran.code, fake.asked) == (1, [])
    assert "this is no token" in ran.err


def test_keys_are_made_listed_and_dropped(fake: Fake, command: Command) -> None:
    fake.answers = [Said({**KEY, "key": "lck_a1_x"})]
    ran = command("key", "add", "shop", "--room=*=send", "--as", "--for=30d", "--rate=50")
    assert ran.out == "lck_a1_x\n"
    assert "a1" in ran.err
    assert body(fake) == {
        "name": "shop", "rooms": {"*": ["send"]}, "as": True, "seconds": 2_592_000, "rate": 50.0,
    }  # fmt: skip
    ran = command("key", "add", "m", "--scope=metrics", "--json")
    assert (json.loads(ran.out)["key"], ran.err) == ("lck_a1_x", "")
    assert body(fake) == {"name": "m", "rooms": {}, "as": False, "scope": "metrics"}
    fake.answers = [Said({"keys": [KEY]})]
    listed = command("key", "list").out.splitlines()
    assert listed[0].split() == ["ID", "NAME", "ROOMS", "AS", "UNTIL"]
    assert listed[1].split()[:4] == ["a1", "shop", "*=send", "yes"]
    assert json.loads(command("key", "list", "--json").out) == [KEY]
    assert command("key", "drop", "a/1").out == "the key a/1 is dropped\n"
    assert fake.asked[-1][:2] == ("DELETE", "/chat/keys/a%2F1/")


def test_operators_are_made_listed_and_dropped(fake: Fake, command: Command) -> None:
    rooms = {"lobby": ["join", "history", "moderate"]}
    fake.answers = [Said({"name": "ann", "rooms": rooms, "new": True, "password": "made"})]
    ran = command("operator", "add", "ann", "--can", "lobby=moderate", "--can=news=send")
    assert (ran.code, ran.out) == (0, "made\n")
    assert "not shown again" in ran.err
    assert body(fake) == {"name": "ann", "rooms": {"lobby": ["moderate"], "news": ["send"]}}
    assert json.loads(command("operator", "add", "ann", "--can=*=*", "--json").out)["new"] is True
    fake.answers = [Said({"name": "ann", "rooms": rooms, "new": False, "password": None})]
    assert command("operator", "add", "ann", "--can=*=*").out == "ann is changed, and signed out\n"
    fake.answers = [Said({"operators": [{"name": "ann", "rooms": rooms}]})]
    assert command("operator", "list").out.splitlines()[1] == "ann   lobby=join,history,moderate"
    assert command("operator", "drop", "ann").out == "ann is no operator any more\n"
    assert fake.asked[-1][:2] == ("DELETE", "/chat/operators/ann/")


def test_a_password_of_ones_own(fake: Fake, command: Command, tmp_path: Path) -> None:
    """A password comes from a file or the standard input, never from the command line."""
    fake.answers = [Said({"name": "ann", "rooms": {}, "new": True, "password": None})]
    words = ("operator", "add", "ann", "--can=*=*", "--password-file")
    assert command(*words, "-", stdin=" my own password \n").out == "ann is new\n"
    assert body(fake) == {"name": "ann", "rooms": {"*": ["*"]}, "password": " my own password "}
    file = tmp_path / "password"
    file.write_bytes(b"\xff")
    assert "not UTF-8" in command(*words, str(file)).err
    assert "No such file" in command(*words, str(tmp_path / "none")).err
    assert command("operator", "add", "ann", "--can=*=*", "--password", "x").code == 2
    assert len(fake.asked) == 1
