"""Commands of the README and of docs/ do what they say, and tables are the truth."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from livechat.config import options
from livechat.errors import Close
from livechat.options import flag, variable
from tests.live.daemon import PATIENCE, ROOT, Daemon, Output, tool
from tests.live.wscat import Wscat

LIVECHAT = str(Path(sys.executable).with_name("livechat"))
README = (ROOT / "README.md").read_text()
HTTP = (ROOT / "docs" / "http.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
COMMAND = OPERATIONS[OPERATIONS.index("## The command") : OPERATIONS.index("## Options")]


def blocks(language: str, document: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", document, re.MULTILINE | re.DOTALL)


def commands(document: str) -> Iterator[tuple[list[str], list[str]]]:
    """Commands that are shown with what they print, in order: their words, and lines."""
    for block in blocks("console", document):
        for shown in block.split("$ ")[1:]:
            command, *lines = shown.splitlines()
            yield shlex.split(command), lines


def fixed(value: Any) -> Any:
    """JSON without what differs from run to run, which must look as it is shown."""
    if isinstance(value, list):
        return [fixed(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {key: _varying(key, each) for key, each in value.items()}


def _varying(key: str, value: Any) -> Any:
    forms = {
        "id": r"[\w-]{12}",
        "connection": r"[\w-]{12}",
        "epoch": r"[\w-]{12}",
        "made": r"\d+",
        "key": r"lck_[\w-]+",
        "password": r"[\w-]+",
    }
    if key == "time":
        assert value > 1_700_000_000_000
        return key
    if key in forms:
        assert re.fullmatch(forms[key], str(value)), value
        return key
    if key == "name" and value.startswith("guest-"):
        assert re.fullmatch(r"guest-[0-9a-f]{4}", value)
        return key
    return fixed(value)


def types_at_wscat(daemon: Daemon, words: list[str], lines: list[str]) -> None:
    """Type what is typed, and see what is seen."""
    address = words.pop(words.index("-c") + 1)
    words.remove("-c")
    assert address.startswith("wss://localhost:10443/ws/chat/")
    room = address.split("/ws/chat/")[1]
    with Wscat(daemon, room.removesuffix("/"), *words[1:]) as client:
        heard: list[Any] = []
        for line in lines:
            if line.startswith("> "):
                if heard:
                    client.hears(len(heard))
                client.says(line[2:])
            elif line.startswith("< "):
                heard.append(fixed(json.loads(line[2:])))
            else:
                assert line.split()[0] in client.output.text
        # An ack may come before its message or after it.
        assert sorted(map(str, fixed(client.hears(len(heard))))) == sorted(map(str, heard))


def runs_livechat(daemon: Daemon, words: list[str], lines: list[str]) -> None:
    """Run the command on the daemon's state directory, and compare what it prints."""
    state = f"--state={daemon.directory / 'state'}"
    printed = tool(LIVECHAT, *words[1:], state).splitlines()
    for shown, found in zip(lines, printed, strict=True):
        if shown.startswith("{"):
            assert fixed(json.loads(found)) == fixed(json.loads(shown))
        else:
            assert found == shown


@pytest.mark.parametrize(
    ("document", "programs"),
    [
        pytest.param(README, {"livechat": 1}, id="README.md"),
        pytest.param(HTTP, {"wscat": 2, "curl": 6}, id="http.md"),
        pytest.param(COMMAND, {"livechat": 4}, id="operations.md"),
    ],
)
def test_console_lines_print_what_is_shown(
    start: Callable[..., Daemon], document: str, programs: dict[str, int]
) -> None:
    """Every wscat, curl and livechat line prints what is shown under it."""
    daemon = start()
    ran = []
    for words, lines in commands(document):
        ran.append(words[0])
        if words[0] == "wscat":
            types_at_wscat(daemon, words, lines)
        elif words[0] == "livechat":
            runs_livechat(daemon, words, lines)
        else:
            asked = [word.replace(":10443", f":{daemon.port}") for word in words]
            printed = json.loads(tool(*asked, "-sS"))
            assert fixed(printed) == fixed(json.loads("".join(lines)))
    assert Counter(ran) == programs


