"""`livechat.backends.redis.cluster.node`: rights, TLS and versions, with a real cluster."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509

from livechat.backends.redis import connect_cluster
from livechat.backends.redis.cluster.backend import ClusterBackend
from livechat.backends.redis.cluster.slots import slot_of
from livechat.backends.redis.keys import Keys
from livechat.backends.redis.tls import TLSFiles
from livechat.backends.retention import Retention
from livechat.protocol.cluster import Share
from livechat.protocol.messages import Draft, Retraction, User
from tests.backends.redis.authority import addresses, certificate, dns, key_bytes, write
from tests.backends.redis.cluster.processes import ClusterProcessesTest
from tests.backends.redis.cluster.servers import RedisCluster
from tests.backends.redis.processes import until
from tests.live.daemon import ROOT
from tests.support.outcomes import amend, publish


def shown() -> list[str]:
    """The words of the line of docs/operations.md."""
    (line,) = re.findall(
        r"^redis-cli (ACL SETUSER .*)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE
    )
    return shlex.split(line)


class SecuredTest(ClusterProcessesTest):
    """
    A cluster with TLS alone, client certificates, and a user that has the documented rights, and no
    others.
    """

    masters = 2

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> Iterator[None]:
        authority = write(tmp_path / "authority", certificate(None, authority=True))
        names = x509.SubjectAlternativeName([*dns("localhost"), *addresses("127.0.0.1")])
        shows = write(tmp_path / "shown", certificate(names))
        (tmp_path / "key").write_bytes(key_bytes())
        self.files = TLSFiles(authority, shows, tmp_path / "key")
        options = (
            *("--tls-cluster", "yes", "--tls-auth-clients", "yes"),
            *("--tls-ca-cert-file", f"{authority}", "--tls-cert-file", f"{shows}"),
            *("--tls-key-file", f"{tmp_path / 'key'}"),
        )
        with RedisCluster(tmp_path / "cluster", self.masters, *options, tls=True) as self.cluster:
            for node in self.cluster.nodes:
                assert node.ask(*shown()) == "OK"
            password = next(word[1:] for word in shown() if word.startswith(">"))
            (first, *_) = self.cluster.nodes
            self.url = f"rediss+cluster://livechat:{quote(password)}@localhost:{first.tls_port}"
            self.server = self.master_of_room()
            yield

    def connect(self, url: str, **options: int) -> ClusterBackend:
        return connect_cluster(url, self.reactor, Retention(**options), self.files)

    async def test_every_command_is_allowed_at_every_node(self) -> None:
        """No command is refused, at any node."""
        backend = self.here.backend
        await self.traffic(20)
        await publish(backend.messages, Draft("r", "once", nonce="n"))
        await amend(backend.messages, Retraction("r", (3, 21), moderates=True))
        backend.presence.share("r", Share((User("id", "Ann"),), 1))
        backend.presence.typing("r", User("id", "Ann"))
        shared = backend.shared_map("x", most=9, largest=9)
        await shared.put("k", b"1")
        await backend.messages.newest(["r", "a", "b"])
        await backend.processes.reports()
        await backend.begin_anew()
        backend.messages.unsubscribe("r")
        for node in self.cluster.nodes:
            node.ask("SCRIPT", "FLUSH")
        await backend.beat()
        await backend._subscriptions.sweep()
        await backend._sweep.step()
        await self.there.backend.stop()
        for node in self.cluster.nodes:
            assert node.ask("ACL", "LOG") == ""
            assert node.ask("--scan", "--pattern", "*rights") == ""

    async def test_a_right_that_is_missing(self) -> None:
        """A missing right shows at the node that refuses, and is reported with the node's name."""
        home = slot_of(Keys().control)
        other = next(node for node in self.cluster.nodes if not self.cluster.has(node, home))
        for right in ("spublish", "ssubscribe", "xadd"):
            other.ask("ACL", "SETUSER", "livechat", f"-{right}")
            await self.here.backend.beat()
            await self.here.troubled("NOPERM")
            await self.here.troubled(f"of 2 masters, 1 cannot be used: 127.0.0.1:{other.tls_port}")
            assert right in str(self.here.backend.trouble()).lower()
            other.ask("ACL", "SETUSER", "livechat", f"+{right}")
            await self.usable()

    async def test_another_node_at_its_address(self) -> None:
        """Another node at the address is not taken for the one that was there."""
        (node, *_) = self.nodes()
        node.id = "0" * 40
        node.connection.drop("a test")
        await self.here.troubled("another node is at")
        await until(lambda: self.here.backend.trouble() is not None)
