"""
The files that pages use, here and on other sites, with their addresses.

All of them are read at start: another version that is installed meanwhile changes nothing.
They are bundled and compressed once, when the first one is asked for: no start waits for that.
No other file exists: no path of a request ever reaches the file system.

Each file has two addresses.  `/static/chat.js` stays for ever, as other sites' pages have it; a
browser asks each time whether it is still the same.  `/static/chat.3kX9v0aQ.js` has a digest of
the contents in its name, so a browser keeps it for a year, and does not ask.
"""

from __future__ import annotations

import gzip
import json
import mimetypes
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct

from livechat.http.response import Headers
from livechat.web import bundles

#: Bundles, and the scripts with which a page begins.  A bundle exports the first one's names.
_BUNDLES: Final = {
    "livechat.js": ("livechat.js",),
    "chat.js": ("chat.js", "embed.js"),
    "front.js": ("front.js",),
    "admin.js": ("admin.js",),
}
#: Modules that are imported later, but are part of the bundle.
_AT_ONCE: Final = ("texts-en.js",)
#: Modules in another one's chunk, as both are needed together.
_TOGETHER: Final = {"texts-en-more.js": "chat-rest.js"}
#: Style sheets that pages get as one.
_SHEETS: Final[Mapping[str, tuple[str, ...]]] = {"pages.css": ("livechat.css", "pages.css")}
#: Style sheets of the chat, which scripts contain: they need no requests that may fail.
_STYLES: Final[Mapping[str, tuple[str, ...]]] = {
    "chat-css.js": ("livechat.css", "chat.css"),
    "chat-rest-css.js": ("chat-rest.css",),
    "chat-launcher-css.js": ("launcher.css",),
}
#: Idle text in style sheets, and its replacement, in this order.
_IDLE: Final = (
    (re.compile(r"/\*.*?\*/", re.DOTALL), ""),
    (re.compile(r"\s+"), " "),
    (re.compile(r" ?([{};,>]) ?"), r"\1"),
    (re.compile(r": (?=[^{}]*[;}])"), ":"),
    (re.compile(r";}"), "}"),
)
#: Media types where Python's own are wrong: it takes .ts for a video.
_MEDIA_TYPES: Final = {".ts": "text/plain"}
#: Characters of a digest in a name.
_DIGEST: Final = 8
_VERSIONED: Final = re.compile(rf"([\w-]+)\.[\w-]{{{_DIGEST}}}\.(\w[\w.]*)")

_CHECKED: Final = ("Cache-Control", "no-cache")
_KEPT: Final = ("Cache-Control", "public, max-age=31536000, immutable")


class Form(Struct, frozen=True):
    """The bytes of a file, as they are or compressed."""

    body: bytes
    tag: str
    headers: Headers = ()


class File(Struct, frozen=True):
    """A file, by one of its addresses."""

    media_type: str
    plain: Form
    compressed: Form
    caching: tuple[str, str] = _CHECKED


class _Made(NamedTuple):
    named: Mapping[str, File]
    newest: Mapping[str, str]


class Files:
    """The files, bundled and compressed when one is first asked for, in any thread."""

    def __init__(self, bodies: dict[str, bytes]) -> None:
        """
        @param bodies: contents, by name.
        """
        self._bodies = bodies

    @cached_property
    def _made(self) -> _Made:
        return _Reading(dict(self._bodies)).files()

    @property
    def named(self) -> Mapping[str, File]:
        """The files, by the name in the address."""
        return self._made.named

    @property
    def newest(self) -> Mapping[str, str]:
        """The names that have a digest, by those that have none."""
        return self._made.newest

    def get(self, name: str) -> File | None:
        """Find a file by the name in an address; None if there is none."""
        if found := self.named.get(name):
            return found
        # The name may be another version's, of an open page or another process.
        versioned = _VERSIONED.fullmatch(name)
        return self.named.get(f"{versioned[1]}.{versioned[2]}") if versioned else None


@cache
def read(directory: Path) -> Files:
    """
    Read the files in the folders of *directory*, by their names, which are unique.

    A link that leads out of its folder is left out.
    """
    bodies = {
        path.name: path.read_bytes()
        for path in directory.glob("*/*")
        if path.is_file() and not (path.is_symlink() and _leads_out(path))
    }
    return Files(bodies)


def _leads_out(link: Path) -> bool:
    return link.resolve().parent != link.parent.resolve()


