"""How livechat is packaged."""

import re
import shutil
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
# Read, not imported: what the package needs is not there yet.
VERSION = re.findall(r'__version__ = "(.+)"', (ROOT / "livechat" / "__init__.py").read_text())[0]


class BuildWithData(build_py):
    """Copies the top-level templates/ and static/ into the built package."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for name in ("templates", "static"):
                target = Path(self.build_lib, "livechat", name)
                shutil.copytree(ROOT / name, target, dirs_exist_ok=True)


class BuildNative(build_ext):
    """Builds the native part; says so once if that cannot be done."""

    def run(self) -> None:
        super().run()
        if not self.is_built():
            self.warn(
                "livechat is installed without its native part, and works without it, slower: "
                "it takes a C compiler and Python's headers (on Debian: gcc, python3-dev)."
            )

    def is_built(self) -> bool:
        return all(Path(each).is_file() for each in self.get_outputs())


class Wheel(bdist_wheel):
    """A wheel for the limited API with the native part, or for any Python without it."""

    def run(self) -> None:
        self.run_command("build_ext")
        if not self.get_finalized_command("build_ext").is_built():
            self.distribution.ext_modules = []
            self.root_is_pure = True
        super().run()


setup(
    name="livechat",
    version=VERSION,
    description="A live chat server: rooms over WebSockets and HTTP, on one TLS port.",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The livechat authors",
    license="MIT",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    classifiers=[
        "Framework :: Twisted",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Topic :: Communications :: Chat",
        "Typing :: Typed",
    ],
    # "" must be mapped: an editable install puts the checkout on sys.path only then,
    # and without it twistd does not find the plugin.
    package_dir={"": "."},
    packages=[*find_packages(include=["livechat*"]), "twisted.plugins"],
    package_data={"livechat": ["py.typed"], "livechat.backends.redis": ["*.lua"]},
    zip_safe=False,
    ext_modules=[
        Extension(
            "livechat.net._fast",
            ["livechat/net/_fast.c", "livechat/net/_frames.c", "livechat/net/_turn.c"],
            depends=["livechat/net/_fast.h"],
            optional=True,
            py_limited_api=True,
            extra_compile_args=["-std=c11", "-O2", "-Wall", "-Wextra", "-fvisibility=hidden"],
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
    cmdclass={"build_ext": BuildNative, "build_py": BuildWithData, "bdist_wheel": Wheel},
    install_requires=[
        "argon2-cffi>=25.1",
        # Undocumented parts of these two are used; see docs/decisions.md, "The fast path".
        "autobahn>=26.10,<27",
        "cryptography>=46",
        "hiredis>=3",
        "humanize>=4.12",
        "jinja2>=3.1.6",
        "msgspec>=0.20",
        "prometheus-client>=0.22",
        "pyjwt>=2.10",
        "pyopenssl>=26.4,<27",
        "service-identity>=24.2",
        "twisted[tls]>=26.10",
        # Undocumented parts of it are used; see docs/decisions.md, "Rooms in Redis".
        "txredisapi>=1.6,<1.7",
        "zope.interface>=7",
    ],
    entry_points={"console_scripts": ["livechat = livechat.command.main:main"]},
    extras_require={
        "test": [
            "build",
            # Examples are for it.
            "django>=5.2,<7",
            "hypothesis",
            "jsonschema>=4.26",
            "mypy",
            "mypy-zope",
            "openapi-spec-validator>=0.9",
            "playwright>=1.58",
            "pytest>=9",
            "pytest-xdist>=3.8",
            "pyyaml",
            "ruff",
            "schemathesis>=4.32",
            # Builds the Python client's wheel without fetching itself again.
            "setuptools>=77",
            # Verifies what webhooks send, as their receivers do.
            "standardwebhooks>=1.1",
            "types-jsonschema",
            "websockets>=15",
        ],
    },
)
