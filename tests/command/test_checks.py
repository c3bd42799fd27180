"""`livechat.command.checks`."""

from __future__ import annotations

import json
import os
import resource
import socket
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from livechat.command import checks, main
from livechat.command.checking import disk, machine
from livechat.command.finding import Server
from livechat.net import whereabouts
from livechat.net.whereabouts import Whereabouts
from tests.command.conftest import Command, Ran
from tests.command.fake import Fake, Said, plain, problem
from tests.support.certificates import issue


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in the test's directory, which counts as one on a disk."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(disk, "file_system", lambda _: "ext4")
    monkeypatch.setattr(machine, "listen", lambda _: [])


def found(ran: Ran) -> dict[str, list[str]]:
    """The states of what was looked at."""
    states: dict[str, list[str]] = {}
    for line in ran.out.splitlines():
        state, about = line[:4].strip(), line[5:16].strip()
        states.setdefault(about, []).append(state)
    return states


def test_a_server_that_runs(fake: Fake, command: Command) -> None:
    ran = command("check")
    assert ran.code == 0, ran
    assert found(ran) == {
        each: ["ok"]
        for each in (
            "options",
            "certificate",
            "password",
            "files",
            "disk",
            "open files",
            "fast path",
            "clock",
            "server",
        )
    }
    assert [asked.path for asked in fake.asked] == ["/healthz", "/readyz"]
    assert "authorization" not in fake.asked[0].headers
    lines = [json.loads(line) for line in command("check", "--json").out.splitlines()]
    assert {each["state"] for each in lines} == {"ok"}


def test_before_the_first_start(command: Command) -> None:
    """A file that will be made is no fault, and that nobody answers is only said."""
    ran = command("check")
    assert ran.code == 0
    assert found(ran)["server"] == ["warn"]
    assert "→ systemctl start livechat" in ran.out


def test_every_fault_has_a_cure(fake: Fake, command: Command, tmp_path: Path) -> None:
    """For people behind an arrow, for programs a value of its own."""
    fake.answers = [Said({}), problem(503, "unavailable", "Not ready: the disk is full.")]
    (fake.state / "local-key").chmod(0o644)
    (fake.state / "maps.sqlite3").write_bytes(b"no database" * 1_000)
    given = ["--trust-proxy=0.0.0.0/0", "--max-connections=9999999", "--token-keys=none.pem"]
    ran = command("check", "--json", "--", *given)
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.code == 1
    wrong = {each["about"] for each in lines if each["state"] == "fail"}
    assert wrong == {"exposure", "files", "database", "open files", "token keys", "server"}
    assert all(each.get("cure") for each in lines if each["state"] != "ok")
    assert not any("cure" in each for each in lines if each["state"] == "ok")
    assert command("check", "--", *given).out.count(" → ") == len(
        [each for each in lines if each["state"] != "ok"]
    )


@pytest.mark.parametrize(
    "options",
    [["--port=x"], ["--nonsense"], ["--workers=2"], ["--certificate=/nowhere.pem"], ["more"]],
)
def test_bad_options_are_a_finding(command: Command, options: list[str]) -> None:
    ran = command("check", "--", *options)
    assert ran.code == 1
    assert "FAIL" in ran.out


def test_options_of_the_environment(command: Command) -> None:
    ran = command("check", LIVECHAT_MAX_MESSAGE="lots")
    assert (ran.code, found(ran)) == (1, {"options": ["FAIL"]})
    assert "LIVECHAT_MAX_MESSAGE" in ran.out


def test_certificates_that_end_are_findings(command: Command, tmp_path: Path) -> None:
    """A certificate that is over, or not of its key, is a fault; a near end is a warning."""
    good, key = issue(tmp_path)
    _, other = issue(tmp_path, name="other.example")
    assert command("check", "--", f"--certificate={good}", f"--private-key={key}").code == 0
    ran = command("check", "--", f"--certificate={good}", f"--private-key={other}")
    assert (ran.code, found(ran)["certificate"]) == (1, ["FAIL"])
    for days, state, code in ((-1, "FAIL", 1), (5, "warn", 0)):
        chain, own = issue(tmp_path, name=f"d{days + 9}.example", days=days)
        ran = command("check", "--", f"--certificate={chain}", f"--private-key={own}")
        assert (ran.code, found(ran)["certificate"]) == (code, [state])


def test_files_open_to_others_are_findings(fake: Fake, command: Command) -> None:
    (fake.state / "local-key").chmod(0o644)
    fake.certificate.key.chmod(0o644)
    ran = command("check")
    assert (ran.code, found(ran)["files"]) == (1, ["FAIL", "FAIL"])


