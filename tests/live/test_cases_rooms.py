"""The named cases of odd rooms and texts, with a real daemon: test names end with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.backends.redis.server import RedisServer
from tests.live.daemon import Daemon, eventually
from tests.live.siege import answer, siege, statuses
from tests.support import HANDSHAKE, request

pytestmark = pytest.mark.alone

CLOSE = {"Connection": "close"}
JSON = {"Content_Type": "application/json", **CLOSE}


@pytest.fixture(scope="module", params=["embedded", "Redis"])
def daemon(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    """A daemon with either backend."""
    directory = tmp_path_factory.mktemp("daemon")
    options = ["--rate=0", "--rate-per-ip=0"]
    if request.param == "embedded":
        with Daemon(directory, *options) as running:
            yield running
    else:
        with (
            RedisServer(directory / "redis") as redis,
            Daemon(directory, *options, f"--redis={redis.url}") as running,
        ):
            running.log.wait_for("Redis at .* can be used")
            yield running


@pytest.fixture(autouse=True)
def under_siege(daemon: Daemon) -> Iterator[None]:
    with siege(daemon):
        yield


def post(daemon: Daemon, body: bytes, room: str = "r") -> tuple[int, dict[str, str]]:
    data = answer(daemon, request("POST", f"/chat/send/{room}/", body, **JSON))
    told: dict[str, str] = json.loads(data.partition(b"\r\n\r\n")[2])
    return statuses(data)[0], told


def refused_everywhere(daemon: Daemon, segment: str) -> None:
    """A room's name, as it is in a path, is refused by every endpoint, and is no room."""
    upgrade = request("GET", f"/ws/chat/{segment}/", **HANDSHAKE)
    for data in (
        request("POST", f"/chat/send/{segment}/", b'{"message":"x"}', **JSON),
        request("GET", f"/chat/history/{segment}/", **CLOSE),
        request("GET", f"/chat/events/{segment}/", **CLOSE),
        request("GET", f"/rooms/{segment}/", **CLOSE),
        upgrade.replace(b"Connection: Upgrade", b"Connection: Upgrade, close"),
    ):
        connection = daemon.raw(data)
        assert statuses(connection.recv(65_536))[0] in (400, 404), (segment, data)
        connection.close()


@pytest.mark.parametrize("room", ["é", "e\u0301", "ｒｏｏｍ", "ﬁle", "RÖOM"])
def test_canonical_name_r1(daemon: Daemon, room: str) -> None:
    """R-1: names are ASCII, so that there is one way to write each; nothing is folded."""
    refused_everywhere(daemon, quote(room))


def test_case_of_names_r1(daemon: Daemon) -> None:
    """R-1: case counts, and percent-encoding does not."""
    for room, text in (("Room", "a"), ("ROOM", "b"), ("%52oom", "c")):
        assert post(daemon, json.dumps({"message": text}).encode(), room)[0] == 200
    texts = {room: [each["message"] for each in daemon.history(room)] for room in ("Room", "ROOM")}
    assert texts == {"Room": ["a", "c"], "ROOM": ["b"]}
    with daemon.socket("R%6fom") as member:
        post(daemon, b'{"message": "d"}', "Room")
        assert json.loads(member.recv()) == {"message": "d"}


@pytest.mark.parametrize(
    "room", ["r\u043e\u043em", "a\u200bb", "a\u202eb", "\ufeffa", "\u0301", "\ue000", "a\u00adb"]
)  # fmt: skip
def test_confusable_name_r2(daemon: Daemon, room: str) -> None:
    """R-2: what looks like another name, or like none, is no name."""
    refused_everywhere(daemon, quote(room))


@pytest.mark.parametrize(
    "segment",
    ["a%2Fb", "a%252Fb", "..", ".", "%2e%2e", "%00", "%0d%0a", "%ff", "", "x" * 129, "x" * 10_000,
     "a%20b", "a+b", "%", "%zz", "a;b", "a,b"],
)  # fmt: skip
def test_separators_in_name_r3(daemon: Daemon, segment: str) -> None:
    """R-3: what could be taken for something else in a path, a header or a log is no name."""
    refused_everywhere(daemon, segment)
    eventually(lambda: "livechat_rooms 0.0" in daemon.curl(f"{daemon.url}/metrics"))


