"""
`livechat.backends.redis.resp`: a Redis that refuses, how much of it is logged, and how
soon it is used again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import capturedLogs, formatEvent
from twisted.protocols import portforward
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from livechat.backends.redis import connect
from livechat.backends.redis.resp import RefusedError
from livechat.backends.redis.tls import TLSFiles
from livechat.backends.retention import Retention
from livechat.net import certificates
from livechat.protocol.messages import Draft
from tests.backends.redis.processes import Process, until
from tests.backends.redis.server import RedisServer
from tests.support.outcomes import publish
from tests.support.ports import free_port

#: Connections after which a test looks at the log: three attempts, or six.
ENOUGH = 6
#: Lines that may have been logged by then: why not, and why not after all.
LINES = 2


class _Answering(Protocol):
    """Says the same to everything."""

    factory: Port

    def connectionMade(self) -> None:
        if self.factory.says is None:
            self.transport.loseConnection()  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        assert self.factory.says is not None
        self.transport.write(self.factory.says)  # type: ignore[union-attr]


class _Passing(portforward.ProxyServer):
    """Passes everything on."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.peer is not None:
            super().connectionLost(reason)


class Port(Factory):
    """
    Stands where a Redis is looked for.

    @ivar to: the port of the Redis behind it; None: there is none.
    @ivar says: where there is none, the answer to everything; None: it closes at once.
    @ivar count: of connections.
    """

    noisy = False

    def __init__(self, to: int | None = None, says: bytes | None = None) -> None:
        self.host = "127.0.0.1"
        self.to = to
        self.says = says
        self.count = 0

    @property
    def port(self) -> int | None:
        return self.to

    def buildProtocol(self, _: object) -> Any:
        self.count += 1
        made: Any = _Answering() if self.to is None else _Passing()
        made.factory = self
        return made


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("OOM command not allowed when used memory > 'maxmemory'.", "OOM"),
        # Redis 6.
        (
            "ERR Error running script (call to f_7f9): @user_script:71: @user_script: 71: -OOM no",
            "OOM",
        ),
        ("ERR Error running script (call to f_7f9): @user_script:1: user_script:1: attempt", "ERR"),
    ],
)
def test_codes_of_errors_are_told_apart(text: str, code: str) -> None:
    assert RefusedError(text).code == code