def test_state_directories_that_cannot_be(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = command("check", "--state", str(tmp_path / "file"))
    assert (ran.code, found(ran)["files"]) == (1, ["FAIL"])
    ran = command("check", "--state", "/dev/null/state")
    assert (ran.code, found(ran)["files"]) == (1, ["FAIL"])


def test_too_few_open_files_are_a_finding(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 1_000))
    ran = command("check")
    assert (ran.code, found(ran)["open files"]) == (1, ["FAIL"])
    assert command("check", "--", "--max-connections=900").code == 0
    assert command("check", "--", "--max-connections=0").code == 0
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, resource.RLIM_INFINITY))
    assert command("check").code == 0


def test_a_clock_that_was_set_back(fake: Fake, command: Command) -> None:
    """A file from the future shows that the clock was set back."""
    (fake.state / "operators.json").touch(mode=0o600)
    os.utime(fake.state / "operators.json", (time.time() + 3_600,) * 2)
    ran = command("check")
    assert (ran.code, found(ran)["clock"]) == (1, ["FAIL"])


def test_a_server_that_is_not_ready(fake: Fake, command: Command) -> None:
    fake.answers = [Said({}), problem(503, "unavailable", "Not ready: the disk is full.")]
    ran = command("check")
    assert (ran.code, found(ran)["server"]) == (1, ["FAIL"])
    assert "the disk is full" in ran.out


def test_another_server_on_the_port(fake: Fake, command: Command) -> None:
    fake.show(fingerprint="00" * 32)
    ran = command("check")
    assert "another certificate" in ran.out
    assert command("check", "--alive").code == 1


def test_a_server_that_hangs_is_not_alive(
    fake: Fake, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that takes connections, and does nothing more, is not alive."""
    monkeypatch.setattr(main, "PULSE", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as hung:
        fake.show(port=hung.getsockname()[1])
        ran = command("check", "--alive")
    assert (ran.code, ran.out) == (1, "")
    assert "takes too long" in ran.err


def test_alive_needs_no_key(fake: Fake, command: Command) -> None:
    """Containers ask only this; no key is needed."""
    (fake.state / "local-key").unlink()
    assert command("check", "--alive") == (0, "alive\n", "")
    fake.show(port=1)
    ran = command("check", "--alive")
    assert (ran.code, ran.out) == (1, "")
    assert "nobody answers" in ran.err


def test_a_server_is_asked_if_it_lives_and_takes_messages() -> None:
    """The server is asked two things: if it is alive, and if it takes messages."""
    asked: list[str] = []
    assert checks._answering(Server("x", 1), asked.append).state == "ok"
    assert asked == ["/healthz", "/readyz"]


def jwks() -> dict[str, object]:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    return {"keys": [{**json.loads(ECAlgorithm.to_jwk(public)), "kid": "a", "use": "sig"}]}


def test_token_keys_are_read_as_the_server_reads_them(
    fake: Fake, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files and addresses of keys are read as the server would read them."""
    monkeypatch.setenv("SSL_CERT_FILE", str(fake.certificate.chain))
    (tmp_path / "good.json").write_text(json.dumps(jwks()))
    (tmp_path / "short").write_text("a secret")
    url = f"https://localhost:{fake.port}/jwks.json"
    fake.answers = [Said(jwks()), Said({})]
    ran = command("check", "--", "--token-keys=good.json", f"--token-keys={url}",
                  "--token-audience=chat")  # fmt: skip
    assert (ran.code, found(ran)["token keys"]) == (0, ["ok", "ok"]), ran
    assert "ES256" in ran.out
    assert "authorization" not in fake.asked[0].headers
    fake.answers = [Said(b"<html>"), Said({})]
    ran = command("check", "--", "--token-keys=short", "--token-keys=none.pem",
                  f"--token-keys={url}", "--token-audience=chat")  # fmt: skip
    assert (ran.code, found(ran)["token keys"]) == (1, ["FAIL"] * 3)


def test_a_server_for_proxies_is_asked_as_a_proxy_asks(fake: Fake, command: Command) -> None:
    """A server that listens for proxies is asked as they ask it, and not sent the key."""
    with plain() as (port, asked):
        whereabouts.write(fake.state, Whereabouts("127.0.0.1", port, "", is_plain=True))
        ran = command("check", "--", "--listen=http:127.0.0.1:0")
        assert found(ran)["server"] == ["ok"]
        assert f"ready at http://127.0.0.1:{port}/" in ran.out
        assert command("check", "--alive").code == 0
    assert [each.path for each in asked] == ["/healthz", "/readyz", "/healthz"]
    for each in asked:
        assert each.headers["x-forwarded-for"] == "127.0.0.1"
        assert "authorization" not in each.headers
