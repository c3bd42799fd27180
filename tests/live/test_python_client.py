"""The Python client, clients/python, with a real daemon; and its package."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from livechat_client import Chat, Closed, Edited, Gap, Message, Refused, Retracted, User, connect

from tests.client.playing import run
from tests.live.cable import Cable
from tests.live.daemon import ROOT, Daemon, trusting
from tests.live.site_users import SECRET, token

PACKAGE = ROOT / "clients" / "python"


def visit(daemon: Daemon, url: str = "", **options: Any) -> Any:
    return connect(url or daemon.url, ssl=trusting(), **{"name": "Ann", **options})


async def heard(chat: Chat, count: int) -> list[Any]:
    return [await anext(chat) for _ in range(count)]


def test_through_a_proxy(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment is asked for a tunnel."""
    asked: list[bytes] = []

    async def passes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
        writer.close()

    async def tunnels(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        there, onward = await asyncio.open_connection("127.0.0.1", daemon.port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(passes(reader, onward), passes(there, writer))

    async def chats() -> None:
        server = await asyncio.start_server(tunnels, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        async with server, visit(daemon, room="tunnel") as ann:
            await ann.send("hi")
            assert (await anext(ann)).text == "hi"

    run(chats())
    assert asked == [f"CONNECT localhost:{daemon.port} HTTP/1.1".encode()]


def test_the_client_says_edits_retracts_and_reads(daemon: Daemon) -> None:
    """The client says, edits, takes back and reads messages, and hears all of it."""

    async def chats() -> None:
        async with visit(daemon) as ann, visit(daemon, name="Bob") as bob:
            sent = await ann.send("hi \ud800!", data={"a": 1})
            reply = await bob.send("yes", reply_to=sent.seq)
            edited = await ann.edit(sent.seq, "hello")
            with pytest.raises(Refused) as caught:
                await bob.edit(sent.seq, "mine")
            assert caught.value.code == "forbidden"
            await ann.retract(sent.seq)
            first, second, third, fourth = await heard(bob, 4)
            assert first == Message(sent.seq, sent.time, "hi \ufffd!", ann.user, data={"a": 1})
            assert (second.seq, second.text, second.reply_to) == (reply.seq, "yes", sent.seq)
            assert third == Edited(edited.seq, edited.time, sent.seq, "hello")
            assert isinstance(fourth, Retracted)
            assert (fourth.refs, fourth.by) == ((sent.seq,), "author")
            assert await heard(ann, 4) == [first, second, third, fourth]
            page = await ann.history(limit=5)
            assert [each.text for each in page.messages] == ["yes"]
            report = await ann.act({"type": "report", "ref": reply.seq, "reason": "rude"})
            assert report.case
            assert await ann.rename("Anna") == "Anna"
            await ann.send("bye")
            assert (await anext(bob)).user.name == "Anna"

    run(chats())


def test_a_killed_server_costs_no_message(start: Callable[..., Daemon]) -> None:
    """A server that is killed in the middle costs neither a message nor an order."""
    daemon = start()
    port = daemon.port

    async def chats() -> None:
        async with visit(daemon) as ann, visit(daemon, name="Bob") as bob:
            sending = [asyncio.create_task(ann.send(str(each))) for each in range(30)]
            await sending[5]
            await asyncio.to_thread(daemon.kill)
            late = asyncio.create_task(bob.send("late"))
            await asyncio.to_thread(start, f"--port={port}")
            acks = [await each for each in sending]
            assert [each.seq for each in acks] == sorted({each.seq for each in acks})
            await late
            entries = await heard(bob, 31)
            assert [each.seq for each in entries] == list(range(1, 32))
            said = [each.text for each in entries if each.text != "late"]
            assert said == [str(each) for each in range(30)]
            assert await heard(ann, 31) == entries

    run(chats())


def test_a_small_inbox_gets_everything(daemon: Daemon) -> None:
    """A reader with a small inbox gets everything, once and in order; a sender needs none."""

    async def chats() -> None:
        async with visit(daemon, inbox=7, room="slow") as ann:
            for each in range(60):
                await ann.send(str(each))
            assert [each.text for each in await heard(ann, 60)] == [str(each) for each in range(60)]
            await ann.send("end")
            assert (await anext(ann)).text == "end"

    run(chats())


def test_a_message_into_a_dead_connection_is_stored_once(daemon: Daemon) -> None:
    """A message sent into a dead connection is stored once, and nothing is missed."""

    async def chats() -> None:
        with Cable(daemon.port) as cable:
            url = f"https://localhost:{cable.port}"
            async with visit(daemon, url, room="cable") as ann:
                await ann.send("before")
                cable.fall_silent()
                sending = asyncio.create_task(ann.send("once"))
                async with visit(daemon, room="cable") as bob:
                    await bob.send("meanwhile")
                cable.cut()
                cable.go_on()
                await sending
                await ann.send("after")
                texts = [each.text for each in await heard(ann, 4)]
                assert sorted(texts[1:3]) == ["meanwhile", "once"]
                assert [texts[0], texts[3]] == ["before", "after"]

    run(chats())


def test_expired_entries_are_a_gap(start: Callable[..., Daemon]) -> None:
    """Entries that the server keeps no longer are a gap, which says how many they were."""
    daemon = start("--history-limit=2")

    async def chats() -> None:
        with Cable(daemon.port) as cable:
            url = f"https://localhost:{cable.port}"
            async with visit(daemon, url) as ann, visit(daemon, name="Bob") as bob:
                await ann.send("1")
                await anext(ann)
                cable.fall_silent()
                for each in range(5):
                    await bob.send(str(each))
                cable.cut()
                cable.go_on()
                gap, *rest = await heard(ann, 3)
                assert gap == Gap("trimmed", 3)
                assert [each.text for each in rest] == ["3", "4"]

    run(chats())


def test_tokens_that_end_are_followed_by_others(
    start: Callable[..., Daemon], tmp_path: Path
) -> None:
    """Tokens that end are followed by others; a guest, and a wrong token, are told why."""
    (tmp_path / "secret").write_text(SECRET)
    daemon = start("--token-keys=secret", "--guests=read")
    asked: list[str] = []

    async def give() -> str:
        asked.append(token("42", 2 if len(asked) < 1 else 600, name="Ann"))
        return asked[-1]

    async def chats() -> None:
        async with visit(daemon, token=give) as ann:
            assert ann.user == User("42", "Ann", verified=True)
            await ann.send("with the first")
            await asyncio.sleep(2.1)
            assert (await ann.send("with the second")).seq == 2
            assert [each.text for each in await heard(ann, 2)] == [
                "with the first",
                "with the second",
            ]
        assert len(asked) == 2
        async with visit(daemon) as guest:
            assert guest.can == {"join", "history"}
            with pytest.raises(Refused) as refused:
                await guest.send("x")
            assert refused.value.code == "unauthorized"
        with pytest.raises(Closed) as closed:
            async with visit(daemon, token=f"{token('42')}x"):
                pass
        assert closed.value.close_code == 4401

    run(chats())


def test_the_lines_of_the_readme_run(daemon: Daemon, tmp_path: Path) -> None:
    """The README's five lines run as they are, and say what they hear."""
    readme = (PACKAGE / "README.md").read_text()
    (shown,) = re.findall(r"^```python\n(async with.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert len(shown.splitlines()) == 5
    names = "from livechat_client import Message, connect"
    program = (
        f"import asyncio\n{names}\nasync def main():\n{indent(shown, '    ')}\nasyncio.run(main())"
    )
    program = program.replace("https://localhost:10443", daemon.url)
    authority = str(daemon.directory / "certs" / "livechat.crt")
    with subprocess.Popen(
        [sys.executable, "-u", "-c", program],
        env={"PYTHONPATH": str(PACKAGE), "SSL_CERT_FILE": authority},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "Ann hi\n"
        process.terminate()


def test_the_wheel_is_whole_and_typed(tmp_path: Path) -> None:
    """The wheel has all modules and is typed, and nobody publishes it by mistake."""
    build = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    source = _copied(tmp_path / "source")
    subprocess.run([*build, "--wheel-dir", tmp_path, source], check=True)
    (made,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(made) as archive:
        names = set(archive.namelist())
        (metadata,) = (name for name in names if name.endswith("/METADATA"))
        text = archive.read(metadata).decode()
    modules = {
        f"livechat_client/{path.name}" for path in (PACKAGE / "livechat_client").glob("*.py")
    }
    assert names >= modules | {"livechat_client/py.typed"}
    assert "Private :: Do Not Upload" in text
    assert re.search(r"^Requires-Dist: websockets", text, re.MULTILINE)


def _copied(to: Path) -> Path:
    # A build writes beside what it builds.
    return shutil.copytree(PACKAGE, to, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