class _Reading:
    """Turns contents into served files; a file follows those that it names."""

    def __init__(self, bodies: dict[str, bytes]) -> None:
        self._bodies = bodies
        for name, parts in _SHEETS.items():
            if all(part in bodies for part in parts):
                bodies[name] = b"\n".join(bodies[part] for part in parts)
        for name, parts in _STYLES.items():
            texts = {part: small(bodies[part].decode()) for part in parts if part in bodies}
            if texts:
                bodies[name] = f"export const STYLES = {json.dumps(texts)};\n".encode()
        self._sources = {
            name: body.decode() for name, body in bodies.items() if name.endswith(".js")
        }
        self._named: dict[str, File] = {}
        self._newest: dict[str, str] = {}

    def files(self) -> _Made:
        for entries in _BUNDLES.values():
            if all(entry in self._sources for entry in entries):
                self._bundle(entries)
        for name, body in self._bodies.items():
            self._named.setdefault(name, _file(name, body))
            if name not in self._newest:
                self._keep(name, body)
        return _Made(self._named, self._newest)

    def _bundle(self, entries: tuple[str, ...]) -> None:
        first, *others = entries
        there = bundles.modules_of(self._sources, entries)
        at_once = [name for name in bundles.later(self._sources, there) if name in _AT_ONCE]
        there = bundles.modules_of(self._sources, [*there, *at_once])
        chunks = self._chunks(bundles.plan(self._sources, there))
        text = bundles.bundle(self._sources, [first, *others, *at_once], chunks)
        address = self._keep(first, text.encode())
        self._name(first, bundles.facade(self._sources, first, address))
        for entry in others:
            self._name(entry, bundles.facade(self._sources, entry, address))
            # Pages of this version load the whole bundle in one request.
            self._keep(entry, (text + bundles.take(entry, ())).encode())

    def _chunks(self, plan: dict[str, list[str]]) -> dict[str, str]:
        """Make the chunks of a bundle, and return the addresses of the modules they are for."""
        addresses: dict[str, str] = {}
        for name, added in plan.items():
            if _TOGETHER.get(name) in plan:
                continue
            others = [other for other in plan if _TOGETHER.get(other) == name]
            modules = [*(each for other in others for each in plan[other]), *added]
            text = bundles.chunk(self._sources, modules, addresses)
            # A chunk must fit the bundle's modules that it imports, so its address covers them.
            needs = bundles.modules_of(self._sources, [*others, name])
            parts = [text, *(self._sources[each] for each in needs)]
            stamp = _digest("".join(parts).encode())[:_DIGEST]
            text = bundles.stamped(text, stamp)
            known = self._named.get(name)
            if known and known.plain.body != text.encode():
                raise ValueError(f"{name} is another chunk in each of two bundles.")
            # Pages of another version ask for other digests, and find this chunk.
            self._name(name, text)
            address = self._keep(name, text.encode(), stamp)
            addresses |= dict.fromkeys([name, *others], address)
        return addresses

    def _name(self, name: str, text: str) -> None:
        self._named[name] = _file(name, text.encode())

    def _keep(self, name: str, body: bytes, stamp: str = "") -> str:
        """Give a file the address that changes with its contents."""
        stem, _, suffix = name.partition(".")
        address = f"{stem}.{stamp or _digest(body)[:_DIGEST]}.{suffix}"
        self._named[address] = _file(name, body, _KEPT)
        self._newest[name] = address
        return address


def small(style: str) -> str:
    """A style sheet without comments and idle space; `clients/js/build.mjs` does the same."""
    for idle, left in _IDLE:
        style = idle.sub(left, style)
    return style.strip()


def _file(name: str, body: bytes, caching: tuple[str, str] = _CHECKED) -> File:
    media_type = _MEDIA_TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0]
    media_type = media_type or "application/octet-stream"
    if media_type.startswith("text/"):
        media_type += "; charset=utf-8"
    tag = _digest(body)
    plain = Form(body, f'"{tag}"')
    smaller = _compressed(body)
    if len(smaller) >= len(body):
        return File(media_type, plain, plain, caching)
    gzipped = Form(smaller, f'"{tag}-gzip"', (("Content-Encoding", "gzip"),))
    return File(media_type, plain, gzipped, caching)


@cache
def _compressed(body: bytes) -> bytes:
    """Compress once for all addresses of a file."""
    return gzip.compress(body, mtime=0)


def _digest(body: bytes) -> str:
    return urlsafe_b64encode(sha256(body).digest()[:12]).decode()
