"""`livechat.extensions`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from zope.interface import directlyProvides

from livechat.config import Config
from livechat.errors import StartError
from livechat.extensions import Extensions, installed, load
from livechat.interfaces import IBackend
from tests.support.modules import Write, writing

REACTOR: Any = MemoryReactorClock()
BACKEND = Mock(spec=list(IBackend.names()))
directlyProvides(BACKEND, IBackend)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes modules of a package ``acme``, which are gone after the test."""
    yield from writing(tmp_path, monkeypatch)


#: A module with an extension, and what every one below has.
HEAD = """
from zope.interface import implementer
from livechat.errors import StartError
from livechat.extensions import ExtensionBase, ListenerBase, PolicyBase, SubscriberBase
from livechat.interfaces import *
"""


def loaded(write: Write, text: str, *names: str, **given: str) -> Extensions:
    """Load *names* of a module, or ``Ours`` if none is given."""
    write("ours", HEAD + text)
    extension = [f"acme.ours.{name}" for name in names or ("Ours",)]
    return load(Config.of({"extension": extension, **given}, {}, Path("/")))


def refused(write: Write, text: str, *names: str) -> str:
    """The one line with which the start ends."""
    with pytest.raises(StartError) as caught:
        loaded(write, text, *names)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 1_000
    return line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Ours = 7", " is no extension: The object 7 has failed to implement"),
        ("class Ours: pass", " is no extension: The object <class 'acme.ours.Ours'>"),
        (
            "@implementer(IExtension)\nclass Ours: pass",
            "IExtension.authenticator(config) attribute was not provided",
        ),
        (
            "class Ours(ExtensionBase):\n  def policy(self): pass",
            "violated because 'Ours.policy()' doesn't allow enough arguments",
        ),
        (
            "class Ours(ExtensionBase):\n  def __init__(self, x): pass",
            ": cannot be made: TypeError: Ours.__init__() missing 1 required positional argument",
        ),
        (
            "class Ours(ExtensionBase):\n  def __init__(self): 1/0",
            ": cannot be made: ZeroDivisionError",
        ),
        (
            "class Ours(ExtensionBase):\n  def policy(self, config): 1/0",
            ": policy() failed: ZeroDivisionError: division by zero (",
        ),
        (
            "class Ours(ExtensionBase):\n  def policy(self, config): raise StartError('no\\nkey')",
            ": no key",
        ),
        (
            "class Ours(ExtensionBase):\n  def policy(self, config): return True",
            ": policy() returned True, which is not as IPolicy says",
        ),
        (
            "class Ours(ExtensionBase):\n  def authenticator(self, config): return self",
            ": authenticator() returned <acme.ours.Ours object at",
        ),
        (
            "class Ours(ExtensionBase):\n  def listeners(self, config): return None",
            ": listeners() returned None, no sequence",
        ),
        (
            "class Ours(ExtensionBase):\n  def listeners(self, config): return [print]",
            ": listeners() returned <built-in function print>, which is not as IListener says",
        ),
        (
            "class P(PolicyBase):\n  async def send(self, actor, draft): raise ValueError\n"
            "class Ours(ExtensionBase):\n  def policy(self, config): return P()",
            ": IPolicy.send() must not be async",
        ),
        (
            "class L(ListenerBase):\n  async def stored(self, room, message): pass\n"
            "class Ours(ExtensionBase):\n  def listeners(self, config): return [L()]",
            ": IListener.stored() must not be async",
        ),
        (
            "class Ours(ExtensionBase):\n  def subscribers(self, config): return [print]",
            ": subscribers() returned <built-in function print>, which is not as ISubscriber says",
        ),
        (
            "class S(SubscriberBase): name = 'two words'\n"
            "class Ours(ExtensionBase):\n  def subscribers(self, config): return [S()]",
            ": 'two words' can be no subscriber's name",
        ),
        (
            "class S(SubscriberBase): name = None\n"
            "class Ours(ExtensionBase):\n  def subscribers(self, config): return [S()]",
            ": None can be no subscriber's name",
        ),
        (
            "class S(SubscriberBase): name = 'twice'\n"
            "class Ours(ExtensionBase):\n  def subscribers(self, config): return [S(), S()]",
            ": there is a subscriber twice already",
        ),
        (
            "class S(SubscriberBase): kinds = ['message', 'gone']\n"
            "class Ours(ExtensionBase):\n  def subscribers(self, config): return [S()]",
            ": the kinds of subscriber must be of these: edited, ",
        ),
        (
            "class S(SubscriberBase): kinds = 'message'\n"
            "class Ours(ExtensionBase):\n  def subscribers(self, config): return [S()]",
            ": the kinds of subscriber must be of these: edited, ",
        ),
    ],
)
def test_a_broken_extension_is_one_line(write: Write, text: str, said: str) -> None:
    """Any fault of an extension is one line that says where and what."""
    line = refused(write, text)
    assert line.startswith("--extension acme.ours.Ours")
    assert said in line


