"""`livechat.command.talking`."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from livechat.command import talking
from livechat.command.client import Client, UnreachableError
from livechat.command.finding import find
from livechat.command.output import CommandError, Output
from livechat.command.talking import LONGEST_PAUSE, Event, Tail, events
from tests.command.conftest import Command
from tests.command.fake import Fake, Said, problem

SENT = Said({"message": "Message sent!"}, headers={"Livechat-Seq": "7", "Livechat-Time": "1"})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("data: a\n\n", [Event("message", "a", "")]),
        ("id: e:1\nevent: x\ndata: a\ndata:b\n\n", [Event("x", "a\nb", "e:1")]),
        (":\n\nretry: 3\n\ndata:  a\n\n", [Event("message", " a", "")]),
        ("data\n\nevent: x\n\ndata: a", [Event("message", "", "")]),
        ("nonsense\n\n: comment\n\n", []),
    ],
)
def test_server_sent_events_are_read_as_browsers_do(text: str, found: list[Event]) -> None:
    """Server-sent events are read as browsers do; half of one is none."""
    assert list(events(iter(text.split("\n")))) == found


def of(name: str, seq: int, **more: object) -> bytes:
    frame = {"type": name, "seq": seq, "time": 1_790_000_000_000, **more}
    return f"id: e:{seq}\nevent: {name}\ndata: {json.dumps(frame)}\n\n".encode()


def said(seq: int, text: str) -> bytes:
    return of("message", seq, message=text, user={"id": "1", "name": "Ann"})


class Stop(Exception):
    """Ends a tail."""


@pytest.fixture
def tail(fake: Fake) -> Callable[..., tuple[Tail, list[float]]]:
    """A tail that stops at its pause after *count* others."""

    def make(count: int, *, as_json: bool = False) -> tuple[Tail, list[float]]:
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) > count:
                raise Stop

        client = Client(find(None, str(fake.state), {}))
        return Tail(client, Output(as_json=as_json), sleep), pauses

    return make


def test_tail_goes_on_over_outages(
    fake: Fake, tail: Callable[..., tuple[Tail, list[float]]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The command begins with the last messages, and goes on where it was over every outage."""
    history = {"chat_history": [{"message": "before", "seq": 1, "time": 1_790_000_000_000}]}
    fake.answers = [
        Said(history, headers={"Livechat-Epoch": "e", "Livechat-Seq": "1"}),
        Said(b": x\n\n" + said(2, "hi") + of("presence", 2)),
        problem(503, "unavailable", "Not now.", Retry_After="3"),
        Said(of("event", 3, event="edited", ref=2, text="ho\x1b")),
        Said(of("event", 4, event="retracted", refs=[2, 3]) + b"data: {\n\ndata: []\n\n"),
    ]
    following, pauses = tail(3)
    with pytest.raises(Stop):
        following.run("a/b", 5)
    lines = [line[line.index("#") :] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "#1 before",
        "#2 Ann: hi",
        "#3 (edited #2) ho\ufffd",
        "#4 (taken back: #2, #3)",
    ]
    assert [asked.path for asked in fake.asked[:2]] == [
        "/chat/history/a%2Fb/?limit=5",
        "/chat/events/a%2Fb/",
    ]
    assert [asked.headers["last-event-id"] for asked in fake.asked[1:]] == [
        "e:1", "e:2", "e:2", "e:3",
    ]  # fmt: skip
    assert pauses == [1.0, 3.0, 1.0, 1.0]