def test_the_table_has_all_commands() -> None:
    """The table of commands has all that there are, and none that there is not."""
    helped = tool(LIVECHAT, "--help")
    names = set(re.findall(r"^    (\w+) ", helped, re.MULTILINE))
    assert names == {
        "token", "key", "operator", "tail", "say", "act", "trace", "check", "backup", "restore",
        "export", "forget", "import", "version", "webhook",
    }  # fmt: skip
    for name in names:
        assert re.search(rf"`(livechat )?{name}\b", COMMAND), name


def test_the_page_that_is_shown() -> None:
    """The lines for one's own page are those of the example, which Chromium tries."""
    example = (ROOT / "docs" / "embed.html").read_text()
    (shown,) = blocks("html")
    assert shown in example
    assert shown in (ROOT / "docs" / "browser.md").read_text()


def test_the_script_of_the_readme_runs_in_node(
    start: Callable[..., Daemon], tmp_path: Path
) -> None:
    """The script does what it is said to do, in Node.js."""
    daemon = start()
    (script,) = blocks("js")
    assert script in (ROOT / "docs" / "browser.md").read_text()
    clients = ROOT / "tests" / "clients"
    # The script needs browsers' globals, new in Node.js, which also does not import by HTTP.
    world = (clients / "world.mjs").as_uri()
    imported = 'import { connect } from "https://localhost:10443/static/livechat.js";'
    assert imported in script
    script = script.replace(imported, f'import {{ connect }} from "{world}";')
    script = script.replace("https://localhost:10443", daemon.url)
    script += """
        await new Promise((heard) => {
          if (chat.place.seq < seq) chat.addEventListener("message", heard);
          else heard();
        });
        console.log("sent", seq);
        chat.close();
    """
    (tmp_path / "shown.mjs").write_text(script)
    printed = tool("node", "--no-warnings", str(tmp_path / "shown.mjs"))
    assert sorted(printed.splitlines()) == ["1 Ann hi", "sent 1"]


def test_the_table_has_all_options() -> None:
    """The table has every option, with its variable, default and meaning."""
    for option in options():
        default = option.metadata["default"]
        shown = f"`{default}`" if default else ""
        option_shown = "" if option.metadata["secret"] else f"`--{flag(option)}`"
        row = f"| {option_shown} | `{variable(option)}` | {shown} | {option.metadata['doc']} |"
        assert row in OPERATIONS
    assert OPERATIONS.count("| `LIVECHAT_") == len(options())
    mentioned = set(re.findall(r"--([a-z][a-z-]+)", "\n".join(blocks("sh"))))
    assert mentioned <= {flag(option) for option in options()} | {"no-check", "directory"}


def test_the_table_has_all_close_codes() -> None:
    """The table of close codes has all that livechat sends."""
    table = HTTP[HTTP.index("## Close codes") :]
    for code in (*Close, 1002, 1007):
        assert re.search(rf"^\| (\d+, )?{int(code)}\b", table, re.MULTILINE), code


#: Pages beside the benchmark's README.
BENCH_PAGES = [*ROOT.glob("bench/loadgen/*.md"), *ROOT.glob("bench/results/*.md")]


