"""`deploy/Containerfile`, step by step, and what it runs: as a cluster would, at its strictest."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from livechat.net.certificates import load_or_make
from tests.backends.redis.server import RedisServer
from tests.debian.root import Enclosed, Root
from tests.deploy import containerfile
from tests.deploy.sheets import CONTAINER, of_cluster
from tests.live.daemon import ROOT, eventually, tool
from tests.live.wscat import Wscat
from tests.support.ports import free_port

#: A user that the image does not know.
NOBODY = "54321"
IGNORED = shutil.ignore_patterns("__pycache__", "*.so", "dropin.cache")


@pytest.fixture(scope="module")
def image() -> Iterator[Root]:
    """Make the image by the file's steps."""
    made: list[Root] = []
    for number, steps in enumerate(containerfile.stages()):
        root = Root.fresh(f"image-{number}")
        for step in steps:
            if step.name == "COPY":
                copy(made, root, step.text.split())
            elif step.name == "RUN":
                root.install(*step.text.split())
        made.append(root)
    yield made[-1]
    for root in made:
        root.remove()


def copy(stages: list[Root], root: Root, words: list[str]) -> None:
    source = stages[0].path if words[0] == "--from=build" else ROOT
    *names, target = [word for word in words if not word.startswith("--")]
    for name in names:
        origin = source / name.lstrip("/")
        goal = root.path / target.lstrip("/")
        if target.endswith("/"):
            goal /= origin.name
        goal.parent.mkdir(parents=True, exist_ok=True)
        if not origin.is_dir():
            shutil.copy2(origin, goal)
        elif source == ROOT:
            shutil.copytree(origin, goal, ignore=IGNORED)
        else:
            shutil.copytree(origin, goal, symlinks=True)


@pytest.fixture
def volume(image: Root, tmp_path: Path) -> Path:
    """A volume, which takes owner and mode of the image's folder when it is new."""
    (folder,) = containerfile.of("VOLUME")
    made = tmp_path / "volume"
    made.mkdir()
    made.chmod((image.path / folder.lstrip("/")).stat().st_mode & 0o7777)
    for each in tmp_path.parents:
        if each.name.startswith("pytest-"):
            # pytest makes it private, and the container has another user.
            each.chmod(0o755)
    return made


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis", port=free_port()) as server:
        yield server


class Container:
    """An image that is run with options of one's own."""

    def __init__(self, image: Root, volume: Path) -> None:
        self._image = image
        self._volume = volume

    def start(
        self, *options: str, user: str = NOBODY, certs: Path | None = None, **environment: str
    ) -> Enclosed:
        (folder,) = containerfile.of("WORKDIR")
        command = self._image.command(
            [*containerfile.entry_point(), "--port=0", *options],
            user,
            folder,
            containerfile.environment() | environment,
        )
        outside = {"VOLUME": str(self._volume)} | ({"CERTS": str(certs)} if certs else {})
        return Enclosed(command, **outside)

    def exec(self, *words: str, code: int = 0) -> str:
        (folder,) = containerfile.of("WORKDIR")
        environment = containerfile.environment()
        return self._image.run(
            *words, user=NOBODY, folder=folder, environment=environment, volume=self._volume,
            code=code,
        )  # fmt: skip


@pytest.fixture
def container(image: Root, volume: Path) -> Container:
    return Container(image, volume)


def test_unknown_user_on_a_read_only_root(container: Container) -> None:
    """A container chats, is healthy, writes only its volume, and ends by SIGTERM as process 1."""
    check = containerfile.health_check()
    assert "has no server.json" in container.exec(*check, code=1)
    with container.start() as running:
        assert container.exec(*check) == "alive\n"
        assert "FAIL" not in container.exec("livechat", "check")
        with Wscat(running, "r") as first, Wscat(running, "r") as second:
            first.says('{"message": "hi"}')
            assert first.hears(1) == second.hears(1) == [{"message": "hi"}]
        assert json.loads(running.curl(f"{running.url}/healthz"))["fast_path"] == "native"
        # As kubelet asks: by the pod's address.
        assert running.curl("-f", "-H", "Host: 10.1.2.3:10443", f"{running.url}/readyz")
        assert running.stop() == 0
    assert "nobody answers" in container.exec(*check, code=1)
    assert "Read-only" in container.exec("touch", "/tmp/x", code=1)
    assert "No such file" in container.exec("ls", "/dev/shm", code=2)
    # The plugins are remembered, or each start would find them anew.
    assert "plugin cache" not in running.log.text


def test_the_next_container_takes_over_its_volume(container: Container) -> None:
    """After a kill the next container takes over what the volume has."""
    with container.start() as running:
        tool("curl", "-sSkf", "-d", "message=kept", f"{running.url}/chat/send/")
        running.kill()
    with container.start() as running:
        assert [each["message"] for each in running.history()] == ["kept"]


def test_the_cluster_sheet_runs(container: Container, tmp_path: Path, redis: RedisServer) -> None:
    """The sheet's options, user, certificate and probes; rooms are in Redis."""
    certs = tmp_path / "certs"
    certs.mkdir()
    load_or_make(certs)
    for made, name in (("livechat.crt", "tls.crt"), ("livechat.key", "tls.key")):
        path = (certs / made).rename(certs / name)
        os.chown(path, 0, 10443)
        path.chmod(0o440)
    environment = of_cluster()
    asked, name = environment["LIVECHAT_REDIS"].split("@")
    redis.ask("CONFIG", "SET", "requirepass", asked.removeprefix("redis://:"))
    environment["LIVECHAT_REDIS"] = f"{asked}@127.0.0.1:{redis.port}"
    assert name == "livechat-redis"
    with container.start(*CONTAINER["args"], user="10443", certs=certs, **environment) as running:
        assert "/certs/tls.crt" in running.log.text
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            path = CONTAINER[probe]["httpGet"]["path"]
            assert running.curl("-f", "-H", "Host: 10.1.2.3:10443", running.url + path)
        with Wscat(running, "r") as client:
            client.says('{"message": "hi"}')
            assert client.hears(1) == [{"message": "hi"}]
        assert running.stop() == 0


def test_workers_count_without_shared_memory(container: Container, redis: RedisServer) -> None:
    """As in compose.yaml: what workers count has a place, without /dev/shm too."""
    url = f"redis://127.0.0.1:{redis.port}"
    with container.start(LIVECHAT_REDIS=url, LIVECHAT_WORKERS="2") as running:
        with Wscat(running, "r") as client:
            client.says('{"message": "hi"}')
            assert client.hears(1) == [{"message": "hi"}]
        # Each worker counts anew once a second.
        stored = "\nlivechat_stored_total 1.0\n"
        eventually(lambda: stored in running.curl("-f", f"{running.url}/metrics"))
        assert running.stop() == 0
