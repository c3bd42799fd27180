"""`livechat.backends.redis.endpoints`: TLS, passwords, Sentinel, all of them real."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from twisted.trial.unittest import TestCase

from livechat.backends.redis import connect
from livechat.backends.redis.tls import TLSFiles
from livechat.backends.retention import Retention
from livechat.errors import StartError
from livechat.net import certificates
from livechat.protocol.messages import Draft
from tests.backends.redis.authority import addresses, certificate, dns, key_bytes, write
from tests.backends.redis.processes import Process, ProcessesTest, until
from tests.backends.redis.server import RedisServer, Sentinel
from tests.live.daemon import ROOT
from tests.support.outcomes import publish
from tests.support.ports import free_port


class SecuredTest(TestCase):
    """A Redis with TLS, users and several databases."""

    timeout = 30

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> Iterator[None]:
        made = certificates.load_or_make(tmp_path / "certs")
        self.certificate = made.chain
        self.port = free_port()
        options = (
            *("--tls-port", str(self.port), "--tls-auth-clients", "no"),
            *("--tls-cert-file", str(made.chain), "--tls-key-file", str(made.key)),
            *(
                "--user",
                "ann",
                "on",
                ">p@ss word",
                "~lc:*",
                "&lc:*",
                "+@all",
                "-@dangerous",
                "+info",
            ),
        )
        with RedisServer(tmp_path / "redis", *options) as self.server:
            yield

    def reach(self, url: str, authorities: Path | None = None) -> Process:
        from twisted.internet import reactor  # noqa: PLC0415

        made = Process(connect(url, reactor, Retention(), TLSFiles(authorities)))  # type: ignore[arg-type]
        self.addCleanup(made.backend.stop)
        return made

    async def test_tls_works_with_user_password_and_database(self) -> None:
        """A trusted certificate works together with user, password and database."""
        url = f"rediss://ann:p%40ss%20word@localhost:{self.port}/3"
        process = self.reach(url, self.certificate)
        await process.usable()
        await process.backend.messages.subscribe("r")
        await publish(process.backend.messages, Draft("r", "hello"))
        assert process.heard() == ["hello"]
        assert self.server.ask("-n", "3", "EXISTS", "lc:{r}:s") == "1"
        assert self.server.ask("-n", "0", "EXISTS", "lc:{r}:s") == "0"

    async def test_who_is_not_trusted(self) -> None:
        """A certificate that nobody vouches for, or that is another's, is not spoken to."""
        await self.reach(f"rediss://localhost:{self.port}").troubled("certificate verify failed")
        # The certificate is for 127.0.0.1 and localhost.
        other = self.reach(f"rediss://127.0.0.2:{self.port}", self.certificate)
        await other.troubled("not for 127.0.0.2")

    async def test_a_wrong_password(self) -> None:
        """A wrong password is tried again and again, since an operator may correct it."""
        self.server.ask("CONFIG", "SET", "requirepass", "right")
        process = self.reach(f"unix://:right@{self.server.socket}")
        await process.usable()
        wrong = self.reach(f"unix://:wrong@{self.server.socket}")
        await wrong.troubled("password")
        self.server.ask("-a", "right", "CONFIG", "SET", "requirepass", "wrong")
        await wrong.usable()


def test_a_cluster_is_not_one_endpoint() -> None:
    """A command that knows no clusters says so."""
    from twisted.internet import reactor  # noqa: PLC0415

    with pytest.raises(StartError, match=r"redis\+cluster://r is a cluster"):
        connect("redis+cluster://:x@r", reactor, Retention())  # type: ignore[arg-type]