def test_module_is_no_extension(write: Write) -> None:
    """A module's name is not enough."""
    write("ours", HEAD)
    with pytest.raises(StartError, match=r"^--extension acme.ours is no extension"):
        load(Config.of({"extension": ["acme.ours"]}, {}, Path("/")))


BACKENDS = """
from tests.test_extensions import BACKEND
class One(ExtensionBase):
  def backend(self, scheme, config, reactor): return BACKEND if scheme == "a" else None
class Two(One): pass
class Bad(ExtensionBase):
  def backend(self, scheme, config, reactor): return "a"
class Raises(ExtensionBase):
  def backend(self, scheme, config, reactor): raise StartError("it is away")
"""


@pytest.mark.parametrize(
    ("names", "url", "said"),
    [
        (["One"], "b:", r"^--backend: no extension brings the kind b:$"),
        ([], "b:", r"^--backend: no extension brings the kind b:$"),
        (
            ["One", "Two"],
            "a:x",
            r"^--backend: a: is brought by --extension acme.ours.One and by --ext.*Two$",
        ),
        (["Bad"], "a:", r"^--extension acme.ours.Bad: backend\(\) returned 'a', which is not as"),
        (["Raises"], "a:", r"^--extension acme.ours.Raises: it is away$"),
    ],
)
def test_rooms_have_exactly_one_backend(
    write: Write, names: list[str], url: str, said: str
) -> None:
    """Rooms are kept by exactly one backend."""
    write("ours", HEAD + BACKENDS)
    extension = [f"acme.ours.{name}" for name in names]
    found = load(Config.of({"extension": extension, "backend": url}, {}, Path("/")))
    with pytest.raises(StartError, match=said):
        found.backend(REACTOR)


def test_the_scheme_chooses_the_backend(write: Write) -> None:
    """The kind of the URL decides, and the extension that knows it reads the rest."""
    found = loaded(write, BACKENDS, "One", "Raises", backend="a://b")
    with pytest.raises(StartError, match="it is away"):
        found.backend(REACTOR)
    assert loaded(write, BACKENDS, "One", backend="a://b").backend(REACTOR) is BACKEND


RESOURCES = """
class One(ExtensionBase):
  def resources(self, chat): return {"/a": chat}
class Two(ExtensionBase):
  def resources(self, chat): return {"/b": 7}
class Again(One): pass
class Bad(ExtensionBase):
  def resources(self, chat): return {7: chat}
class Worse(ExtensionBase):
  def resources(self, chat): return None
"""


