"""The Python client's tokens: where they come from, and when others are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from livechat_client import Refused, Status, Unreachable, connect

from tests.client.playing import DONE, Wire, hello, jwt, playing, run

pytestmark = pytest.mark.usefixtures("hurries")

ANN = {"id": "42", "name": "Ann", "verified": True}


def raises() -> str:
    raise LookupError("signed out")


async def hangs() -> str:
    await asyncio.Event().wait()
    return ""


@pytest.mark.parametrize(
    ("give", "reason"),
    [
        (raises, "signed out"),
        (lambda: None, "There is no token."),
        (lambda: "<!doctype html>", "There is no token."),
        (lambda: f"{jwt(1)}\r\nX: y", "There is no token."),
        (lambda: "x" * 4_097, "There is no token."),
        (hangs, "No token came in time."),
    ],
)
def test_a_function_without_a_token_is_called_again(
    give: Callable[[], Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function that gives none is called again later, and nothing is asked without one."""
    monkeypatch.setattr("livechat_client.tokens.ANSWER", 0.05)
    statuses: list[Status] = []
    calls = iter([give])

    def given() -> Any:
        return next(calls, lambda: jwt(1))()

    async def play(wire: Wire, _: int) -> None:
        await wire.say(hello())

    async def chats() -> None:
        async with (
            playing(play) as script,
            connect(script.url, token=given, on_status=statuses.append),
        ):
            assert script.brought == [f"Bearer {jwt(1)}"]

    run(chats())
    assert Status("waiting", 4100, reason) in statuses


def test_the_same_token_again() -> None:
    """A token that was called over is not brought again."""

    async def play(wire: Wire, _: int) -> None:
        await wire.close(4100, "It is over.")

    async def chats() -> None:
        async with playing(play) as script:
            with pytest.raises(Unreachable, match="no other token"):
                async with connect(script.url, token=lambda: jwt(1), open_timeout=1):
                    pass
            assert len(script.brought) == 1

    run(chats())


@pytest.mark.parametrize("token", ["lck_secret", jwt(7)])
def test_a_token_that_stays(token: str) -> None:
    """A key, or a single token, is brought as it is, and in no address."""

    async def play(wire: Wire, _: int) -> None:
        await wire.say(hello())

    async def chats() -> None:
        async with playing(play) as script, connect(script.url, token=token, user="42", name="A"):
            assert script.brought == [f"Bearer {token}"]
            assert script.asked == [("/ws/chat/lobby/", {"user": "42", "name": "A"})]

    run(chats())


def test_another_token_on_the_same_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that ends is followed by another one; the connection stays."""
    monkeypatch.setattr("livechat_client.tokens.APART", 0.0)

    async def play(wire: Wire, _: int) -> None:
        await wire.say(hello(user=ANN), {"type": "rights", "can": ["join"], "expiring": True})
        assert (await wire.hear("auth"))["token"] == jwt(2)
        await wire.say({"type": "rights", "can": ["join", "send"]})
        await wire.answer({"type": "ack", "seq": 1, "time": 1})

    async def chats() -> None:
        given = iter([jwt(1), jwt(2)])
        frames: asyncio.Queue[Any] = asyncio.Queue()
        options: Any = {"token": lambda: next(given), "on_frame": frames.put_nowait}
        async with playing(play) as script, connect(script.url, **options) as chat:
            for _ in range(2):
                await frames.get()
            assert (await chat.send("hi")).seq == 1
            assert chat.can == {"join", "send"}
            assert len(script.brought) == 1

    run(chats())


def test_a_token_of_another_user_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token of somebody else begins a connection anew; nothing goes out in their name."""
    monkeypatch.setattr("livechat_client.tokens.APART", 0.0)

    async def play(wire: Wire, count: int) -> None:
        if count:
            await wire.say(hello(user={**ANN, "id": "43"}), DONE)
            await wire.answer({"type": "ack", "seq": 1, "time": 1})
            return
        await wire.say(hello(user=ANN))
        await wire.hear()
        await wire.say({"type": "rights", "can": ["join"], "expiring": True})
        await wire.hear("auth")
        await wire.say({"type": "error", "error": {"code": "forbidden", "detail": "Another's."}})

    async def chats() -> None:
        given = iter([jwt(1), jwt(2)])
        options: Any = {"token": lambda: next(given)}
        async with playing(play) as script, connect(script.url, **options) as chat:
            with pytest.raises(Refused) as caught:
                await chat.send("I am Ann")
            assert caught.value.code == "another_user"
            await chat.send("I am Bob")
            assert script.brought == [f"Bearer {jwt(each)}" for each in (1, 2)]
            heard = [each["message"] for each in script.heard if each["type"] == "message"]
            assert heard == ["I am Ann", "I am Bob"]

    run(chats())
