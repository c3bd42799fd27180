"""The `livechat` command, as it is installed, on a real daemon."""

from __future__ import annotations

import json
import signal
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from livechat.net import whereabouts
from livechat.protocol.v1 import V1
from tests.live.command import LIVECHAT, Ran, done, livechat
from tests.live.daemon import CHEAP, PATIENCE, Daemon, Output, eventually
from tests.live.talk import whole_history
from tests.live.workers import ready
from tests.support.archives import unpack
from tests.support.certificates import issue


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("daemon"), environment=CHEAP) as running:
        yield running


def test_a_printed_token_counts(daemon: Daemon) -> None:
    """A token is printed alone, counts on sockets, and says whose it is."""
    token = done(daemon, "token", "--user", "42", "--name", "Ann", "--for", "90s")
    protocols = [V1, f"livechat.token.{token}"]
    with daemon.socket("lobby", subprotocols=protocols) as member:
        user = json.loads(member.recv())["user"]
    assert (user["id"], user["name"], user["verified"]) == ("42", "Ann", True)
    assert done(daemon, "token", "check", token).startswith("the token of 42, shown as Ann, until")
    ran = livechat(daemon, "token", "check", f"{token[:-4]}AAAA")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("livechat: Your token is refused")


def test_messages_of_a_room_are_printed(daemon: Daemon) -> None:
    """Messages are printed as they come, and so is what was taken back."""
    assert done(daemon, "say", "news", "before") == "#1"
    assert done(daemon, "say", "news", "--user=42", "--name=Ann", stdin="two\nlines\n") == "#2"
    with subprocess.Popen(
        # A shell's background job ignores SIGINT.
        [
            *("env", "--default-signal=INT"),
            *(LIVECHAT, "tail", "news", "--state", daemon.directory / "state"),
        ],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as tail:  # fmt: skip
        assert tail.stdout is not None
        output = Output(tail.stdout.fileno())
        output.wait_for(r"#1 before\n\S+ #2 Ann: two ⏎ lines\n")
        assert json.loads(done(daemon, "act", "news", '{"type":"retract","ref":1}'))["count"] == 1
        output.wait_for(r"\(taken back: #1\)")
        tail.send_signal(signal.SIGINT)
        assert tail.wait(PATIENCE) == 130
        output.close()
    assert "Traceback" not in output.text


def test_a_key_counts_until_it_is_dropped(daemon: Daemon) -> None:
    """A key counts until it is dropped, from elsewhere too."""
    made = json.loads(done(daemon, "key", "add", "shop", "--room", "shop=send", "--json"))
    url = f"https://localhost:{daemon.port}"
    chain = str(daemon.directory / "certs" / "livechat.crt")

    def say(room: str) -> Ran:
        return livechat(daemon, "say", room, "hi", "--server", url, LIVECHAT_KEY=made["key"],
                        LIVECHAT_STATE="/nowhere", SSL_CERT_FILE=chain)  # fmt: skip

    assert say("shop").code == 0
    refused = say("lobby")
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert made["id"] in done(daemon, "key", "list")
    done(daemon, "key", "drop", made["id"])
    assert say("shop").code == 1
    assert made["id"] not in done(daemon, "key", "list")


def test_an_operator_counts_until_it_is_dropped(daemon: Daemon, tmp_path: Path) -> None:
    """An operator signs in with the password that was printed, until it is dropped."""
    password = done(daemon, "operator", "add", "ann", "--can", "lobby=moderate")
    assert "lobby=join,history,moderate" in done(daemon, "operator", "list")

    def signs_in() -> bool:
        jar = str(tmp_path / "jar")
        page = daemon.curl("-c", jar, f"{daemon.url}/admin/sign-in/")
        token = page.split('name="token" value="')[1].split('"')[0]
        fields = {"token": token, "username": "ann", "password": password}
        data = [word for name, value in fields.items() for word in ("-d", f"{name}={value}")]
        sent = ("-b", jar, "-c", jar, "-H", "Sec-Fetch-Site: same-origin", *data)
        status = daemon.curl(*sent, "-o", str(tmp_path / "page"), "-w", "%{http_code}",
                             f"{daemon.url}/admin/sign-in/")  # fmt: skip
        return status == "303"

    assert signs_in()
    done(daemon, "operator", "drop", "ann")
    assert not signs_in()


def test_a_living_daemon_passes_the_check(daemon: Daemon) -> None:
    """The daemon is alive, and nothing is wrong with it."""
    assert done(daemon, "check", "--alive") == "alive"
    assert f"ready at https://127.0.0.1:{daemon.port}/" in done(daemon, "check")
    assert done(daemon, "version").startswith("livechat ")


def test_the_local_key_is_for_this_machine(daemon: Daemon) -> None:
    """Through a proxy it is nobody's."""
    key = (daemon.directory / "state" / "local-key").read_text().strip()
    ask = ("-H", f"Authorization: Bearer {key}", f"{daemon.url}/chat/keys/")
    assert json.loads(daemon.curl(*ask)) == {"keys": []}
    assert json.loads(daemon.curl("-H", "X-Forwarded-For: 127.0.0.1", *ask))["status"] == 401
    assert json.loads(daemon.curl("-H", "Origin: https://evil.example", *ask))["status"] == 403


def test_a_renewed_certificate_and_a_proxy(tmp_path: Path) -> None:
    """
    A proxy of this machine that is trusted does not keep commands from their server; and they
    know a new certificate as soon as the server shows it.
    """
    chain, key = issue(tmp_path, name="localhost")
    options = (f"--certificate={chain}", f"--private-key={key}", "--trust-proxy=127.0.0.1")
    with Daemon(tmp_path, *options, environment=CHEAP) as renewed:
        assert done(renewed, "key", "list").startswith("ID")
        before = whereabouts.read(tmp_path / "state").fingerprint
        issue(tmp_path, name="localhost")
        renewed.process.send_signal(signal.SIGHUP)
        renewed.log.wait_for("The certificate of new connections is for")
        assert whereabouts.read(tmp_path / "state").fingerprint != before
        assert done(renewed, "check", "--alive") == "alive"


def test_workers_know_the_local_key(tmp_path: Path) -> None:
    """A single worker writes the file with the address; every worker knows the key in it."""
    from tests.backends.redis.server import RedisServer  # noqa: PLC0415

    with (
        RedisServer(tmp_path / "redis") as redis,
        Daemon(tmp_path, "--workers=2", f"--redis={redis.url}", environment=CHEAP) as daemon,
    ):
        ready(daemon)
        eventually((tmp_path / "state" / whereabouts.FILE).exists)
        for _ in range(4):
            assert done(daemon, "key", "list").startswith("ID")
        refused = livechat(daemon, "backup", str(tmp_path / "b.tar"))
        assert (refused.code, "BGSAVE" in refused.err) == (1, True)
        ran = livechat(daemon, "check", "--", "--workers=2", f"--redis={redis.url}")
        assert ran.code == 0, ran
        assert "version" in ran.out


def test_a_backup_of_a_busy_server_starts(tmp_path: Path) -> None:
    """Made while messages come, it has all that were acknowledged before, and can be started."""
    options = ("--rate=0", "--rate-per-ip=0", "--history-limit=0")
    with Daemon(tmp_path / "one", *options, environment=CHEAP) as one:
        done(one, "operator", "add", "ann", "--can=lobby=moderate")
        with one.socket("r") as member:
            stop = threading.Event()
            said: list[str] = []

            def talk() -> None:
                while not stop.is_set():
                    member.send(json.dumps({"message": f"m{len(said)}"}))
                    said.append(json.loads(member.recv())["message"])

            talking = threading.Thread(target=talk)
            talking.start()
            try:
                eventually(lambda: len(said) > 50)
                before = len(said)
                done(one, "backup", str(tmp_path / "backup.tar"))
                eventually(lambda: len(said) > before + 50)
            finally:
                stop.set()
                talking.join(PATIENCE)
    state = tmp_path / "two" / "state"
    state.mkdir(parents=True, mode=0o700)
    with tarfile.open(tmp_path / "backup.tar") as archive:
        unpack(archive, state)
    with Daemon(tmp_path / "two", "--history-limit=0", environment=CHEAP) as two:
        found = [each["message"] for each in whole_history(two, "r")]
        assert len(found) >= before
        assert found == said[: len(found)]
        assert "ann" in done(two, "operator", "list")
        assert json.loads(done(two, "say", "r", "on", "--json"))["seq"] == len(found) + 1


def test_commands_ask_over_a_socket_file(tmp_path: Path) -> None:
    """Commands ask over the socket file of a daemon that listens for proxies only."""
    with Daemon(tmp_path, "--listen=unix:chat.sock", environment=CHEAP) as daemon:
        assert done(daemon, "check", "--alive") == "alive"
        assert done(daemon, "say", "lobby", "hi") == "#1"
        key = (daemon.directory / "state" / "local-key").read_text().strip()
        for said, status in (
            (("X-Forwarded-For: 127.0.0.1", "Host: localhost"), 200),
            # From elsewhere the key counts as little as it does on a port with TLS.
            (("X-Forwarded-For: 192.0.2.1", "Host: localhost"), 401),
            (("X-Forwarded-For: 127.0.0.1, 192.0.2.1", "Host: localhost"), 401),
            (("X-Forwarded-For: 127.0.0.1", "Host: chat.example"), 421),
            (("Host: localhost",), 400),
        ):
            headers = ("-H", f"Authorization: Bearer {key}", *(w for h in said for w in ("-H", h)))
            curl = (
                "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", "chat.sock",
                "-H", "X-Forwarded-Proto: https", *headers, "http://localhost/chat/rooms/",
            )  # fmt: skip
            ran = subprocess.run(curl, cwd=tmp_path, capture_output=True, text=True, check=True)
            assert ran.stdout == str(status), said
