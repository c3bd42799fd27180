"""Commands of docs/moderation.md, run in order, end the crises that they are for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from livechat.protocol.settings import MODERATED
from tests.live.daemon import CHEAP, PATIENCE, ROOT, Daemon
from tests.live.moderating import HERE, KEY, OTHER_KEY, Answer, ask, local_key, token
from tests.support.jwts import secret_file

PAGE = (ROOT / "docs" / "moderation.md").read_text()
MODERATES = {"*": ["join", "history", "send", "moderate"]}
#: As the page calls what differs from run to run.
EVE, MESSAGE, BACK_END = "3rfPw6H2QPOxQG7D", '"ref":1042', "k3FvPq0a"


def section(number: int) -> list[str]:
    """The commands of a part of the page."""
    part = re.split(r"^## ", PAGE, flags=re.MULTILINE)[number]
    assert part.startswith(f"{number}.")
    return commands(part)


def commands(part: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", part, re.MULTILINE | re.DOTALL)


class Room:
    """The room ``lobby``, and the machine on which commands are typed."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.names: dict[str, str] = {"localhost:10443": f"localhost:{daemon.port}"}
        self.names["sleep 600"] = "true"

    def runs(self, typed: str) -> list[Any]:
        """Type commands; returns what they print, which is JSON a line or else text."""
        for name, meant in self.names.items():
            typed = typed.replace(name, meant)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", typed],
            cwd=self.daemon.directory,
            env={"PATH": path, "LIVECHAT_STATE": "state"},
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )
        assert ran.returncode == 0, (typed, ran.stdout, ran.stderr)
        return [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]

    def asks(self, path: str, body: Any = None, **more: Any) -> Answer:
        return ask(self.daemon, "GET" if body is None else "POST", f"/chat/{path}", body, **more)

    def says(self, text: str, query: str = "", **more: Any) -> Answer:
        return self.asks(f"actions/lobby/{query}", {"type": "message", "message": text}, **more)

    def history(self) -> list[str]:
        key = local_key(self.daemon)
        found = self.asks("history/lobby/", token=key, at="127.0.0.1").body["chat_history"]
        return [each["message"] for each in found]

    def settings(self) -> Any:
        key = local_key(self.daemon)
        return self.asks("rooms/lobby/", token=key, at="127.0.0.1").body["settings"]

    def restrictions(self) -> list[tuple[str, str, str]]:
        key = local_key(self.daemon)
        found = self.asks("restrictions/", token=key, at="127.0.0.1").body["restrictions"]
        return [(each["room"], each["kind"], each["user"]["id"]) for each in found]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    directory = tmp_path_factory.mktemp("daemon")
    secret_file(directory)
    options = ("--rate-per-ip=0", "--token-keys=secret")
    with Daemon(directory, *options, environment=CHEAP) as daemon:
        yield Room(daemon)


def test_a_raid_is_ended_by_the_page_of_crises(room: Room) -> None:
    """The spammer is out by its address, guests only read; then all is as it was."""
    for number in range(3):
        room.says(f"buy {number}", f"?name=Eve&client={KEY}", at=HERE)
    room.says("hello")
    found = room.asks("history/lobby/").body["chat_history"]
    room.names[EVE] = found[0]["user"]["id"]
    calm, everybody, over = section(1)
    assert [each["type"] for each in room.runs(calm)] == ["ack", "ack"]
    assert room.history() == ["hello"]
    assert room.says("back", f"?client={OTHER_KEY}", at=HERE).code == "banned"
    assert room.says("hold me").status == 202
    room.runs(everybody)
    assert room.settings()["guests"] == "read"
    assert room.says("no").code == "unauthorized"
    room.runs(over)
    assert room.settings() == {}
    assert room.says("again").status == 200


