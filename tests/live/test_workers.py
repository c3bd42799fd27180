"""Several processes on one port, and one Redis."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from livechat.errors import Close
from tests.backends.redis.server import RedisServer
from tests.live.daemon import (
    CHEAP,
    PASSWORD,
    PATIENCE,
    ROOT,
    TWISTD,
    Daemon,
    Output,
    eventually,
    refused,
    tool,
)
from tests.live.front import SOCKET, by_file
from tests.live.workers import WORKERS, ready
from tests.live.wscat import Wscat


def options(redis: RedisServer) -> tuple[str, ...]:
    where = ("--listen=tls:0", f"--listen=unix:{SOCKET}")
    return (*where, f"--redis={redis.url}", f"--workers={WORKERS}", "--max-connections-per-ip=0")


@pytest.fixture
def several(start: Callable[..., Daemon], redis: RedisServer) -> Daemon:
    """A daemon of so many workers, all of them ready."""
    return ready(start(*options(redis)))


@pytest.fixture(scope="module")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The Redis of the shared daemon."""
    with RedisServer(tmp_path_factory.mktemp("redis") / "redis") as server:
        yield server


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, shared_redis: RedisServer) -> Iterator[Daemon]:
    """Another one, for all tests that leave it as it was."""
    directory = tmp_path_factory.mktemp("shared")
    with Daemon(directory, *options(shared_redis), environment=CHEAP) as running:
        yield ready(running)


#: A line of the log for each worker that can store, again and again.
USABLE = r"\[worker \d#info\].* Redis at \S+ can be used"


@contextmanager
def all_again(daemon: Daemon, many: int = 1) -> Iterator[None]:
    """Wait afterwards until *many* more workers can store: tests share them."""
    before = len(re.findall(USABLE, daemon.log.text))
    yield
    daemon.log.wait_for(USABLE, before + many)


def post(daemon: Daemon, text: str, *options: str) -> str:
    body = json.dumps({"message": text, "room": "r"})
    json_type = ("-H", "Content-Type: application/json")
    return daemon.curl(*options, *json_type, "-d", body, f"{daemon.url}/chat/send/")


def by_a_proxy(daemon: Daemon, *options: str) -> str:
    """Send, or only ask, at the socket file, as a proxy would."""
    whose = ("-H", "X-Forwarded-For: 192.0.2.1", "-H", "X-Forwarded-Proto: https")
    return tool(*by_file(daemon, "http://localhost/chat/send/r/", *whose, *options))


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_members_at_all_workers_hear_the_same(shared: Daemon) -> None:
    """Members of a room hear the same, whatever worker serves them."""
    assert len(shared.workers()) == WORKERS
    with ExitStack() as stack:
        clients = [stack.enter_context(Wscat(shared, "r")) for _ in range(2)]
        members = [stack.enter_context(member) for member in shared.members(20)]
        clients[0].says('{"message": "hello"}')
        post(shared, "by HTTP")
        by_a_proxy(shared, "-d", "message=by a file")
        expected = [{"message": each} for each in ("hello", "by HTTP", "by a file")]
        for client in clients:
            assert sorted(client.hears(3), key=str) == sorted(expected, key=str)
        for member in members:
            assert sorted((json.loads(member.recv()) for _ in expected), key=str) == sorted(
                expected, key=str
            )
    assert [each["seq"] for each in shared.history("?room=r")] == [1, 2, 3]


def test_a_killed_worker_is_started_again(shared: Daemon) -> None:
    """Only its own connections end; it is started again."""
    with all_again(shared), ExitStack() as stack:
        members = [stack.enter_context(member) for member in shared.members(20)]
        os.kill(shared.workers()[0], signal.SIGKILL)
        shared.log.wait_for(r"Worker 1 has ended: signal 9; it is started again")
        post(shared, "hello")
        # The others go on at the file, too.
        assert all("method_not_allowed" in by_a_proxy(shared) for _ in range(4))
        heard = []
        for member in members:
            with suppress(ConnectionClosed):
                heard.append(member.recv())
        assert 0 < len(heard) < len(members)
        assert {json.loads(text)["message"] for text in heard} == {"hello"}
    assert len(shared.workers()) == WORKERS


def test_workers_end_with_their_parent(several: Daemon) -> None:
    """Workers end with their parent."""
    workers = several.workers()
    several.kill()
    eventually(lambda: not any(map(running, workers)))


def test_sigterm_ends_workers_before_their_parent(several: Daemon) -> None:
    """All of them say goodbye, and have ended before their parent has."""
    workers = several.workers()
    with ExitStack() as stack:
        members = [stack.enter_context(member) for member in several.members(20)]
        several.terminate()
        for member in members:
            with pytest.raises(ConnectionClosed):
                member.recv()
            assert member.close_received is not None
            assert member.close_received.code == Close.RESTART
    assert several.stop() in (0, -signal.SIGTERM)
    assert not any(map(running, workers))
    assert "it is started again" not in several.log.text
    assert not (several.directory / SOCKET).exists()


def test_sighup_renews_every_worker(shared: Daemon) -> None:
    """Each of them looks for a new certificate and a new password."""
    shared.process.send_signal(signal.SIGHUP)
    for number in range(1, WORKERS + 1):
        shared.log.wait_for(rf"\[worker {number}#info\] The operators' password is the same")


def test_one_log_has_lines_of_all_workers(shared: Daemon) -> None:
    """The parent writes each line of a worker once, with its time and the worker's number."""
    for number in range(1, WORKERS + 1):
        lines = re.findall(rf"\S+ \[worker {number}#(\w+)\] (.*)", shared.log.text)
        assert ("info", f"Worker {number} is ready.") in lines
        assert not any(re.match(r"\d{4}-", text) for _, text in lines)


