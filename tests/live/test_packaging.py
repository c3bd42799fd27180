"""The built packages: what they hold, and that they work where nothing else is."""

from __future__ import annotations

import email
import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.live.daemon import ROOT, Daemon

#: Files that a package must bring besides its modules.
DATA = [
    "livechat/templates/front.html",
    "livechat/templates/base.html",
    "livechat/py.typed",
    "twisted/plugins/livechat_plugin.py",
]

#: Sources of the native part.
SOURCES = [str(path.relative_to(ROOT)) for path in (ROOT / "livechat").rglob("*.[ch]")]


def run(*command: object, **environment: str) -> None:
    ran = subprocess.run(
        [str(word) for word in command],
        env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution of this checkout."""
    directory = tmp_path_factory.mktemp("sdist")
    # The tools for this are installed; those for the wheel are fetched, as PyPI's users have them.
    run(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", directory, ROOT)
    (made,) = directory.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution, as PyPI's users would."""
    return built(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def pure_wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a machine without a compiler."""
    directory = tmp_path_factory.mktemp("pure_wheel")
    return built(source, directory, "--no-build-isolation", CC="/bin/false")


def built(source: Path, directory: Path, *options: str, **environment: str) -> Path:
    build = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", directory)
    run(*build, *options, source, **environment)
    (made,) = directory.iterdir()
    return made


def test_the_source_distribution_is_whole(source: Path) -> None:
    """The source distribution has what is needed to build and to test."""
    with tarfile.open(source) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert names >= {
        "setup.py", "pyproject.toml", "Makefile", "README.md", "CHANGELOG.md",
        "LICENSE", "templates/front.html", "static/chat/livechat.css", "tests/contract.py",
        "tests/clients/install", "docs/architecture.md", "examples/word_filter.py",
        "examples/site/index.html", "deploy/livechat.service", *SOURCES,
    }  # fmt: skip
    left_out = (".key", ".pyc", ".so")
    assert not any("node_modules" in name or name.endswith(left_out) for name in names)
    assert "tests/clients/promtool" not in names  # a program that the tests fetch


def test_the_wheel_is_whole(wheel: Path) -> None:
    """The wheel has every module, the plugin, the templates and the static files."""
    names = set(zipfile.ZipFile(wheel).namelist())
    assert names >= set(DATA)
    for kind in ("*.py", "*.lua"):
        assert names >= {str(path.relative_to(ROOT)) for path in (ROOT / "livechat").rglob(kind)}
    for path in (ROOT / "static").glob("*/*"):
        assert f"livechat/{path.relative_to(ROOT)}" in names
    assert not any(name.startswith(("tests", "docs")) for name in names)
    with zipfile.ZipFile(wheel) as archive:
        (points,) = (name for name in names if name.endswith("/entry_points.txt"))
        assert "livechat = livechat.command.main:main" in archive.read(points).decode()


def test_a_wheel_with_the_native_part_is_for_the_limited_api(wheel: Path, pure_wheel: Path) -> None:
    """A wheel is for the limited API with the native part, and for any machine without it."""
    native = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".so")}
    assert native == {"livechat/net/_fast.abi3.so"}
    assert "-cp311-abi3-linux_" in wheel.name
    assert not any(name.endswith(".so") for name in zipfile.ZipFile(pure_wheel).namelist())
    assert pure_wheel.name.endswith("-py3-none-any.whl")


def test_the_wheel_brings_its_license(wheel: Path) -> None:
    """The wheel says, and brings, under which license it may be used."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        said = email.message_from_bytes(archive.read(metadata))
        brought = archive.read(str(Path(metadata).with_name("licenses") / "LICENSE"))
    # "License-Expression" since core metadata 2.4; setuptools has written both.
    assert "MIT" in (said["License-Expression"], said["License"])
    assert said["License-File"] == "LICENSE"
    assert brought == (ROOT / "LICENSE").read_bytes()
    assert b"The livechat authors" in brought


def test_installed_wheel(wheel: Path, pure_wheel: Path, tmp_path: Path) -> None:
    """
    A wheel installed in an empty venv serves, templates and files included. So does that of a
    machine without a compiler.
    """
    place = tmp_path / "venv"
    venv.create(place)
    # No module that is never imported is compiled.
    pip = (sys.executable, "-m", "pip", "--python", place / "bin" / "python")
    run(*pip, "install", "--no-compile", wheel)
    command = str(place / "bin" / "livechat")
    run(command, "version")
    twistd = str(place / "bin" / "twistd")
    # A daemon's imports are compiled now: its start has a limit.
    run(place / "bin" / "python", "-c", "import livechat.daemon.surface")
    run(twistd, "livechat", "--help")
    environment = {"LIVECHAT_PURE": None}
    with Daemon(tmp_path / "run", twistd=twistd, environment=environment) as daemon:
        run(command, "say", "elsewhere", "hi", f"--state={tmp_path / 'run' / 'state'}")
        assert "wscat" in daemon.curl("-f", f"{daemon.url}/developers/")
        assert "body" in daemon.curl("-f", f"{daemon.url}/static/pages.css")
        daemon.curl("-f", "-d", "message=hi", f"{daemon.url}/chat/send/")
        with daemon.socket("lobby") as member:
            member.send('{"message": "there"}')
            assert json.loads(member.recv(timeout=10)) == {"message": "there"}
        assert [each["message"] for each in daemon.history()] == ["hi", "there"]
        alive = json.loads(daemon.curl(f"{daemon.url}/healthz"))
        assert alive == {"status": "ok", "fast_path": "native"}
    run(*pip, "install", "--no-compile", "--no-deps", "--force-reinstall", pure_wheel)
    with Daemon(tmp_path / "run", twistd=twistd, environment=environment) as daemon:
        with daemon.socket("elsewhere/?history=1") as member:
            assert json.loads(member.recv(timeout=10)) == {"message": "hi"}
            member.send('{"message": "there"}')
            assert json.loads(member.recv(timeout=10)) == {"message": "there"}
        assert json.loads(daemon.curl(f"{daemon.url}/healthz"))["fast_path"] == "pure"
        assert "The fast path is in plain Python: the native part was not built" in daemon.log.text
