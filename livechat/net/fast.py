"""
The loops that a chat server spends its time in, in C where that was built, else in Python.

    `_fast`   C, for the limited API of Python; links with no OpenSSL
    `_slow`   the same names in Python, which also say what they promise

The C part calls pyOpenSSL's OpenSSL, at addresses that are looked up here.  Where it was not
built, or its names or OpenSSL's functions are not the expected ones, Python takes its place;
so it does with ``LIVECHAT_PURE=1``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.bindings._rust import _openssl
from OpenSSL._util import ffi as _ffi

from livechat.net import _slow

#: OpenSSL's functions that the C part calls, as it declares them.
_FUNCTIONS: Final = {
    "SSL_write": "int(*)(SSL *, void *, int)",
    "SSL_read": "int(*)(SSL *, void *, int)",
    "SSL_get_error": "int(*)(SSL *, int)",
    "ERR_clear_error": "void(*)(void)",
}
#: The names of both parts.
_NAMES: Final = ("Wire", "take", "turn", "write_all")

__all__ = [
    "WHY_PURE", "Wire", "address", "choose", "described", "set_up", "take", "turn", "write_all",
]  # fmt: skip


def address(ssl: Any) -> int:
    """
    Return where *ssl* points to.

    @raise TypeError: this is no ``SSL *`` of pyOpenSSL.
    """
    if not isinstance(ssl, _ffi.CData) or _ffi.typeof(ssl) is not _ffi.typeof("SSL *"):
        raise TypeError(f"{ssl!r} is no SSL *")
    return int(_ffi.cast("uintptr_t", ssl))


def choose(environment: Mapping[str, str]) -> tuple[ModuleType, str | None]:
    """
    Choose the part that runs.

    @return: it, and why it is not the native one.
    """
    if environment.get("LIVECHAT_PURE", "0") not in {"", "0"}:
        return _slow, "LIVECHAT_PURE is set"
    try:
        native = import_module("livechat.net._fast")
    except ModuleNotFoundError:
        return _slow, "the native part was not built"
    except ImportError as reason:
        return _slow, f"the native part cannot be loaded: {reason}"
    try:
        set_up(native)
    except (AttributeError, TypeError, ValueError) as reason:
        return _slow, f"the native part does not fit: {reason}"
    return native, None


def described() -> str:
    """Say which part runs."""
    return "native" if WHY_PURE is None else f"in plain Python: {WHY_PURE}"


def set_up(native: Any) -> None:
    """
    Give *native* the functions of pyOpenSSL's OpenSSL.

    @raise AttributeError: it has not all names, or OpenSSL has not.
    @raise TypeError: a function is not as it is declared.
    """
    for name in _NAMES:
        getattr(native, name)
    addresses = []
    for name, declared in _FUNCTIONS.items():
        function = _ffi.addressof(_openssl.lib, name)
        if _ffi.typeof(function) is not _ffi.typeof(declared):
            raise TypeError(f"{name} is {_ffi.typeof(function).cname}")
        addresses.append(int(_ffi.cast("uintptr_t", function)))
    native.setup(address, *addresses)


_CHOICE: Final = choose(os.environ)
#: Why the native part does not run; None if it does.
WHY_PURE: Final = _CHOICE[1]

if TYPE_CHECKING:
    from livechat.net._slow import Wire, take, turn, write_all
else:
    Wire = _CHOICE[0].Wire
    take = _CHOICE[0].take
    turn = _CHOICE[0].turn
    write_all = _CHOICE[0].write_all