def test_resources_of_extensions_are_mounted(write: Write) -> None:
    """Resources of all extensions are mounted, each at a path of its own."""
    chat = object()
    assert loaded(write, RESOURCES, "One", "Two").resources(chat) == {"/a": chat, "/b": 7}
    with pytest.raises(StartError, match=r"Again: something is mounted at /a already$"):
        loaded(write, RESOURCES, "One", "Again").resources(chat)
    for name in ("Bad", "Worse"):
        with pytest.raises(StartError, match=r": resources\(\) returned .*, no mapping of paths$"):
            loaded(write, RESOURCES, name).resources(chat)


def test_an_extension_is_asked_once(write: Write) -> None:
    """An extension is a class or an object, is asked once, and keeps its place."""
    text = """
class P(PolicyBase): pass
class A:
    def authenticate(self, credentials): pass
class Ours(ExtensionBase):
    made = 0
    def __init__(self):
        type(self).made += 1
        self.number = self.made
    def policy(self, config):
        return P()
    def authenticator(self, config):
        return implementer(IAuthenticator)(A)()
    def listeners(self, config):
        return (ListenerBase(), ListenerBase())
ours = Ours()
"""
    found = loaded(write, text, "ours", "Ours")
    assert found.names == ["--extension acme.ours.ours", "--extension acme.ours.Ours"]
    assert (len(found.policies), len(found.listeners), len(found.authenticators)) == (2, 4, 2)


def test_without_extensions_none_are_loaded() -> None:
    """A livechat without extensions has none, whatever plugins of Twisted there are."""
    found = load(Config.of({}, {}, Path("/")))
    assert (found.names, found.policies, found.listeners, found.authenticators) == ([], [], [], [])
    assert found.resources(None) == {}


PLUGIN = "ours = Ours()\nalso = ours\n"
OURS = HEAD + "class Ours(ExtensionBase): pass\n"


@pytest.fixture
def plugins(write: Write, tmp_path: Path) -> Callable[[str, str], None]:
    """Writes modules of a package of plugins, ``acme.plugins``."""
    (tmp_path / "acme" / "plugins").mkdir()
    write("plugins/__init__", "")
    return lambda name, text: write(f"plugins/{name}", text)


def test_objects_are_plugins_and_classes_are_not(plugins: Write) -> None:
    """Objects are plugins; classes, and what is no extension, are not."""
    plugins("any_name", OURS + "one = Ours()\nother = 7\n")
    plugins("livechat_acme", "from acme.plugins.any_name import *\nan = one\n")
    names = [each.name for each in installed("acme.plugins")]
    assert names == [
        "the plugin acme.plugins.any_name.one",
        "the plugin acme.plugins.livechat_acme.an",
        "the plugin acme.plugins.livechat_acme.one",
    ]


def test_broken_plugin_of_ours(plugins: Write) -> None:
    """A plugin that is named after livechat must not be missing: no start without it."""
    plugins("livechat_acme", "1/0")
    with pytest.raises(StartError) as caught:
        list(installed("acme.plugins"))
    assert "livechat_acme.py cannot be imported: ZeroDivisionError" in str(caught.value)


def test_broken_plugin_of_others(plugins: Write) -> None:
    """A broken plugin of another program is a line in the log, and all others are loaded."""
    plugins("another", "raise SystemExit(3)")
    plugins("zz", OURS + "ours = Ours()")
    with capturedLogs() as logs:
        names = [each.name for each in installed("acme.plugins")]
    assert names == ["the plugin acme.plugins.zz.ours"]
    (line,) = (each["log_format"].format(**each) for each in logs)
    assert "another.py of Twisted cannot be imported" in line
    assert line.endswith("line 1)")
    assert "\n" not in line


def test_plugin_that_is_named_as_well(plugins: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """An extension that is found twice is loaded once."""
    plugins("livechat_acme", OURS + PLUGIN)
    monkeypatch.setattr("twisted.plugins.__name__", "acme.plugins")
    name = "acme.plugins.livechat_acme.ours"
    found = load(Config.of({"extension": [name]}, {}, Path("/")))
    assert found.names == [f"--extension {name}"]