def test_acts_on_one_person_replace_each_other(room: Room) -> None:
    """Each act replaces the one before it; a pardon ends it."""
    ann = token("42")
    assert room.says("rude", token=ann).status == 200
    acts, pardons = section(2)
    mute, ban, remove, everywhere = acts.splitlines()
    room.runs(mute)
    assert room.says("x", token=ann).code == "muted"
    (done,) = room.runs(ban)
    assert done["count"] == 1
    assert room.says("x", token=ann).body["reason"] == "Insults."
    assert room.runs(remove)[0]["count"] == 0
    room.runs(everywhere)
    assert room.asks("rooms/other/", token=ann).code == "banned"
    room.runs(pardons)
    assert room.says("sorry", token=ann).status == 200


def test_a_phone_number_is_removed_everywhere(room: Room) -> None:
    """A phone number goes wherever it stands, and does not come back."""
    first = room.says("call 555-0134").body["seq"]
    room.names[MESSAGE] = f'"ref":{first}'
    one, others = section(3)
    room.runs(one)
    for text in ("555-0134!", "his number is 555-0134", "nothing"):
        assert room.says(text).status == 200
    removed, _ = room.runs(others)
    assert removed["count"] == 2
    assert not any("555" in text for text in room.history())
    assert room.history()[-1] == "nothing"
    assert room.says("(555) 0134").code == "rejected"
    room.runs("""livechat act lobby '{"type":"room","set":{"words":null}}'""")


def test_quiet_holds_all_messages_back(room: Room) -> None:
    """Quiet holds all messages back, and the end of it lets them through."""
    (block,) = section(4)
    before, wait, after = block.splitlines()
    room.runs(before)
    assert room.says("psst").status == 202
    assert room.asks("rooms/lobby/").body["settings"]["topic"] == "Quiet until a quarter past."
    room.runs(f"{wait}\n{after}")
    assert room.says("now").status == 200


def test_a_rogue_moderator_is_undone(room: Room) -> None:
    """The moderator is out, and what was done is undone, as far as it can be."""
    before = room.restrictions()
    rogue = token("7", rooms=MODERATES)
    for action in (
        {"type": "restrict", "user": "50", "kind": "ban"},
        {"type": "restrict", "user": "g51", "guest": True, "kind": "mute", "seconds": 60},
        {"type": "room", "set": {"slow": 60, "topic": "Ha!"}},
        {"type": "retract", "ref": room.says("dear").body["seq"]},
    ):
        assert room.asks("actions/lobby/", action, token=rogue).status == 200
    room.runs("livechat operator add ann --can lobby=moderate")
    room.names[BACK_END] = room.runs("livechat key add x --room lobby=moderate --json")[0]["id"]
    out, audit, pardon, settings = section(5)
    room.runs(out)
    assert room.says("x", token=rogue).status in (401, 403)
    assert room.says("x", token=token("7", rooms=MODERATES)).status in (401, 403)
    done = room.runs(audit)
    assert [each["action"]["type"] for each in done] == ["restrict", "restrict", "room", "retract"]
    assert done[-1]["text"] == "dear"
    room.runs(pardon)
    assert room.restrictions() == [*before, ("*", "ban", "7")]
    room.runs(settings)
    assert room.settings() == {}


def test_reviews_say_or_reject_messages(room: Room) -> None:
    """A message is said when it was approved, and not when it was rejected."""
    part = PAGE[PAGE.index("## Words") : PAGE.index("## Asking your site")]
    words, reviews = re.findall(r"^```sh\n(.*?)^```", part, re.MULTILINE | re.DOTALL)
    room.runs(words)
    assert room.says("so BAD!").code == "rejected"
    room.runs("""livechat act lobby '{"type":"room","set":{"words":null,"hold":"guests"}}'""")
    cases = [room.says(text).body["case"] for text in ("good", "0171")]
    decided = zip(reviews.splitlines(), cases, strict=True)
    room.runs("\n".join(line.replace("5f0c…", case) for line, case in decided))
    assert room.history()[-1] == "good"


def test_settings_of_the_page_are_those_of_moderators(room: Room) -> None:
    """The settings that it names are those of moderators."""
    (named,) = re.findall(r"and set (.*?) there\.", PAGE)
    assert set(re.findall(r"`(\w+)`", named)) == MODERATED
