"""The state directory: its permissions, its databases, and the disk that it is on."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from livechat.command.checking.findings import Finding, doubtful, ill
from livechat.config import Config
from livechat.daemon.permissions import exposed
from livechat.net.certificates import Certificate

#: Seconds by which clocks may differ.
CLOCK: Final = 10.0
#: Bytes up to which a database is read as a whole; of a larger one the head is read.
LARGEST_READ: Final = 512 << 20
#: Bytes, and shares of the disk, below which it is nearly full; and below which it is full.
LITTLE: Final = 500_000_000
LITTLE_PART: Final = 0.03
NOTHING: Final = 20_000_000
#: File systems on which SQLite's locks do not hold, and those that a boot empties.
ELSEWHERE: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs"})
IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
#: SQLite's number of ``auto_vacuum = INCREMENTAL``.
_INCREMENTAL: Final = 2
#: Files whose times show if the clock was set back.
_WRITTEN: Final = ("livechat.sqlite3", "livechat.sqlite3-wal", "maps.sqlite3", "operators.json")
#: A certificate without files, for directories without one.
_NOWHERE: Final = Certificate(
    Path("/nonexistent"), Path("/nonexistent"), (), datetime.max.replace(tzinfo=UTC), True
)


def files(config: Config, certificate: Certificate | None) -> Iterator[Finding]:
    """Check that the directory can be used, and by nobody else."""
    state = config.state
    if not state.exists():
        parent = next(each for each in state.parents if each.exists())
        if _is_writable(parent):
            yield Finding("files", "ok", f"{state} is made at the start")
        else:
            cure = f"make it for livechat's user: install -d -m 700 -o livechat {state}"
            yield ill("files", f"{state} cannot be made in {parent}", cure)
        return
    if not _is_writable(state):
        cure = f"run this as livechat's user; or chown livechat {state}, and see that the disk is"
        yield ill("files", f"{state} is no directory that can be written", f"{cure} writable")
        return
    # A missing certificate has no key to check.
    lines = exposed(config, certificate or _NOWHERE)
    for each in lines:
        text, _, cure = each.rpartition("; ")
        yield ill("files", text, cure)
    if not lines:
        yield Finding("files", "ok", f"nobody else can use the files in {state}")
    yield from _access_log(config)


def _access_log(config: Config) -> Iterator[Finding]:
    path = config.access_log
    # The daemon's own log is no path.
    if path is not None and path.is_absolute():
        there = path if path.exists() else path.parent
        if not os.access(there, os.W_OK) or path.is_dir():
            yield ill(
                "files",
                f"--access-log: {path} cannot be written",
                f"make its directory, and let livechat's user write there: {path.parent}",
            )


def _is_writable(directory: Path) -> bool:
    return directory.is_dir() and os.access(directory, os.W_OK | os.X_OK)


def disk(config: Config) -> Iterator[Finding]:
    """Check that the disk has room, and is of a kind that will do."""
    about = "disk"
    there = next(each for each in (config.state, *config.state.parents) if each.exists())
    found = os.statvfs(there)
    free, size = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    text = f"{free / 1e9:,.1f} of {size / 1e9:,.1f} GB are left where {config.state} is"
    cure = "make room, or lower --history-limit or --history-age; du -sh there says what takes it"
    if free < NOTHING or (found.f_files and not found.f_favail):
        yield ill(about, text, cure)
    elif free < LITTLE or free < LITTLE_PART * size:
        yield doubtful(about, text, cure)
    else:
        yield Finding(about, "ok", text)
    kind = file_system(there)
    if kind in ELSEWHERE:
        text = f"{config.state} is on {kind}, where a lock does not keep a second process out"
        yield doubtful(about, text, "move it to a disk of this machine (--state)")
    elif kind in IN_MEMORY and not (config.redis or config.backend):
        text = f"{config.state} is in memory ({kind}): the next boot loses all rooms"
        yield doubtful(about, text, "move it to a disk (--state)")


def file_system(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """The kind of the file system that *path* is on; empty where the system does not tell."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return ""
    real, best, kind = path.resolve(), "", ""
    for line in lines:
        # man 5 proc: the mount point is the fifth field, the kind the first behind a dash.
        before, _, after = line.partition(" - ")
        point = before.split()[4].replace("\\040", " ")
        if len(point) >= len(best) and real.is_relative_to(point):
            best, kind = point, after.split()[0]
    return kind


def databases(config: Config) -> Iterator[Finding]:
    """Check that the embedded databases are whole."""
    if config.redis or config.backend:
        return
    names = ("livechat.sqlite3",) if config.without_maps else ("livechat.sqlite3", "maps.sqlite3")
    for name in names:
        path = config.state / name
        if path.exists():
            yield _database(path)


def _database(path: Path) -> Finding:
    about = "database"
    stop = f"stop livechat; bring a backup back (livechat restore), or move {path.name} away:"
    lost = "rooms begin anew" if path.name.startswith("livechat") else "operators and keys are gone"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as opened:
            opened.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            vacuum = opened.execute("PRAGMA auto_vacuum").fetchone()[0]
            whole = path.stat().st_size <= LARGEST_READ
            found = opened.execute("PRAGMA quick_check(1)").fetchone()[0] if whole else "ok"
    except sqlite3.DatabaseError as reason:
        if isinstance(reason, sqlite3.OperationalError):
            cure = "run this as livechat's user; if it is that already, see to the disk"
            return ill(about, f"{path} cannot be read: {reason}", cure)
        return ill(about, f"{path} is broken: {reason}", f"{stop} {lost}")
    if found != "ok":
        return ill(about, f"{path} is broken: {found}", f"{stop} {lost}")
    if vacuum != _INCREMENTAL and path.name.startswith("livechat"):
        return doubtful(
            about,
            f"{path} keeps its size, whatever is removed: an earlier version has made it",
            f'stop livechat; sqlite3 {path} "PRAGMA auto_vacuum = INCREMENTAL; VACUUM;"',
        )
    return Finding(about, "ok", f"{path} is whole" if whole else f"{path} can be read")


def clock(config: Config, now: float | None = None, names: Sequence[str] = _WRITTEN) -> Finding:
    """Check that the time is later than that of files that were written."""
    now = time.time() if now is None else now
    shown = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    newest = 0.0
    for name in names:
        path = config.state / name
        if path.exists():
            newest = max(newest, path.stat().st_mtime)
    if newest > now + CLOCK:
        text = f"{shown} is {int(newest - now)} s before {config.state} was written"
        return ill(
            "clock",
            text,
            "set it: timedatectl set-ntp true; touch the files if their times are wrong",
        )
    return Finding("clock", "ok", shown)
