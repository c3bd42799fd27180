"""
A plugin of pytest: the C part that the tests use is the one in the file ``SANITIZED``.

It is built here as well, with AddressSanitizer and UndefinedBehaviorSanitizer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Final

#: The variable that names the file for the plugin.
VARIABLE: Final = "SANITIZED"
#: The compiler that Debian has; its libraries are those of `preloaded`.
_COMPILER: Final = "gcc"
_FLAGS: Final = (
    "-shared", "-fPIC", "-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror",
    "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
)  # fmt: skip


def build(directory: Path, made: Path) -> None:
    """Compile the sources in *directory*, which must cause no warning."""
    include = sysconfig.get_paths()["include"]
    sources = map(str, sorted(directory.glob("_*.c")))
    command = (_COMPILER, *_FLAGS, f"-I{include}", "-o", str(made), *sources)
    subprocess.run(command, check=True)


def environment(made: Path) -> dict[str, str]:
    """Return the environment in which Python runs with *made*, and the first fault ends it."""
    return {
        **os.environ,
        VARIABLE: str(made),
        # The program itself is not built with it.
        "LD_PRELOAD": " ".join(map(_library, ("libasan.so", "libubsan.so"))),
        # Python frees little at its end.
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        # In memory that Python keeps for itself nothing would be noticed.
        "PYTHONMALLOC": "malloc",
    }


def _library(name: str) -> str:
    asked = (_COMPILER, f"-print-file-name={name}")
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


def pytest_configure() -> None:
    """Load the file before anything imports the C part."""
    name, path = "livechat.net._fast", os.environ[VARIABLE]
    spec = spec_from_file_location(name, path, loader=ExtensionFileLoader(name, path))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[name] = module