@pytest.mark.parametrize(
    "room", ["*", "[a-z]", "?", "a:b", "__keyspace@0__:x", "{slot}", "\\", "'", '"', "$", "|"]
)  # fmt: skip
def test_name_like_redis_keys_r4(daemon: Daemon, room: str) -> None:
    """R-4: what means something to Redis is no name."""
    refused_everywhere(daemon, quote(room, safe=""))


@pytest.mark.parametrize(
    "text", ["007", "42", "1_000", "1e5", "nan", "+1", "null", "true", "0x10", " 1 ", "-0", "{}"]
)  # fmt: skip
def test_number_like_text_r6(daemon: Daemon, text: str) -> None:
    """R-6: a text that looks like a number stays the text that it is, on every way."""
    with daemon.socket("r6") as member:
        member.send(json.dumps({"message": text}))
        assert json.loads(member.recv()) == {"message": text}
        assert post(daemon, json.dumps({"message": text}).encode(), "r6")[0] == 200
        assert json.loads(member.recv()) == {"message": text}
    assert [each["message"] for each in daemon.history("r6")][-2:] == [text, text]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("\\u0000", True), ("\\ud800", False), ("\\udc00\\ud800", False), ("\\ud83d\\ude00", True),
        ("\u202eabc\u2028\u2029\u0085", True), ("a" + "\u0301" * 4_096, True), ("x" * 16_384, True),
        ("x" * 16_385, False), ("é" * 8_192, True), ("é" * 8_192 + "x", False),
        ("\\r\\n\\t\\b", True),
    ],
)  # fmt: skip
def test_text_bytes_r7(daemon: Daemon, text: str, kept: bool) -> None:
    """R-7: a text is kept exactly, or refused; livechat's limit is 16 KiB of UTF-8."""
    body = f'{{"message": "{text}"}}'.encode()
    status, _ = post(daemon, body, "r7")
    assert status == (200 if kept else 400)
    with daemon.socket("r7") as member:
        member.send(body.decode())
        heard = json.loads(member.recv())
        if not kept:
            assert "error" in heard
            return
        assert heard == json.loads(body)
    assert daemon.history("r7")[-1]["message"] == heard["message"]


@pytest.mark.parametrize("depth", [33, 1_000, 45_000])
@pytest.mark.parametrize(
    "body",
    [b"%b", b'{"message":%b}', b'{"message":"x","other":%b}', b'{"message":"x","other":"]%b'],
    ids=["all", "message", "ignored", "in a text"],
)  # fmt: skip
def test_json_depth_r8(daemon: Daemon, depth: int, body: bytes) -> None:
    """R-8: JSON as deep as one likes is an error like any other, in keys that are ignored too."""
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        times = min(depth, 90_000 // len(opening + closing))
        sent = body % (opening * times + b"1" + closing * times)
        status, told = post(daemon, sent)
        assert (status, told["code"]) == (400, "bad_json")
        with daemon.socket() as member:
            member.send(sent.decode())
            assert json.loads(member.recv())["error"]["code"] == "bad_json"


def test_as_deep_as_may_be_r8(daemon: Daemon) -> None:
    """R-8: one less is allowed, and brackets in texts are none."""
    for text in ("x", "[" * 100, '\\"' + "{" * 100):
        sent = {"message": text, "other": json.loads("[" * 31 + "]" * 31)}
        assert post(daemon, json.dumps(sent).encode())[0] == 200


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5_000, "1", "0x1"]
)
def test_json_numbers_r9(daemon: Daemon, number: str) -> None:
    """R-9: a number is no message, whether it is one of JSON's or not."""
    status, _ = post(daemon, f'{{"message": {number}}}'.encode())
    assert status == 400
    # Other keys are ignored, but the whole has to be JSON.
    status, _ = post(daemon, f'{{"message": "x", "other": {number}}}'.encode())
    assert status == (400 if number in ("NaN", "Infinity", "-Infinity", "0x1") else 200)
