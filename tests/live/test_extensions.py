"""Extensions in a real daemon: each example works, and a broken one is one line."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.backends.redis.server import RedisServer
from tests.live.daemon import PATIENCE, TWISTD, Daemon, refused

Start = Callable[..., Daemon]

#: An extension whose policy, authenticator and listener fail when they are asked.
FAULTY = """
from zope.interface import implementer
from livechat.extensions import ExtensionBase, ListenerBase, PolicyBase
from livechat.interfaces import IAuthenticator

class Policy(PolicyBase):
    def send(self, actor, draft):
        if "boom" in draft.message:
            raise ZeroDivisionError("of a policy")

@implementer(IAuthenticator)
class Authenticator:
    async def authenticate(self, credentials):
        if credentials.header("X-Boom"):
            raise ZeroDivisionError("of an authenticator")

class Listener(ListenerBase):
    def stored(self, room, message):
        raise ZeroDivisionError("of a listener")

class Faulty(ExtensionBase):
    def policy(self, config):
        return Policy()
    def authenticator(self, config):
        return Authenticator()
    def listeners(self, config):
        return [Listener()]
"""


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--extension=examples.nope"], "livechat: --extension: there is no 'examples.nope'"),
        (
            ["--extension=examples.to_slack.Slack"],
            "livechat: --extension examples.to_slack.Slack is no extension: ",
        ),
        (
            ["--extension=examples.header_identity.HeaderIdentity"],
            "livechat: --extension examples.header_identity.HeaderIdentity: nobody's X-Remote-User",
        ),
        (["--backend=memory:"], "livechat: --backend: no extension brings the kind memory:"),
        (
            ["--workers=2", "--backend=memory:", "--extension=examples.memory_backend.Memory"],
            "livechat: --extension examples.memory_backend.Memory: --workers: memory: has the",
        ),
        (
            ["--workers=2", "--redis=redis://localhost:1", "--extension=nothere.Extension"],
            "livechat: --extension: there is no module 'nothere'",
        ),
        (
            [
                "--workers=2",
                "--redis=redis://localhost:1",
                "--mount=/site/x=examples.mounted_site.resource",
                "--extension=examples.mounted_site.Site",
            ],
            "livechat: something is mounted above or below /site",
        ),
        (
            [
                "--mount=/site=examples.mounted_site.resource",
                "--extension=examples.mounted_site.Site",
            ],
            "livechat: something is mounted above or below /site",
        ),
    ],
)
def test_a_broken_extension_is_one_line(tmp_path: Path, options: list[str], line: str) -> None:
    """An extension that cannot be loaded is one line and exit code 1."""
    (printed,) = refused(tmp_path, "--port=0", *options)
    assert printed.startswith(line)


def test_a_broken_plugin_stops_the_start(tmp_path: Path) -> None:
    """A plugin named after livechat must not be missing; twistd prints its traceback by itself."""
    plugins = tmp_path / "twisted" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "livechat_acme.py").write_text("import nothere")
    *_, last = refused(tmp_path, "--port=0", twistd=TWISTD, PYTHONPATH=str(tmp_path))
    assert last.startswith(f"livechat: the plugin {plugins}/livechat_acme.py cannot be imported")
    assert last.endswith("line 1)")


def test_an_installed_plugin_is_loaded(tmp_path: Path) -> None:
    """A plugin that is installed is loaded without being asked for, and said to be."""
    plugins = tmp_path / "twisted" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "livechat_acme.py").write_text(
        "from examples.memory_backend import Memory\nmemory = Memory()"
    )
    found = {"PYTHONPATH": str(tmp_path)}
    with Daemon(tmp_path, "--backend=memory:", twistd=TWISTD, environment=found) as daemon:
        assert "Loaded the plugin twisted.plugins.livechat_acme.memory." in daemon.log.text


def test_a_filtered_message_is_refused_everywhere(start: Start, tmp_path: Path) -> None:
    """A refused message is refused by HTTP and WebSocket, and its sender goes on."""
    (tmp_path / "words.txt").write_text("drat")
    daemon = start("--extension=examples.word_filter.WordFilter", WORD_FILTER="words.txt")
    said = daemon.curl("-d", "message=Drat!", f"{daemon.url}/chat/send/r/")
    assert json.loads(said)["code"] == "forbidden"
    with daemon.socket() as member:
        member.send('{"message": "oh DRAT"}')
        assert json.loads(member.recv())["error"]["code"] == "forbidden"
        member.send('{"message": "oh dear"}')
        assert json.loads(member.recv()) == {"message": "oh dear"}
    assert [each["message"] for each in daemon.history("r/")] == ["oh dear"]


def test_rooms_are_kept_by_the_extension(start: Start, tmp_path: Path) -> None:
    """Rooms are where the extension keeps them."""
    daemon = start("--backend=memory:", "--extension=examples.memory_backend.Memory")
    assert "the memory of this process" in daemon.log.text
    with daemon.socket() as member:
        member.send('{"message": "hi"}')
        assert json.loads(member.recv()) == {"message": "hi"}
    assert [each["message"] for each in daemon.history("r/")] == ["hi"]
    assert not list((tmp_path / "state").glob("*.sqlite*"))


@pytest.fixture
def hook() -> Iterator[tuple[str, queue.Queue[str]]]:
    """The address of a webhook, and what was posted to it."""
    posted: queue.Queue[str] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.put(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", posted
    server.shutdown()
    thread.join()
    server.server_close()


def test_messages_are_posted_once_and_in_order(
    start: Start, hook: tuple[str, queue.Queue[str]]
) -> None:
    """Messages are posted once and in order, whatever way they were sent."""
    address, posted = hook
    daemon = start("--extension=examples.to_slack.ToSlack", SLACK_WEBHOOK=address)
    with daemon.socket("r/?name=Ann") as member:
        member.send('{"message": "<!channel>"}')
        member.recv()
    daemon.curl("-f", "-d", "message=hi", f"{daemon.url}/chat/send/r/")
    assert posted.get(timeout=PATIENCE) == "[r] Ann: &lt;!channel&gt;"
    assert posted.get(timeout=PATIENCE) == "[r] somebody: hi"
    assert posted.empty()


@pytest.mark.parametrize(
    "option",
    ["--mount=/site=examples.mounted_site.resource", "--extension=examples.mounted_site.Site"],
)
def test_a_directory_is_served_beside_the_chat(start: Start, option: str) -> None:
    """A directory is served beside the chat, and an extension's page knows the rooms."""
    daemon = start(option)
    assert "A site with a chat" in daemon.curl("-f", f"{daemon.url}/site/index.html")
    assert "wscat" in daemon.curl("-f", f"{daemon.url}/developers/")
    if "extension" in option:
        assert daemon.curl("-f", f"{daemon.url}/chat-health") == "The chat is open.\n"


