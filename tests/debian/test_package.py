"""The Debian package: it is installed, serves, is upgraded, and leaves nothing."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from livechat.system import environment_file
from tests.debian.root import PATIENCE, Enclosed, Root
from tests.live.daemon import ROOT, tool
from tests.live.wscat import Wscat

USER = "livechat"
STATE = Path("/var/lib/livechat")
UNIT = "lib/systemd/system/livechat.service"


@pytest.fixture(scope="module")
def package() -> Path:
    """Make the package by `make deb`."""
    ran = subprocess.run(
        ["make", "--no-print-directory", "deb"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    made: list[str] = re.findall(r"in '(dist/livechat_.+\.deb)'", ran.stdout)
    return ROOT / made[0]


@pytest.fixture(scope="module")
def root() -> Iterator[Root]:
    made = Root.fresh("package")
    made.install("apt-get", "-q", "update")
    yield made
    made.remove()


@pytest.fixture(scope="module")
def installed(root: Root, package: Path) -> Root:
    """Make a Debian with the package, on a free port."""
    install(root, package)
    with (root.path / "etc/livechat.conf").open("a") as conf:
        conf.write("LIVECHAT_PORT=0\n")
    return root


def install(root: Root, package: Path) -> None:
    shutil.copy(package, root.path / "package.deb")
    root.install(
        *("apt-get", "-q", "-y", "install", "--no-install-recommends"),
        *("-o", "Dpkg::Options::=--force-confold", "/package.deb"),
    )
    (root.path / "package.deb").unlink()


def next_version(package: Path, directory: Path) -> Path:
    """The same package as a version later, with other defaults and a module less."""
    tree = directory / "tree"
    tool("dpkg-deb", "--raw-extract", str(package), str(tree))
    control = tree / "DEBIAN/control"
    control.write_text(
        re.sub(r"^Version: .+$", "Version: 9.0-1", control.read_text(), flags=re.MULTILINE)
    )
    (code,) = tree.glob("usr/lib/livechat/lib/python3*/site-packages/livechat/__init__.py")
    code.write_text(re.sub('__version__ = ".+"', '__version__ = "9.0"', code.read_text()))
    code.with_name("py.typed").unlink()
    with (tree / "etc/livechat.conf").open("a") as conf:
        conf.write("# A default of another version.\n")
    made = directory / "next.deb"
    quickly = ("-Zgzip", "-z1")
    tool("dpkg-deb", "--root-owner-group", *quickly, "--build", str(tree), str(made))
    return made


def serve(root: Root) -> Enclosed:
    """Start the unit's command, as its user and in its environment."""
    unit = (root.path / UNIT).read_text()
    assert re.findall(r"^User=(.+)$", unit, re.MULTILINE) == [USER]
    (start,) = re.findall(r"^ExecStart=(.+)$", unit, re.MULTILINE)
    given = dict(
        word.split("=", 1)
        for line in re.findall(r"^Environment=(.+)$", unit, re.MULTILINE)
        for word in shlex.split(line)
    )
    (file,) = re.findall(r"^EnvironmentFile=-(.+)$", unit, re.MULTILINE)
    given |= environment_file.read(root.path / file.lstrip("/"))
    return Enclosed(root.command(shlex.split(start), USER, "/", given))


def test_lintian_finds_nothing_unexplained(package: Path) -> None:
    """Debian's own check has nothing to say, but for what is explained in lintian-overrides."""
    ran = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error,warning", package],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_package_makes_its_user(installed: Root) -> None:
    """The user is Debian's way of making one, and what only it may see nobody else can."""
    assert installed.run("id", "-nG", USER) == "livechat\n"
    assert "nologin" in installed.run("getent", "passwd", USER)
    stat = ("stat", "-c", "%A %U %G")
    assert installed.run(*stat, "/etc/livechat.conf") == "-rw-r----- root livechat\n"
    assert installed.run(*stat, str(STATE)) == "drwx------ livechat livechat\n"
    enabled = installed.path / "etc/systemd/system/multi-user.target.wants/livechat.service"
    assert enabled.is_symlink()
    installed.run("dpkg", "--verify", "livechat")
    program = installed.path / "usr/lib/livechat"
    assert not [
        str(each) for each in program.rglob("*")
        if each.is_file() and str(ROOT).encode() in each.read_bytes()
    ]  # fmt: skip


def test_systemd_accepts_the_units(installed: Root) -> None:
    """Systemd has nothing against them, nor against how open they are."""
    there = f"--root={installed.path}"
    units = (f"/{UNIT}", f"/{UNIT.replace('.service', '.socket')}")
    tool("systemd-analyze", "verify", there, *units)
    rated = tool("systemd-analyze", "security", there, "--offline=true", f"/{UNIT}")
    (exposure,) = re.findall(r"Overall exposure level for livechat.service: ([\d.]+)", rated)
    assert float(exposure) < 2


def test_command_before_the_first_start(installed: Root) -> None:
    """The command takes the service's options and directory, as the service's user."""
    said = installed.run("livechat", "check")
    assert f"--state {STATE}/state" in said
    assert "FAIL" not in said
    assert "it does not run" in said or "no livechat has run" in said