def anchors(document: Path) -> set[str]:
    """Anchors of the headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize(
    "document",
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("bench/*.md"), *BENCH_PAGES],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_links_lead_to_files_and_headings(document: Path) -> None:
    """Files and headings that a document points to are there."""
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", document.read_text()):
        path, _, part = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not part or part in anchors(target), link


#: A command that starts livechat: twistd, its options, perhaps with values, and its plugin.
STARTS = re.compile(r"\btwistd((?:\s+-[^\s`]*(?:\s+(?!livechat\b)[^-\s`][^\s`]*)?)*)\s+livechat\b")
FOREGROUND = re.compile(r"\s(?:-[a-z]*n[a-z]*|--nodaemon)\b")


def test_foreground_commands_leave_no_pid_file() -> None:
    """
    A container is killed, and its next process 1 finds its own pid in the file that is left
    there: it would never start again.
    """
    documents = [
        ROOT / "Makefile",
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("bench/*.md"),
        *BENCH_PAGES,
        *(path for path in ROOT.glob("deploy/*") if path.is_file()),
    ]
    found = []
    for path in documents:
        text = path.read_text().replace("\\\n", " ")
        for command in STARTS.finditer(text):
            if FOREGROUND.search(command[1]):
                found.append(path.name)
                assert " --pidfile=" in command[1], f"{path}: {command[0]}"
    assert {"operations.md", "Makefile", "with-redis", "livechat.service"} <= set(found)


def test_the_readme_stays_short() -> None:
    """The README stays short: 150 lines, and no sentence of more than 30 words."""
    assert len(README.splitlines()) <= 150
    text = re.sub(r"^(```.*?^```|\|.*?$|#.*?$)", "", README, flags=re.MULTILINE | re.DOTALL)
    for sentence in re.split(r"[.:;!?]\s|\n\n", text):
        assert len(sentence.split()) <= 30, sentence


def test_benchmark_page_is_short() -> None:
    """Figures of single sittings are in bench/results/."""
    assert len((ROOT / "bench" / "README.md").read_text().splitlines()) <= 120


def test_your_own_users(start: Callable[..., Daemon]) -> None:
    """The key that is shown makes the token that is shown."""
    daemon = start()
    ((words, _),) = commands(README)
    state = f"--state={daemon.directory / 'state'}"
    key = json.loads(tool(LIVECHAT, *words[1:], state))["key"]
    (asked,) = (block for block in blocks("sh") if "/chat/token/" in block)
    ((shown, _),) = re.findall(r'"key": "(lck_(\w+))"', README)
    command = asked.replace(":10443", f":{daemon.port}").replace(shown, key)
    made = json.loads(tool("sh", "-c", command.replace("curl -k", "curl -skS")))
    assert tool(LIVECHAT, "token", "check", made["token"], state).startswith(
        "the token of 42, shown as Ann"
    )


def test_lines_for_a_terminal_chat(start: Callable[..., Daemon]) -> None:
    """The lines for a terminal send and read, one after the other."""
    daemon = start()
    (block,) = (each for each in blocks("sh") if "livechat say" in each)
    printed = []
    for line in block.splitlines():
        words = shlex.split(line.replace(":10443", f":{daemon.port}"), comments=True)
        if words[0] == "curl":
            printed.append(json.loads(tool(*words, "-sS")))
        elif words[:2] == ["livechat", "say"]:
            printed.append(tool(LIVECHAT, *words[1:], f"--state={daemon.directory / 'state'}"))
        else:
            assert words[:2] in (["livechat", "tail"], ["wscat", "-c"])
    said, sent, read = printed
    assert (said, sent) == ("#1\n", {"message": "Message sent!"})
    assert [each["message"] for each in read["chat_history"]] == ["hi", "hi"]


def test_named_make_targets_exist() -> None:
    """The commands that it shows are make's."""
    for target in re.findall(r"^make (\w+)", "".join(blocks("sh")), re.MULTILINE):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_make_run_serves(tmp_path: Path) -> None:
    """`make run` serves."""
    arguments = f"ARGS=--port=0 --state={tmp_path}"
    process = subprocess.Popen(
        ["make", "run", f"VENV={sys.prefix}", arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    output = Output(process.stdout.fileno())
    try:
        port = output.wait_for(r"https://localhost:(\d+)/")[1]
        output.wait_for("is ready")
        assert json.loads(tool("curl", "-sSk", f"https://localhost:{port}/readyz"))
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(PATIENCE)
        output.close()
        process.stdout.close()