def test_tail_gives_frames_to_programs(
    fake: Fake, tail: Callable[..., tuple[Tail, list[float]]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Programs get the frames as they came."""
    fake.answers = [Said(said(1, "\x1b") + of("presence", 1))]
    with pytest.raises(Stop):
        tail(0, as_json=True)[0].run("r", 0)
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["type"], each.get("message")) for each in found] == [
        ("message", "\x1b"),
        ("presence", None),
    ]


def test_tail_of_a_server_that_is_gone(
    fake: Fake, tail: Callable[..., tuple[Tail, list[float]]], capsys: pytest.CaptureFixture[str]
) -> None:
    """An outage is told once, and retried after longer and longer pauses."""
    fake.show(port=1)
    following, pauses = tail(7)
    with pytest.raises(Stop):
        following.run("r", 0)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, LONGEST_PAUSE]
    assert capsys.readouterr().err.count("nobody answers") == 1


def test_tail_that_is_refused(fake: Fake, command: Command) -> None:
    fake.answers = [problem(403, "forbidden", "You may not.")]
    assert command("tail", "r") == (1, "", "livechat: You may not.\n")


def test_say_sends_a_message(fake: Fake, command: Command) -> None:
    fake.answers = [SENT]
    assert command("say", "a b", "hi") == (0, "#7\n", "")
    assert command("say", "r", stdin="two\nlines\n").out == "#7\n"
    assert json.loads(command("say", "r", "x", "--json").out) == {"seq": 7, "time": 1}
    assert [(asked.path, json.loads(asked.body)["message"]) for asked in fake.asked] == [
        ("/chat/send/a%20b/", "hi"), ("/chat/send/r/", "two\nlines"), ("/chat/send/r/", "x"),
    ]  # fmt: skip
    command("say", "r", "y", "--user=42", "--name=Ann")
    user = {"id": "42", "name": "Ann"}
    assert json.loads(fake.asked.pop().body) == {"message": "y", "user": user}
    keys = {asked.headers["idempotency-key"] for asked in fake.asked}
    assert len(keys) == 3
    assert all(len(key) == 32 for key in keys)


def test_a_lost_answer_is_asked_for_again_with_its_key(
    fake: Fake, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that is lost is asked for again, with the same key."""
    ask, lost = Client.ask, [True]

    def unlucky(client: Client, *given: object, **more: object) -> object:
        answer = ask(client, *given, **more)  # type: ignore[arg-type]
        if lost.pop() if lost else False:
            raise UnreachableError("it broke")
        return answer

    monkeypatch.setattr(Client, "ask", unlucky)
    fake.answers = [SENT]
    assert command("say", "r", "hi").out == "#7\n"
    assert len({asked.headers["idempotency-key"] for asked in fake.asked}) == 1
    assert len(fake.asked) == 2


def test_an_act_is_sent_and_answered_as_it_came(fake: Fake, command: Command) -> None:
    """JSON is sent as it is; the answer is printed as it came."""
    fake.answers = [Said({"type": "ack", "seq": 1})]
    action = '{"type":"retract", "refs":[1]}'
    assert command("act", "r", action) == (0, '{"type": "ack", "seq": 1}\n', "")
    assert command("act", "r", stdin=action).code == 0
    assert [asked.body for asked in fake.asked] == [action.encode()] * 2


def test_act_in_many_rooms(fake: Fake, command: Command) -> None:
    """An action for a pattern of rooms names it in the body: only a room fits into the path."""
    fake.answers = [Said({"type": "ack"})]
    assert command("act", "team-*", '{"type":"room","set":{"slow":5}}').code == 0
    assert command("act", "*", '{"type":"pardon","user":"7","everywhere":true}').code == 0
    assert [asked.path for asked in fake.asked] == ["/chat/actions/"] * 2
    assert [json.loads(asked.body)["room"] for asked in fake.asked] == ["team-*", "*"]
    ran = command("act", "*", "[1]")
    assert (ran.code, ran.out, len(fake.asked)) == (1, "", 2)
    assert ran.err.startswith("livechat: an action is a JSON object")


def test_a_held_message_is_no_failure(fake: Fake, command: Command) -> None:
    """A message that waits for a review is not called a failure."""
    body = {"message": "Message held.", "case": "c8f2"}
    fake.answers = [Said(body, 202, {"Livechat-Case": "c8f2"})]
    assert command("say", "r", "x") == (0, "waits for a review, as case c8f2\n", "")
    assert json.loads(command("say", "r", "x", "--json").out) == {"case": "c8f2"}
    assert json.loads(command("act", "r", '{"message":"x"}').out) == body


@pytest.mark.parametrize("action", ["", "{", "[" * 100_000, "{'a':1}"])
def test_a_text_that_is_no_action_is_refused(fake: Fake, command: Command, action: str) -> None:
    ran = command("act", "r", stdin=action)
    assert (ran.code, ran.out, fake.asked) == (1, "", [])
    assert ran.err.startswith("livechat: this is no JSON")
    assert ran.err.count("\n") == 1


def test_too_much_typed(fake: Fake, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talking, "LONGEST_INPUT", 10)
    assert "more than 10 characters" in command("say", "r", stdin="x" * 11).err
    assert fake.asked == []


def test_input_that_is_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bytes:
        def read(self, _: int) -> str:
            return b"\xff".decode()

    monkeypatch.setattr("sys.stdin", Bytes())
    with pytest.raises(CommandError, match="not UTF-8"):
        talking._typed()
