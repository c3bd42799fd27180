"""`livechat.net.fast`."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from OpenSSL import SSL
from OpenSSL._util import ffi

from livechat.net import _slow, fast
from tests.net.wires import native


def test_native_where_it_was_built() -> None:
    """Without a wish the part in C runs, whose names are those of the other."""
    part, why = fast.choose({})
    assert part is native()
    assert why is None
    assert {"Wire", "write_all"} <= vars(part).keys()


@pytest.mark.parametrize(("value", "pure"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_the_variable_takes_pure_python(value: str, pure: bool) -> None:
    """LIVECHAT_PURE=1 takes Python's."""
    part, why = fast.choose({"LIVECHAT_PURE": value})
    assert (part is _slow) is pure
    assert (why == "LIVECHAT_PURE is set") is pure


def test_without_the_native_part_python_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the native part the Python one is used, with the reason."""
    monkeypatch.setitem(sys.modules, "livechat.net._fast", None)
    assert fast.choose({}) == (_slow, "the native part was not built")


def test_a_native_part_of_another_machine_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A native part that cannot be loaded, as the file of another machine, is not used."""

    def load(_: str) -> None:
        raise ImportError("wrong ELF class")

    monkeypatch.setattr(fast, "import_module", load)
    assert fast.choose({}) == (_slow, "the native part cannot be loaded: wrong ELF class")


def test_a_native_part_of_another_release_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A native part that lacks a name, as an old build in a checkout does, is not used."""
    old = SimpleNamespace(Wire=object, take=None, turn=None, setup=lambda *_: None)
    monkeypatch.setitem(sys.modules, "livechat.net._fast", old)
    part, why = fast.choose({})
    assert part is _slow
    assert why is not None
    assert "write_all" in why


def test_another_declaration_is_never_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that is declared otherwise than the C part calls it is never called."""
    monkeypatch.setitem(fast._FUNCTIONS, "SSL_write", "long(*)(SSL *, void *, size_t)")
    part, why = fast.choose({})
    assert part is _slow
    assert why is not None
    assert "SSL_write is int(*)(SSL *, void *, int)" in why


@pytest.mark.parametrize(
    "ssl", [None, 0, 7, "SSL *", b"", ffi.NULL, ffi.new("char[]", 8), object()]
)
def test_an_object_that_is_no_ssl_has_no_address(ssl: Any) -> None:
    """Nothing but an SSL of pyOpenSSL has an address here, so none can be made up."""
    with pytest.raises(TypeError):
        fast.address(ssl)
    with pytest.raises(TypeError):
        native().Wire().attach(ssl)


def test_a_null_has_no_address() -> None:
    """Nor is there one at no address."""
    with pytest.raises(ValueError, match="no SSL"):
        native().Wire().attach(ffi.cast("SSL *", 0))


def test_an_ssl_has_its_address() -> None:
    """The address of an SSL is where it points to."""
    ssl = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)._ssl
    assert ffi.cast("SSL *", fast.address(ssl)) == ssl


@pytest.mark.parametrize(
    "given", [(), (None, 1, 1, 1, 1), (int, 1, 0, 1, 1), (int, 1, 1, 1), (int, 1, 1, 1, "1")]
)
def test_wrong_addresses_are_refused(given: tuple[Any, ...]) -> None:
    """Functions are not taken from nowhere; those that were given before stay."""
    part: Any = native()
    with pytest.raises((TypeError, ValueError)):
        part.setup(*given)


@pytest.mark.parametrize("value", [1, None, "yes"])
def test_flags_are_flags(value: object) -> None:
    """A flag of the C part is True or False."""
    wire: Any = native().Wire()
    with pytest.raises(TypeError):
        wire.ready = value


@pytest.mark.parametrize(
    ("why", "described"),
    [(None, "native"), ("it was not built", "in plain Python: it was not built")],
)
def test_operators_are_told_which_part_runs(
    monkeypatch: pytest.MonkeyPatch, why: str | None, described: str
) -> None:
    """Operators are told which part runs, and why."""
    monkeypatch.setattr(fast, "WHY_PURE", why)
    assert fast.described() == described
