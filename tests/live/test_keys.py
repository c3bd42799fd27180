"""Keys and revocation, with real daemons: at two workers, and after a restart."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from websockets.exceptions import ConnectionClosed

from livechat.identity.local_key import read_local_key
from tests.backends.redis.server import RedisServer
from tests.live.browser import Tab
from tests.live.daemon import PATIENCE, Daemon, Member, eventually, trusting

#: The answer to a page that has a key: browsers send no Origin where it reads its own site.
IN_A_PAGE = """async (key) => {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const asked = [
        fetch("/chat/rooms/", { headers }),
        fetch("/chat/history/r/", { headers }),
        fetch("/chat/actions/r/", { headers, method: "POST", body: '{"message":"x"}' }),
        fetch("/chat/keys/", { headers, method: "POST", body: '{"name":"x","rooms":{}}' }),
    ];
    return Promise.all((await Promise.all(asked)).map(async (answer) => {
        const { code, detail } = await answer.json();
        return [answer.status, code, detail.includes("/chat/token/")];
    }));
}"""


def ask(
    daemon: Daemon, credential: str, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, Any]:
    """An answer's status, and what it says."""
    connection = http.client.HTTPSConnection(
        "localhost", daemon.port, timeout=PATIENCE, context=trusting()
    )
    given = {"Authorization": f"Bearer {credential}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body)
    connection.request(method, path, data, given | headers)
    answer = connection.getresponse()
    found = json.loads(answer.read())
    connection.close()
    return answer.status, found


def token(daemon: Daemon, local: str, user: str) -> str:
    status, made = ask(daemon, local, "POST", "/chat/token/", {"user": user})
    assert status == 200
    return str(made["token"])


def enter(daemon: Daemon, credential: str) -> list[Member]:
    """Members at both workers."""
    given = {"Authorization": f"Bearer {credential}"}
    return daemon.members(4, subprotocols=["livechat.v1"], additional_headers=given)


def closed(member: Member) -> int:
    """The code with which the server closes a member."""
    with suppress(ConnectionClosed):
        while member.recv():
            pass
    assert member.close_received is not None
    return member.close_received.code


def hears(member: Member, text: str) -> bool:
    while (frame := json.loads(member.recv())).get("message") != text:
        pass
    return bool(frame)


def test_a_revoked_user_is_out_at_both_workers(
    start: Callable[..., Daemon], redis: RedisServer
) -> None:
    """A revoked user, and one that came with a dropped key, is out at both."""
    daemon = start(f"--redis={redis.url}", "--workers=2")
    for number in (1, 2):
        daemon.log.wait_for(rf"\[worker {number}#info\].* Redis at \S+ can be used")
    local = read_local_key(daemon.directory / "state")
    tokens = {user: token(daemon, local, user) for user in ("42", "7")}
    made = ask(daemon, local, "POST", "/chat/keys/", {"name": "bot", "rooms": {"r": ["*"]}})[1]
    revoked, others, bots = (
        enter(daemon, each) for each in (tokens["42"], tokens["7"], made["key"])
    )

    status, ack = ask(daemon, local, "POST", "/chat/actions/", {"type": "revoke", "user": "42"})
    assert (status, ack["type"]) == (200, "ack")
    assert {closed(each) for each in revoked} == {4101}
    # New connections go to either worker.
    for _ in range(8):
        assert ask(daemon, tokens["42"], "GET", "/chat/history/r/")[0] == 401

    assert ask(daemon, local, "DELETE", f"/chat/keys/{made['id']}/")[0] == 200
    assert {closed(each) for each in bots} == {4101}
    for _ in range(8):
        assert ask(daemon, made["key"], "GET", "/chat/history/r/")[0] == 401

    assert ask(daemon, tokens["7"], "POST", "/chat/send/r/", {"message": "still here"})[0] == 200
    assert all(hears(each, "still here") for each in others)

    def found() -> int:
        return int(ask(daemon, local, "GET", "/chat/members/r/")[1]["users"])

    eventually(lambda: found() == 1)


def test_keys_and_revocations_outlive_a_restart(start: Callable[..., Daemon]) -> None:
    """Keys and revocations outlive the process, and so does the local key."""
    daemon = start()
    state = daemon.directory / "state"
    local = read_local_key(state)
    revoked, other = (token(daemon, local, user) for user in ("42", "7"))
    key = ask(daemon, local, "POST", "/chat/keys/", {"name": "news", "rooms": {"r": ["send"]}})[1]
    assert ask(daemon, local, "POST", "/chat/actions/", {"type": "revoke", "user": "42"})[0] == 200
    daemon.kill()
    again = start()
    assert read_local_key(state) == local
    assert [ask(again, each, "GET", "/chat/history/r/")[0] for each in (revoked, other)] == [
        401,
        200,
    ]
    assert ask(again, key["key"], "POST", "/chat/send/r/", {"message": "x"})[0] == 200
    page = {"Origin": f"https://localhost:{again.port}"}
    assert ask(again, key["key"], "POST", "/chat/send/r/", {"message": "x"}, **page)[0] == 403
    assert ask(again, local, "GET", "/chat/keys/", **{"X-Forwarded-For": "127.0.0.1"})[0] == 401
    assert key["key"] not in again.log.text + daemon.log.text


def test_a_page_gets_nothing_with_a_key(tab: Callable[..., Tab], daemon: Daemon) -> None:
    """Chromium gets nothing with it, from the server's own page neither, and its author is told."""
    key = read_local_key(daemon.directory / "state")
    assert ask(daemon, key, "GET", "/chat/rooms/")[0] == 200
    shown = tab()
    shown.page.goto(f"{daemon.url}/rooms/r/")
    assert shown.page.evaluate(IN_A_PAGE, key) == [[403, "forbidden", True]] * 4
    assert all("403" in each for each in shown.complaints)
    shown.complaints.clear()