def test_files_that_are_no_authorities(tmp_path: Path) -> None:
    """A file that cannot be used is said so before anything is started."""
    from twisted.internet import reactor  # noqa: PLC0415

    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "broken").write_text("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
    for name in ("empty", "broken", "missing"):
        with pytest.raises(StartError, match=f"^--redis-ca: .*{name} cannot be used: "):
            connect("rediss://r", reactor, Retention(), TLSFiles(tmp_path / name))  # type: ignore[arg-type]


class FailoverTest(ProcessesTest):
    """
    A master, a replica, and a Sentinel that makes the one the other.

    @ivar watcher: the Sentinel.
    """

    timeout = 90
    watcher: Sentinel

    async def kill(self) -> None:
        self.watcher.lose_patience()
        await super().kill()


class SentinelTest(FailoverTest):
    """Without passwords and TLS."""

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> Iterator[None]:
        ports = free_port(), free_port()
        replicates = ("--replicaof", f"127.0.0.1 {ports[0]}", "--repl-diskless-sync-delay", "0")
        with (
            RedisServer(tmp_path / "a", "--repl-diskless-sync-delay", "0", port=ports[0]) as server,
            RedisServer(tmp_path / "b", *replicates, port=ports[1]) as replica,
        ):
            self.server, self.replica = server, replica
            sentinel = self.watcher = Sentinel(tmp_path / "sentinel", "chat", ports[0])
            sentinel.wait_for_replica()
            # The first of them is not there.
            where = f"127.0.0.1:{free_port()},127.0.0.1:{sentinel.port}"
            self.url = f"redis+sentinel://{where}/chat"
            yield
            sentinel.kill()

    async def test_a_replica_that_has_all(self) -> None:
        """Nothing is lost, and the numbering goes on."""
        await self.traffic(100)
        await until(lambda: self.replica.ask("XLEN", "lc:{r}:s") == "100")
        await self.kill()
        await self.usable()
        await self.traffic(100)
        assert self.refused == []
        assert len(await self.all_is_well()) == 200
        assert len(self.here.epochs()) == 1

    async def test_a_replica_that_has_not(self) -> None:
        """Entries that the replica never got are lost: a new epoch says so, and no more is lost."""
        await self.traffic(100)
        await until(lambda: self.replica.ask("XLEN", "lc:{r}:s") == "100")
        # The replica cannot connect again.
        self.server.ask("CONFIG", "SET", "requirepass", "secret")
        self.server.ask("-a", "secret", "CLIENT", "KILL", "TYPE", "replica")
        await self.traffic(20)
        await self.all_is_well()
        await self.kill()
        await self.usable()
        before = len(self.answered)
        await self.traffic(100)
        stored = await self.stored()
        assert set(stored[100:]) == set(self.answered[before:])
        assert len(stored) == 100 + len(self.answered) - before
        for process in (self.here, self.there):
            await self.hears(process, 20 + len(stored))
            assert process.heard()[120:] == stored[100:]
            assert len(process.epochs()) == 2
        assert self.here.epochs() == self.there.epochs()


def documented() -> str:
    """The user that livechat needs at a Sentinel, as docs/operations.md has it."""
    text = (ROOT / "docs" / "operations.md").read_text()
    (line,) = re.findall(r"^    (user livechat on .* \+sentinel.*)$", text, re.MULTILINE)
    return str(line)


class SecuredSentinelTest(FailoverTest):
    """
    Passwords, TLS and client certificates at the master, its replica and Sentinel, which has a user
    of its own.
    """

    password = "a p@ss/word"

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> Iterator[None]:
        ports = free_port(), free_port()
        self.files = self.secured(tmp_path)
        words = f"masterauth|{self.password}|tls-replication|yes|repl-diskless-sync-delay|0".split(
            "|"
        )
        tls = self.tls()
        common = [f"--{word}" if at % 2 == 0 else word for at, word in enumerate([*words, *tls])]
        (tmp_path / "a").mkdir()
        with (
            RedisServer(tmp_path / "a", *common, "--tls-port", f"{ports[0]}") as self.server,
            RedisServer(
                tmp_path / "b",
                *(*common, "--tls-port", f"{ports[1]}", "--replicaof", f"127.0.0.1 {ports[0]}"),
            ) as self.replica,
        ):
            for each in (self.server, self.replica):
                each.ask("CONFIG", "SET", "requirepass", self.password)
                each.login = "--no-auth-warning", "-a", self.password
            sentinel = self.watcher = self.sentinel(tmp_path / "sentinel", ports[0])
            sentinel.wait_for_replica()
            self.port = sentinel.port
            yield
            sentinel.kill()

    def secured(self, directory: Path) -> TLSFiles:
        authority = write(directory / "authority", certificate(None, authority=True))
        names = x509.SubjectAlternativeName([*dns("localhost"), *addresses("127.0.0.1")])
        shown = write(directory / "shown", certificate(names))
        (directory / "key").write_bytes(key_bytes())
        return TLSFiles(authority, shown, directory / "key")

    def tls(self) -> list[str]:
        files = self.files
        return [
            *("tls-auth-clients", "yes", "tls-ca-cert-file", f"{files.authorities}"),
            *("tls-cert-file", f"{files.certificate}", "tls-key-file", f"{files.key}"),
        ]

    def sentinel(self, directory: Path, port: int) -> Sentinel:
        files, tls = self.files, self.tls()
        return Sentinel(
            directory,
            "chat",
            port,
            *(f"{name} {value}" for name, value in zip(tls[::2], tls[1::2], strict=True)),
            "tls-replication yes",
            f'sentinel auth-pass chat "{self.password}"',
            documented().replace('">a long password"', ">watch"),
            login=(
                *("--tls", "--cacert", f"{files.authorities}"),
                *("--cert", f"{files.certificate}", "--key", f"{files.key}"),
            ),
            tls=True,
        )

    def reach(self, sentinel: str, secret: str = "") -> Process:
        secret = secret or quote(self.password, safe="")
        url = f"rediss+sentinel://:{secret}@localhost:{self.port}/chat{sentinel}"
        made = Process(connect(url, self.reactor, Retention(), self.files))
        self.addCleanup(made.backend.stop)
        return made

    def process(self, **options: int) -> Process:
        return self.reach("?sentinel=livechat:watch")

    async def test_failover_works_with_tls_and_passwords(self) -> None:
        """A failover works with TLS and passwords as without."""
        await self.traffic(20)
        await until(lambda: self.replica.ask("XLEN", "lc:{r}:s") == "20")
        await self.kill()
        await self.usable()
        await self.traffic(20)
        assert len(await self.all_is_well()) == 40

    async def test_who_may_not_ask(self) -> None:
        """Each is told which of both has refused it; no secret is said."""
        for process, said in (
            (self.reach("?sentinel=livechat:wrong"), "no Sentinel says where chat is: .*WRONGPASS"),
            (
                self.reach("?sentinel=livechat:watch", "wrong"),
                "used: could not auth: WRONGPASS",
            ),
        ):
            await process.troubled("WRONGPASS")
            assert re.search(said, str(process.backend.trouble()))