def test_the_service_chats_and_obeys_the_command(installed: Root, tmp_path: Path) -> None:
    """The service chats, and root can use the command as the service's user can."""
    with serve(installed) as running:
        said = installed.run("livechat", "check")
        assert "FAIL" not in said
        assert re.search(r"^ok +server", said, re.MULTILINE), said
        with Wscat(running, "r") as first, Wscat(running, "r") as second:
            first.says('{"message": "hi"}')
            assert first.hears(1) == second.hears(1) == [{"message": "hi"}]
            assert installed.run("livechat", "say", "r", "from here") == "#2\n"
            assert first.hears(2)[1] == {"message": "from here"}
        installed.run("livechat", "operator", "add", "ann", "--can", "*=moderate")
        installed.run("sh", "-c", "umask 077; livechat backup - >/root/livechat.tar")
        with tarfile.open(installed.path / "root/livechat.tar") as archive:
            assert {"livechat.sqlite3", "maps.sqlite3", "admin-password"} <= {*archive.getnames()}
        assert running.stop() == 0
    assert "plugin cache" not in running.log.text


def test_others_are_told(installed: Root) -> None:
    """A user who may not read the service's options learns what is missing, in one line."""
    said = installed.run("livechat", "key", "list", user="65534", code=1)
    assert said.count("\n") == 1
    assert "Permission denied" in said


def test_the_hook_hands_over_a_certificate(installed: Root, tmp_path: Path) -> None:
    """The hook hands over what certbot has, and the service takes it."""
    live = installed.path / "etc/letsencrypt/live/chat.example.org"
    live.mkdir(parents=True)
    tool(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-noenc", "-days", "90", "-subj", "/CN=chat.example.org"),
        *("-addext", "subjectAltName=DNS:chat.example.org"),
        *("-keyout", str(live / "privkey.pem"), "-out", str(live / "fullchain.pem")),
    )
    lineage = {"RENEWED_LINEAGE": "/etc/letsencrypt/live/chat.example.org"}
    hook = "/usr/share/doc/livechat/examples/certbot-hook"
    # Nothing runs here that systemctl could reload.
    (installed.path / "usr/local/bin/systemctl").symlink_to("/bin/true")
    installed.run("sh", hook, environment=lineage)
    (installed.path / "usr/local/bin/systemctl").unlink()
    conf = installed.path / "etc/livechat.conf"
    before = conf.read_text()
    conf.write_text(re.sub("^#(LIVECHAT_(?:CERT|PRIVATE))", r"\1", before, flags=re.MULTILINE))
    try:
        said = installed.run("livechat", "check")
        assert re.search(r"^ok +certificate +/etc/livechat/chain.pem", said, re.MULTILINE), said
        assert "FAIL" not in said
        with serve(installed) as running:
            trusted = ("--cacert", str(live / "fullchain.pem"))
            name = ("--connect-to", f"::localhost:{running.port}")
            tool("curl", "-sSf", *trusted, *name, "https://chat.example.org/healthz")
            assert running.stop() == 0
    finally:
        conf.write_text(before)


def test_an_upgrade_keeps_state_and_options(installed: Root, package: Path, tmp_path: Path) -> None:
    """State and options stay; what the new version has no more is gone."""
    install(installed, next_version(package, tmp_path))
    conf = installed.path / "etc/livechat.conf"
    assert conf.read_text().endswith("LIVECHAT_PORT=0\n")
    assert "another version" in conf.with_name("livechat.conf.dpkg-dist").read_text()
    assert installed.run("stat", "-c", "%A %U %G", "/etc/livechat.conf") == (
        "-rw-r----- root livechat\n"
    )
    assert not list((installed.path / "usr/lib/livechat").rglob("livechat/py.typed"))
    with serve(installed) as running:
        running.log.wait_for("livechat 9.0 is ready")
        assert [each["message"] for each in running.history("r/")] == ["hi", "from here"]
        assert "ann" in installed.run("livechat", "operator", "list")
        assert running.stop() == 0


def test_removing_keeps_options_and_state(installed: Root) -> None:
    """Options and state are there for another installation."""
    installed.install("apt-get", "-q", "-y", "remove", "livechat")
    assert not (installed.path / "usr/lib/livechat").exists()
    assert not (installed.path / UNIT).exists()
    assert (installed.path / "etc/livechat.conf").exists()
    assert (installed.path / "var/lib/livechat/state/livechat.sqlite3").exists()


def test_purging_keeps_only_the_user(installed: Root) -> None:
    """Only its user stays, and what was put beside its options."""
    installed.install("apt-get", "-q", "-y", "purge", "livechat")
    left = installed.run(
        *("find", "/", "-xdev", "-not", "-path", "/proc/*", "-not", "-path", "/root/*"),
        *("-not", "-path", "/sys/*", "-iname", "*livechat*"),
    )
    assert left.split() == ["/etc/livechat"]
    kept = {each.name for each in (installed.path / "etc/livechat").iterdir()}
    assert kept == {"chain.pem", "key.pem"}
    assert installed.run("id", "-nG", USER) == "livechat\n"