class RefusalsTest(TestCase):
    timeout = 30

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> Iterator[None]:
        self.directory = tmp_path
        self.redis_port = free_port()
        with RedisServer(tmp_path / "redis", port=self.redis_port) as self.server:
            yield

    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415

        self.reactor: Any = reactor
        self.patch(portforward.ProxyClientFactory, "noisy", False)

    def listen(self, port: Port) -> int:
        listening = self.reactor.listenTCP(0, port, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        return int(listening.getHost().port)

    async def refuses(
        self, url: str, port: Port, said: str, authorities: Path | None = None
    ) -> Process:
        """Look at what is logged while *port* refuses the process that is returned."""
        with capturedLogs() as events:
            process = Process(connect(url, self.reactor, Retention(), TLSFiles(authorities)))
            self.addCleanup(process.backend.stop)
            await process.troubled(said)
            await until(lambda: port.count >= ENOUGH)
        shown = [formatEvent(event) for event in events]
        assert 1 <= len(shown) <= LINES, shown
        assert said in shown[-1]
        assert not any("Traceback" in line or "\n" in line for line in shown)
        assert not any("log_failure" in event for event in events)
        assert said in str(process.backend.trouble())
        return process

    async def mended(self, process: Process, mend: Callable[[], object]) -> None:
        """Correct the fault and assert that all works."""
        mend()
        await process.usable()
        await process.backend.messages.subscribe("r")
        await publish(process.backend.messages, Draft("r", "hello"))
        assert process.heard() == ["hello"]

    async def test_a_wrong_password(self) -> None:
        self.server.ask("CONFIG", "SET", "requirepass", "right")
        port = Port(self.redis_port)
        process = await self.refuses(f"redis://:wrong@127.0.0.1:{self.listen(port)}", port, "WRONG")
        await self.mended(
            process, lambda: self.server.ask("-a", "right", "CONFIG", "SET", "requirepass", "wrong")
        )

    async def test_a_missing_password_is_told(self) -> None:
        self.server.ask("CONFIG", "SET", "requirepass", "right")
        port = Port(self.redis_port)
        process = await self.refuses(f"redis://127.0.0.1:{self.listen(port)}", port, "NOAUTH")
        await self.mended(
            process, lambda: self.server.ask("-a", "right", "CONFIG", "SET", "requirepass", "")
        )

    async def test_a_wrong_database(self) -> None:
        port = Port(self.redis_port)
        await self.refuses(f"redis://127.0.0.1:{self.listen(port)}/99", port, "out of range")

    async def test_a_user_without_channels(self) -> None:
        self.server.ask("ACL", "SETUSER", "ann", "on", ">secret", "~lc:*", "resetchannels", "+@all")
        port = Port(self.redis_port)
        url = f"redis://ann:secret@127.0.0.1:{self.listen(port)}"
        process = await self.refuses(url, port, "NOPERM")
        await self.mended(process, lambda: self.server.ask("ACL", "SETUSER", "ann", "&lc:*"))

    async def test_a_port_that_closes_is_told(self) -> None:
        port = Port()
        url = f"redis://127.0.0.1:{self.listen(port)}"
        process = await self.refuses(url, port, "closed the connection")
        await self.mended(process, lambda: setattr(port, "to", self.redis_port))

    async def test_a_port_that_closes_while_one_signs_in(self) -> None:
        port = Port()
        url = f"redis://:secret@127.0.0.1:{self.listen(port)}/1"
        await self.refuses(url, port, "closed the connection")

    async def test_a_redis_that_loads_is_told(self) -> None:
        port = Port(says=b"-LOADING Redis is loading the dataset in memory\r\n")
        url = f"redis://127.0.0.1:{self.listen(port)}"
        process = await self.refuses(url, port, "LOADING")
        await self.mended(process, lambda: setattr(port, "to", self.redis_port))

    async def test_one_that_has_too_many_clients(self) -> None:
        port = Port(says=b"-ERR max number of clients reached\r\n")
        url = f"redis://127.0.0.1:{self.listen(port)}"
        process = await self.refuses(url, port, "max number of clients")
        await self.mended(process, lambda: setattr(port, "to", self.redis_port))

    async def test_another_server_is_no_redis(self) -> None:
        """Servers of another protocol, or with senseless answers, are no Redis."""
        for says in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"+OK\r\n", b"*0\r\n", b":1\r\n"):
            port = Port(says=says)
            url = f"redis://127.0.0.1:{self.listen(port)}"
            process = await self.refuses(url, port, "cannot be used")
            port.to = self.redis_port
            await process.usable()

    async def test_one_that_says_nothing(self) -> None:
        """A silent server leaves open even whether the password is right."""
        port = Port(says=b"")
        url = f"redis://:secret@127.0.0.1:{self.listen(port)}"
        with capturedLogs() as events:
            process = Process(connect(url, self.reactor, Retention()))
            self.addCleanup(process.backend.stop)
            await process.troubled("does not answer")
        assert len(events) == 1
        port.to = self.redis_port
        self.server.ask("CONFIG", "SET", "requirepass", "secret")
        await process.usable()

    async def test_a_certificate_of_another_host_is_refused(self) -> None:
        """The certificate is another host's, and then the right one."""
        made = [certificates.load_or_make(self.directory / name) for name in ("a", "b")]
        ports = [free_port(), free_port()]
        servers = []
        for each, where in zip(made, ports, strict=True):
            options = (
                *("--tls-port", f"{where}", "--tls-auth-clients", "no"),
                *("--tls-cert-file", f"{each.chain}", "--tls-key-file", f"{each.key}"),
            )
            servers.append(RedisServer(self.directory / f"redis-{where}", *options))
            self.addCleanup(servers[-1].kill)
        port = Port(ports[0])
        url = f"rediss://127.0.0.1:{self.listen(port)}"
        process = await self.refuses(url, port, "certificate verify failed", made[1].chain)
        await self.mended(process, lambda: setattr(port, "to", ports[1]))

    async def test_a_port_with_tls_is_told_to_a_client_without(self) -> None:
        """A port with TLS, to which none is spoken."""
        made = certificates.load_or_make(self.directory / "certificate")
        where = free_port()
        options = (
            *("--tls-port", f"{where}", "--tls-auth-clients", "no"),
            *("--tls-cert-file", f"{made.chain}", "--tls-key-file", f"{made.key}"),
        )
        secured = RedisServer(self.directory / "secured", *options)
        self.addCleanup(secured.kill)
        port = Port(where)
        await self.refuses(f"redis://127.0.0.1:{self.listen(port)}", port, "cannot be used")

    async def test_sentinel_is_asked_for_the_master(self) -> None:
        """Sentinel names a dead master, then a living one; or is no Sentinel."""
        dead, port = free_port(), Port()
        port.says = b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%d\r\n" % (len(f"{dead}"), dead)
        url = f"redis+sentinel://127.0.0.1:{self.listen(port)}/chat"
        process = await self.refuses(url, port, "refused")
        there = self.redis_port
        says = b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%d\r\n" % (len(f"{there}"), there)
        await self.mended(process, lambda: setattr(port, "says", says))
        other = Port(says=b"HTTP/1.1 400 Bad Request\r\n\r\n")
        url = f"redis+sentinel://127.0.0.1:{self.listen(other)}/chat"
        await self.refuses(url, other, "no Sentinel says where chat is")
