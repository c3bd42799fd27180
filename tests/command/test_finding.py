"""`livechat.command.finding`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from livechat.command.finding import Server, find, state_directory
from livechat.command.output import CommandError
from livechat.identity.local_key import local_key, read_local_key
from livechat.net import whereabouts
from livechat.net.whereabouts import Whereabouts

PRINT = "ab" * 32


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Make a state directory as a daemon leaves it."""
    made = tmp_path / "state"
    local_key(made)
    whereabouts.write(made, Whereabouts("127.0.0.1", 4711, PRINT))
    return made


def why(*given: str | None, keyed: bool = True, **environment: str) -> str:
    with pytest.raises(CommandError) as caught:
        find(given[0], given[1], environment, keyed=keyed)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_by_the_state_directory(state: Path) -> None:
    """The file there says where, and which certificate; the key is beside it."""
    expected = Server("127.0.0.1", 4711, PRINT, local_key(state), user=os.geteuid())
    assert find(None, str(state), {}) == expected
    assert find(None, None, {"LIVECHAT_STATE": str(state)}) == expected
    given = {"LIVECHAT_STATE": "/nowhere", "LIVECHAT_PORT": "0"}
    assert find(None, str(state), given) == expected


def test_the_daemons_own_port(state: Path) -> None:
    assert find(None, str(state), {"LIVECHAT_PORT": "4712"}).port == 4712
    assert "LIVECHAT_PORT" in why(None, str(state), LIVECHAT_PORT="x")


def test_the_usual_state_directory() -> None:
    assert state_directory(None, {}) == Path("state")


def test_no_server_has_run(tmp_path: Path) -> None:
    assert "no livechat has run" in why(None, str(tmp_path))
    assert "--server" in why(None, str(tmp_path))


@pytest.mark.parametrize("text", ["", "{}", "[1]", "x" * 10_000, '{"host":1,"port":"x"}'])
def test_a_damaged_file_is_told(state: Path, text: str) -> None:
    (state / whereabouts.FILE).write_text(text)
    assert "is damaged" in why(None, str(state))


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o777])
def test_a_key_that_others_can_use(state: Path, mode: int) -> None:
    """A key that others can use is refused, with its cure."""
    (state / "local-key").chmod(mode)
    said = why(None, str(state))
    assert f"mode {mode:04o}" in said
    assert find(None, str(state), {}, keyed=False).key is None


def test_keys_that_cannot_be_used(state: Path) -> None:
    (state / "local-key").write_text("nonsense")
    assert "it has no key" in why(None, str(state))
    (state / "local-key").unlink()
    assert "is missing" in why(None, str(state))
    assert find(None, str(state), {"LIVECHAT_KEY": "lck_a_b"}).key == "lck_a_b"
    assert "LIVECHAT_KEY" in why(None, str(state), LIVECHAT_KEY="a\nb")


@pytest.mark.parametrize("server", ["https://chat.example", "https://192.0.2.1:4711"])
def test_the_local_key_stays_here(state: Path, server: str) -> None:
    """The local key is sent to no other machine, even if the state directory names one."""
    assert "LIVECHAT_KEY is needed" in why(server, str(state))
    found = find(server, str(state), {"LIVECHAT_KEY": "lck_a_b"})
    assert (found.key, found.fingerprint) == ("lck_a_b", None)


def test_another_server_of_this_machine(state: Path) -> None:
    """On another port there is another server: neither its certificate nor its key are these."""
    assert "LIVECHAT_KEY is needed" in why("https://localhost:4712", str(state))
    found = find("https://localhost:4711", str(state), {})
    assert found == Server("127.0.0.1", 4711, PRINT, local_key(state), user=os.geteuid())


@pytest.mark.parametrize(
    "server",
    ["http://localhost", "localhost:1", "https://", "https://a/b c", "https://a/..", "https://a?b", "https://a:x",
     "https://u:p@a", "https://[::1", "https://a:99999", ""],
)  # fmt: skip
def test_addresses_that_are_none(state: Path, server: str) -> None:
    assert "--server" in why(server, str(state))


def test_a_server_has_an_address_and_the_usual_port() -> None:
    assert Server("::1", 1).address == "[::1]:1"
    assert find("https://chat.example", "/nowhere", {}, keyed=False) == Server("chat.example", 443)


def test_a_server_may_be_below_a_path(state: Path) -> None:
    """The server may be below a path, here or elsewhere."""
    found = Whereabouts("127.0.0.1", 4711, PRINT, prefix="/chat-app")
    whereabouts.write(state, found)
    assert find(None, str(state), {}).prefix == "/chat-app"
    assert find("https://localhost:4711", str(state), {}).prefix == "/chat-app"
    elsewhere = find("https://chat.example/chat-app/", str(state), {"LIVECHAT_KEY": "k"})
    assert (elsewhere.host, elsewhere.port, elsewhere.prefix) == ("chat.example", 443, "/chat-app")
    assert elsewhere.fingerprint is None


def test_the_key_is_sent_to_no_port_without_tls(state: Path) -> None:
    """The key is sent to a socket file, and to no port without TLS."""
    whereabouts.write(state, Whereabouts("127.0.0.1", 1, "", is_plain=True))
    said = why(None, str(state))
    assert "--listen tls:127.0.0.1:10443" in said
    assert "--server" in said
    assert find(None, str(state), {}, keyed=False).url == "http://127.0.0.1:1/"
    whereabouts.write(state, Whereabouts("", 0, "", file="/run/x", is_plain=True))
    found = find(None, str(state), {})
    assert (found.key, found.url) == (read_local_key(state), "unix:/run/x")
    elsewhere = find("https://localhost", str(state), {"LIVECHAT_KEY": "k"})
    assert (elsewhere.fingerprint, elsewhere.is_plain) == (None, False)
