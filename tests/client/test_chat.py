"""The Python client's own promises: bounds, errors, and what differs from the library's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from livechat_client import (
    BadAddress,
    Chat,
    Closed,
    Held,
    Refused,
    Unanswered,
    Unreachable,
    connect,
)

from tests.client.playing import DONE, Frame, Wire, hello, playing, run, said
from tests.support.loops import run_apart

pytestmark = pytest.mark.usefixtures("hurries")


async def texts(chat: Chat, count: int) -> list[Any]:
    return [getattr(await anext(chat), "text", None) for _ in range(count)]


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("localhost:10443", "https://localhost:10443"),
        ("chat.example.org", "https://chat.example.org"),
        ("ftp://chat.example.org", "https://chat.example.org"),
        ("https://", "https://"),
        ("https://host:port", "Port could not be cast"),
    ],
)
def test_a_bad_address_is_a_value_error(url: str, advice: str) -> None:
    """An address that is none says how it has to be, and is a ValueError, too."""

    async def asks() -> None:
        async with connect(url):
            pass

    with pytest.raises(BadAddress, match="bad_address") as caught:
        run_apart(asks())
    assert advice in caught.value.detail
    assert isinstance(caught.value, ValueError)


def test_an_unreachable_server_is_waited_for() -> None:
    """The first connection to an address without a server is waited for, up to a bound."""

    async def asks() -> None:
        with pytest.raises(Unreachable) as caught:
            async with connect("http://localhost:1", open_timeout=1):
                pass
        assert "Connect" in caught.value.detail

    run(asks())


@pytest.mark.parametrize("refused", [(403, "bad_origin"), (429, None), (200, None)])
def test_a_handshake_that_is_refused(refused: tuple[int, str | None]) -> None:
    """An HTTP status counts as the server's only with a problem as its body."""
    status, code = refused

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:  # the client has given up
            writer.close()
            return
        body = f'{{"code":"{code}","detail":"No."}}' if code else "<html>"
        media = "application/problem+json" if code else "text/html"
        head = (
            f"HTTP/1.1 {status} x\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body.encode())
        await writer.drain()
        writer.close()

    async def asks() -> None:
        server = await asyncio.start_server(answers, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            error = Closed if code else Unreachable
            with pytest.raises(error) as caught:
                async with connect(f"http://127.0.0.1:{port}", open_timeout=10 if code else 0.3):
                    pass
        if isinstance(caught.value, Closed):
            assert (caught.value.close_code, caught.value.detail) == (4403, "No.")

    run(asks())


def test_an_inbox_that_is_full() -> None:
    """Entries for which there is no room are asked for again, and acks pass them."""

    async def play(wire: Wire, _: int) -> None:
        await wire.say(hello(), *map(said, range(1, 11)))
        await wire.answer({"type": "ack", "seq": 11, "time": 1})
        await wire.say(said(11))
        for first in (4, 7, 10):
            asked = await wire.hear("resume")
            assert asked == {"type": "resume", "epoch": "e", "seq": first - 1}
            # Entries before the answer come again behind it.
            await wire.say(
                said(12), {**DONE, "from": first, "to": 12}, *map(said, range(first, 13))
            )

    async def chats() -> None:
        async with playing(play) as script, connect(script.url, inbox=3) as chat:
            await chat.send("passes")
            assert await texts(chat, 12) == [str(each) for each in range(1, 13)]

    run(chats())


def test_a_resume_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another resume follows one for which it was too early."""
    monkeypatch.setattr("livechat_client.chat.RESUME", 0.01)

    async def play(wire: Wire, _: int) -> None:
        await wire.say(hello(), said(1), said(2))
        await wire.hear("resume")
        await wire.say({"type": "error", "error": {"code": "rate_limited", "detail": "Wait."}})
        await wire.hear("resume")
        await wire.say({**DONE, "from": 2, "to": 2}, said(2))

    async def chats() -> None:
        async with playing(play) as script, connect(script.url, inbox=1) as chat:
            assert await texts(chat, 2) == ["1", "2"]

    run(chats())


def test_a_gap_where_the_inbox_is_full() -> None:
    """A gap is never dropped, and gaps in a row are one."""
    trimmed = {"type": "resumed", "complete": False, "reason": "trimmed", "oldest": 5, "to": 6}

    async def play(wire: Wire, _: int) -> None:
        await wire.say(hello(), said(1), trimmed, {**trimmed, "oldest": 7})
        await wire.answer({"type": "ack", "time": 1})

    async def chats() -> None:
        async with playing(play) as script, connect(script.url, inbox=1) as chat:
            await chat.act({"type": "clear"})
            first, gap = await anext(chat), await anext(chat)
            assert (getattr(first, "text", None), getattr(gap, "missed", None)) == ("1", 5)

    run(chats())


def test_a_send_that_is_given_up() -> None:
    """A send whose task is cancelled is forgotten; others are not, and so many may wait."""
    arrived = asyncio.Event()

    async def play(wire: Wire, _: int) -> None:
        await wire.say(hello())
        await wire.hear()
        arrived.set()
        await wire.answer({"type": "ack", "seq": 1, "time": 1})

    async def chats() -> None:
        async with playing(play) as script, connect(script.url) as chat:
            sending = [asyncio.create_task(chat.send(str(each))) for each in range(100)]
            await arrived.wait()
            with pytest.raises(Refused) as caught:
                await chat.send("one more")
            assert caught.value.code == "outbox_full"
            sending[0].cancel()
            assert (await sending[1]).seq == 1
            assert [each["message"] for each in script.heard] == ["0", "1"]
        for each in sending[2:]:
            with pytest.raises(Closed):
                await each
        with pytest.raises(Closed):
            await chat.send("x")
        with pytest.raises(Closed):
            await chat.history()
        with pytest.raises(StopAsyncIteration):
            await anext(chat)

    run(chats())


def test_no_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message without an answer goes again by another connection, under its nonce."""
    monkeypatch.setattr("livechat_client.link.ANSWER", 0.1)

    async def play(wire: Wire, count: int) -> None:
        await wire.say(hello(), *([DONE] if count else []))
        if count:
            await wire.answer({"type": "ack", "seq": 1, "time": 1, "duplicate": True})
        else:
            await wire.hear()
            monkeypatch.undo()

    async def chats() -> None:
        async with playing(play) as script, connect(script.url) as chat:
            assert (await chat.send("once")).duplicate
            one, other = script.heard
            assert one == other

    run(chats())


def test_a_nonce_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message whose nonce the server may have forgotten is not sent again."""
    times = {"now": 0.0}
    monkeypatch.setattr("livechat_client.sending.time.time", lambda: times["now"])

    async def play(wire: Wire, count: int) -> None:
        await wire.say(hello(), *([DONE] if count else []))
        await wire.hear()
        times["now"] += 600
        await wire.close(1012)

    async def chats() -> None:
        async with playing(play) as script, connect(script.url) as chat:
            with pytest.raises(Unanswered) as caught:
                await chat.send("doubtful")
            assert caught.value.code == "unknown"
            assert len(script.heard) == 1

    run(chats())


def test_a_held_message_lets_others_pass() -> None:
    """A message that waits for a review says so, and lets others pass."""

    async def play(wire: Wire, _: int) -> None:
        await wire.say(hello())
        error = {"code": "held", "detail": "It waits.", "case": "c1"}
        await wire.answer({"type": "error", "error": error})
        await wire.answer({"type": "ack", "seq": 1, "time": 1})
        await wire.say({"type": "case", "case": "c1", "state": "approved"})

    async def chats() -> None:
        frames: asyncio.Queue[Any] = asyncio.Queue()
        async with playing(play) as script, connect(script.url, on_frame=frames.put_nowait) as chat:
            with pytest.raises(Held) as caught:
                await chat.send("held")
            assert caught.value.case == "c1"
            await chat.send("after")
            assert await frames.get() == {"type": "case", "case": "c1", "state": "approved"}

    run(chats())


def test_rights_settings_and_names() -> None:
    """Rights, settings and a name are as the server says, and the next connection has the name."""
    restriction = {"kind": "mute", "reason": "spam"}

    async def play(wire: Wire, count: int) -> None:
        more: Frame = {"can": ["join"], "restriction": restriction, "settings": {"slow": 5}}
        await wire.say(hello(**more), *([DONE] if count else []))
        await wire.answer({"type": "ack", "time": 1, "name": "Amy"})
        await wire.say(
            {"type": "rights", "can": ["join", "send"]}, {"type": "room", "settings": {}}
        )
        await wire.close(1012)

    async def chats() -> None:
        frames: asyncio.Queue[Any] = asyncio.Queue()
        options: Any = {"name": "Ann", "key": "k" * 16}
        async with (
            playing(play) as script,
            connect(script.url, on_frame=frames.put_nowait, **options) as chat,
        ):
            assert chat.can == {"join"}
            assert chat.settings == {"slow": 5}
            assert chat.restriction
            assert (chat.restriction.kind, chat.restriction.until) == ("mute", None)
            assert await chat.rename("Amy!") == "Amy"
            assert [(await frames.get())["type"] for _ in range(2)] == ["rights", "room"]
            await chat.send("by the next connection")
            assert [query["name"] for _, query in script.asked] == ["Ann", "Amy"]

    run(chats())


def test_a_callback_that_fails() -> None:
    """An error of a callback is reported, and costs the chat nothing."""
    reported: list[Any] = []

    def fails(frame: Mapping[str, Any]) -> None:
        raise KeyError(frame["type"])

    async def play(wire: Wire, _: int) -> None:
        await wire.say(hello(), {"type": "typing"}, said(1))

    async def chats() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
        async with playing(play) as script, connect(script.url, on_frame=fails) as chat:
            assert await texts(chat, 1) == ["1"]
            assert len(script.asked) == 1

    run(chats())
    assert [str(each) for each in reported] == ["'typing'"]


def test_a_search_asks_for_pages() -> None:
    """A page of what fits is asked for by the frame that asks for a page."""
    page = {"type": "history", "messages": [], "first": 1, "last": 0, "more": False}

    async def play(wire: Wire, count: int) -> None:
        await wire.say(hello())
        for _ in range(2):
            await wire.hear("history")
            await wire.say(page)
        await wire.stay()

    async def chats() -> None:
        async with playing(play) as script, connect(script.url) as chat:
            await chat.history(q="hello", user="42", limit=5)
            await chat.history(user="k3Fv", guest=True)
            assert script.heard == [
                {"type": "history", "limit": 5, "q": "hello", "user": "42"},
                {"type": "history", "user": "k3Fv", "guest": True},
            ]

    run(chats())