def test_any_worker_answers_for_all(several: Daemon) -> None:
    """Any worker answers for all, also for what one had counted that is gone; within a second."""

    def figure(name: str) -> float:
        text = several.curl(f"{several.url}/metrics")
        return sum(float(each) for each in re.findall(rf"^{name} (\S+)$", text, re.MULTILINE))

    before = [figure("livechat_stored_total"), figure("livechat_delivered_total")]
    assert before == [0, 0]
    members = several.members(20)
    members[0].send('{"message": "x"}')
    for member in members:
        member.recv()
    eventually(lambda: figure("livechat_delivered_total") == len(members))
    eventually(lambda: figure("livechat_stored_total") == 1)
    for _ in range(10):
        # Whichever worker it is that answers.
        assert figure("livechat_stored_total") == 1
        assert figure("livechat_delivered_total") == len(members)
    eventually(lambda: figure("livechat_members") == len(members))
    assert figure("livechat_storing") == WORKERS
    os.kill(several.workers()[0], signal.SIGKILL)
    several.log.wait_for("Worker 1 has ended")
    eventually(lambda: figure("livechat_members") < len(members))
    assert figure("livechat_stored_total") == 1
    assert figure("livechat_delivered_total") == len(members)
    for member in members:
        with suppress(ConnectionClosed):
            member.close()


def test_a_taken_port_stops_workers(shared: Daemon, tmp_path: Path) -> None:
    """A taken port is refused, although workers share it among themselves."""
    for workers in ("1", "3"):
        *_, last = refused(
            tmp_path, f"--port={shared.port}", f"--workers={workers}", "--redis=redis://localhost:1"
        )
        assert f"--port: {shared.port} is taken" in last


def test_redis_comes_later(start: Callable[..., Daemon], redis: RedisServer) -> None:
    """Without a Redis it starts, says what is wrong, and works as soon as there is one."""
    redis.kill()
    daemon = start(f"--redis={redis.url}", f"--workers={WORKERS}")
    daemon.log.wait_for(r"Redis at unix://\S+ cannot be used: ", WORKERS)
    assert daemon.curl("-o", "/dev/null", "-w", "%{http_code}", f"{daemon.url}/readyz") == "503"
    assert daemon.curl("-o", "/dev/null", "-w", "%{http_code}", f"{daemon.url}/healthz") == "200"
    answer = post(daemon, "hello", "-i").lower()
    assert " 503 " in answer
    assert "retry-after: 1" in answer
    redis.start()
    daemon.log.wait_for(r"Redis at unix://\S+ can be used", WORKERS)
    post(daemon, "hello", "-f")


def test_a_session_at_one_worker_is_one_at_all(shared: Daemon, tmp_path: Path) -> None:
    """A session at one worker is one at all; the pages show all workers."""
    jar = ("--cookie", f"{tmp_path}/jar", "--cookie-jar", f"{tmp_path}/jar")
    page = shared.curl(*jar, f"{shared.url}/admin/sign-in/")
    found = re.search(r'name="token" value="([^"]+)"', page)
    assert found is not None
    form = ("--data-urlencode", f"password={PASSWORD}", "--data-urlencode", f"token={found[1]}")
    shared.curl(*jar, *form, f"{shared.url}/admin/sign-in/")
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(shared.socket())
        shown = set()

        def all_shown() -> bool:
            text = shared.curl("-f", *jar, f"{shared.url}/admin/")
            assert "<h1>Overview</h1>" in text, text
            shown.add(re.findall(r'<dt>([^<]+) <span class="chip">this one', text)[0])
            return "<strong>20</strong> <small>in 1 active room<" in text and len(shown) == WORKERS

        eventually(all_shown)


def test_a_member_while_redis_is_away(shared: Daemon, shared_redis: RedisServer) -> None:
    """A member stays connected, gets an error for the unstored message, and goes on later."""
    with shared.socket() as member:
        with all_again(shared, WORKERS):
            shared_redis.kill()
            shared.log.wait_for(r"Redis at \S+ cannot be used: ", WORKERS)
            member.send('{"message": "lost"}')
            assert json.loads(member.recv())["error"]["code"] == "unavailable"
            shared_redis.start()
        member.send('{"message": "hello"}')
        assert json.loads(member.recv()) == {"message": "hello"}


def test_with_a_redis_of_its_own(tmp_path: Path) -> None:
    """Under `make run REDIS=1` everything ends together, with livechat's exit code."""
    command = (ROOT / "deploy" / "with-redis", TWISTD, "--nodaemon", "--pidfile=", "livechat")
    ended = subprocess.run(
        [*command, "--port=none"], cwd=tmp_path, capture_output=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == 1
    assert b"--port" in ended.stdout + ended.stderr
    running_it = subprocess.Popen(
        [*command, "--port=0"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert running_it.stdout is not None
    log = Output(running_it.stdout.fileno())
    try:
        log.wait_for("is ready, with 2 workers")
        workers = Path(f"/proc/{running_it.pid}/task/{running_it.pid}/children").read_text().split()
        running_it.send_signal(signal.SIGTERM)
        assert running_it.wait(PATIENCE) in (0, 128 + signal.SIGTERM)
    finally:
        running_it.kill()
        running_it.wait()
        log.close()
        running_it.stdout.close()
    assert not any(running(int(pid)) for pid in workers)
    assert list((tmp_path / "state" / "redis").iterdir()) != []
