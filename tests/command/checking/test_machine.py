"""`livechat.command.checking.machine`."""

from __future__ import annotations

import os
import resource
import socket
from pathlib import Path

import pytest

from livechat.command.checking import machine
from livechat.net import fast
from tests.command.checking.looking import config, wrong


@pytest.mark.parametrize(
    ("hard", "most", "expected"),
    [
        (1_000, 10_000, ["FAIL"]), (1_000, 900, []), (1_000, 0, []),
        (resource.RLIM_INFINITY, 10_000, []),
    ],
)  # fmt: skip
def test_too_few_open_files_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard: int, most: int, expected: list[str]
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, hard))
    found = machine.open_files(config(tmp_path, f"--max-connections={most}"))
    assert [state for _, state in wrong([found])] == expected


def test_a_missing_native_part_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without the native part works, at twice the cost."""
    monkeypatch.setattr(fast, "WHY_PURE", None)
    assert wrong([machine.fast_path()]) == []
    monkeypatch.setattr(fast, "WHY_PURE", "the native part was not built")
    found = machine.fast_path()
    assert wrong([found]) == [("fast path", "warn")]
    assert "not built" in found.text


def test_more_workers_than_processors_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More workers than processors are told; so are figures that are on a disk."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    here = {"RUNTIME_DIRECTORY": str(tmp_path)}

    def found(count: int, environment: dict[str, str]) -> list[tuple[str, str]]:
        given = config(tmp_path, "--redis=redis://h", f"--workers={count}")
        return wrong(machine.workers(given, environment))

    assert found(1, here) == []
    assert found(2, here) == []
    assert found(3, here) == [("workers", "warn")]
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert found(2, {}) == [("workers", "warn")]


def test_ports_that_cannot_be_taken_are_told(tmp_path: Path) -> None:
    """A taken port, an address of no interface and a missing directory are told."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = list(machine.ports(config(tmp_path, f"--port={port}")))
    assert wrong(found) == [("port", "FAIL")]
    assert "ss -ltnp" in found[0].cure
    found = list(machine.ports(config(tmp_path, "--interface=203.0.113.7", "--port=0")))
    assert wrong(found) == [("port", "FAIL")]
    assert "ip address" in found[0].cure
    assert wrong(machine.ports(config(tmp_path, "--port=0"))) == []
    listen = f"--listen=unix:{tmp_path}/none/chat.sock"
    assert wrong(machine.ports(config(tmp_path, listen))) == [("port", "FAIL")]
    assert wrong(machine.ports(config(tmp_path, f"--listen=unix:{tmp_path}/chat.sock"))) == []
    assert list(tmp_path.iterdir()) == []


def test_an_extension_that_cannot_be_imported_is_told(tmp_path: Path) -> None:
    """An extension that cannot be imported is told, as it stops the start."""
    options = ["--extension=no.such.thing", "--mount=/x=no.such.thing", "--mount=/y=os.path.join"]
    found = wrong(machine.brought(config(tmp_path, *options)))
    assert found == [("extension", "FAIL")] * 2