def test_each_worker_has_the_extension(
    start: Start, hook: tuple[str, queue.Queue[str]], tmp_path: Path
) -> None:
    """Each worker has the extension, and each message is passed on once, by one of them."""
    address, posted = hook
    with RedisServer(tmp_path / "redis") as redis:
        daemon = start(
            "--extension=examples.to_slack.ToSlack",
            f"--redis={redis.url}",
            "--workers=2",
            "--max-connections-per-ip=0",
            SLACK_WEBHOOK=address,
        )
        assert daemon.log.text.count("Loaded --extension examples.to_slack.ToSlack.") == 1
        for number in (1, 2):
            daemon.log.wait_for(rf"\[worker {number}#info\].* Redis at \S+ can be used")
        with ExitStack() as stack:
            members = [stack.enter_context(member) for member in daemon.members(6)]
            for number, member in enumerate(members):
                member.send(json.dumps({"message": str(number)}))
            heard = {posted.get(timeout=PATIENCE).rpartition(" ")[2] for _ in members}
        assert heard == {str(number) for number in range(len(members))}
        assert posted.empty()


#: The proxies of the machine that tests run on.
PROXIES = ("--trust-proxy=127.0.0.1", "--trust-proxy=::1")


def user_of(daemon: Daemon, headers: list[tuple[str, str]]) -> str:
    """The id that a member gets."""
    with daemon.socket(subprotocols=["livechat.v1"], additional_headers=headers) as member:
        hello = json.loads(member.recv())
        assert hello["type"] == "hello"
        return str(hello["user"]["id"])


def test_a_trusted_proxy_names_the_client(start: Start) -> None:
    """A trusted proxy says who a client is, for its messages by HTTP too; two say nothing."""
    daemon = start("--extension=examples.header_identity.HeaderIdentity", *PROXIES)
    assert user_of(daemon, [("X-Remote-User", "ann")]) == "ann"
    assert user_of(daemon, []) != "ann"
    send = f"{daemon.url}/chat/send/r/"
    daemon.curl("-f", "-H", "X-Remote-User: bob", "-d", "message=hi", f"{send}?name=Eve")
    assert [each.get("user") for each in daemon.history("r/")] == [
        {"id": "bob", "name": "bob", "verified": True}
    ]
    twice = daemon.curl("-H", "X-Remote-User: a", "-H", "X-Remote-User: b", "-d", "message=", send)
    assert json.loads(twice)["code"] == "bad_request"


def test_a_stranger_cannot_name_itself(start: Start) -> None:
    """A client that comes by no trusted proxy is whoever it is, whatever it writes."""
    daemon = start("--extension=examples.header_identity.HeaderIdentity", "--trust-proxy=192.0.2.1")
    assert user_of(daemon, [("X-Remote-User", "ann")]) != "ann"


def test_a_faulty_extension_costs_its_own_question(tmp_path: Path) -> None:
    """An extension that raises costs only what it was asked, and the log has the traceback."""
    (tmp_path / "faulty.py").write_text(FAULTY)
    daemon = Daemon(
        tmp_path, "--extension=faulty.Faulty", environment={"PYTHONPATH": str(tmp_path)}
    )
    try:
        with daemon.socket() as member:
            member.send('{"message": "boom"}')
            assert json.loads(member.recv())["error"]["code"] == "internal"
            member.send('{"message": "hi"}')
            assert json.loads(member.recv()) == {"message": "hi"}
        refusal = daemon.curl("-H", "X-Boom: 1", "-d", "message=hi", f"{daemon.url}/chat/send/r/")
        assert json.loads(refusal)["code"] == "internal"
        daemon.curl("-f", "-d", "message=there", f"{daemon.url}/chat/send/r/")
        assert [each["message"] for each in daemon.history("r/")] == ["hi", "there"]
        for whose in ("a policy", "an authenticator", "a listener"):
            daemon.log.wait_for(f"ZeroDivisionError: of {whose}")
        assert daemon.stop() == 0
    finally:
        daemon.kill()
