"""
Finds and loads other people's code (`livechat.interfaces.IExtension`).

An extension is a plugin of Twisted, or has a name that ``--extension`` gives.  Whatever is wrong
with one while it is loaded is a `StartError`, one line: a server whose policy is missing must not
run.  What raises later is caught where it is asked: `livechat.rooms.policy`,
`livechat.identity.authentication`, `livechat.rooms.listeners`, `livechat.events.subscriptions`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from msgspec import Struct
from twisted.logger import Logger
from twisted.plugin import IPlugin
from twisted.python.modules import PythonModule, getModule
from zope.interface import Interface, Invalid, implementer
from zope.interface.verify import verifyObject

import twisted.plugins
from livechat.config import Config
from livechat.dotted_names import explained, find, one_line
from livechat.errors import StartError
from livechat.interfaces import (
    IActor,
    IAuthenticator,
    IBackend,
    IExtension,
    IListener,
    IPolicy,
    ISubscriber,
)
from livechat.protocol.events import KINDS, Event
from livechat.protocol.messages import Draft, Edited, Message, Retracted, Retraction, User

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

T = TypeVar("T")

#: How the file of a plugin is named that must not be missing.
PREFIX: Final = "livechat_"
#: Plugins of Twisted and Autobahn, without extensions: to import them takes a tenth of a start.
_NOT_OURS: Final = frozenset(
    {
        *("cred_anonymous", "cred_file", "cred_memory", "cred_sshkeys", "cred_unix"),
        *(f"twisted_{each}" for each in ("conch", "core", "ftp", "inet", "mail", "names")),
        *(f"twisted_{each}" for each in ("portforward", "reactors", "runner", "socks", "trial")),
        *("twisted_web", "twisted_words"),
        *("autobahn_endpoints", "autobahn_twistd"),
    }
)
#: Name of a subscriber.
_SUBSCRIBER: Final = re.compile(r"[A-Za-z0-9-]{1,40}", re.ASCII)

_log = Logger(namespace="livechat")


@implementer(IPlugin, IExtension)
class ExtensionBase:
    """An extension that adds nothing: override what yours adds."""

    def authenticator(self, config: Config) -> IAuthenticator | None:
        return None

    def policy(self, config: Config) -> IPolicy | None:
        return None

    def listeners(self, config: Config) -> Sequence[IListener]:
        return ()

    def subscribers(self, config: Config) -> Sequence[ISubscriber]:
        return ()

    def resources(self, chat: Any) -> Mapping[str, Any]:
        return {}

    def backend(self, scheme: str, config: Config, reactor: PosixReactorBase) -> IBackend | None:
        return None


@implementer(IPolicy)
class PolicyBase:
    """A policy that refuses nothing: override what yours refuses."""

    def join(self, actor: IActor, room: str) -> None:
        pass

    def read(self, actor: IActor, room: str) -> None:
        pass

    def send(self, actor: IActor, draft: Draft) -> None:
        pass

    def moderate(self, actor: IActor, retraction: Retraction) -> None:
        pass


@implementer(IListener)
class ListenerBase:
    """A listener that does nothing: override what yours listens to."""

    def stored(self, room: str, message: Message) -> None:
        pass

    def amended(self, room: str, event: Edited | Retracted) -> None:
        pass

    def joined(self, room: str, user: User) -> None:
        pass

    def left(self, room: str, user: User) -> None:
        pass


@implementer(ISubscriber)
class SubscriberBase:
    """A subscriber to all that happens: give yours a name, and override `events`."""

    name = "subscriber"
    kinds: Collection[str] | None = None

    def events(self, batch: Sequence[Event]) -> Awaitable[None] | None:
        return None


class Named(Struct, frozen=True):
    """
    An extension.

    @ivar name: where it was found, for people.
    """

    name: str
    extension: IExtension

    def ask(self, method: str, *given: object) -> Any:
        """
        Call a method of the extension, and return its result.

        @raise StartError: the method raises.
        """
        asked: Callable[..., Any] = getattr(self.extension, method)
        try:
            return asked(*given)
        except StartError as reason:
            raise StartError(f"{self.name}: {one_line(str(reason))}") from None
        except Exception as error:  # noqa: BLE001 - somebody else's code may raise anything
            raise StartError(f"{self.name}: {method}() failed: {explained(error)}") from None

    def several(self, method: str, *given: object) -> Sequence[Any]:
        """
        Ask a method of the extension, which must return a sequence, and return that.

        @raise StartError: the method raises, or returns none.
        """
        found = self.ask(method, *given)
        if not isinstance(found, Sequence):
            raise StartError(f"{self.name}: {method}() returned {_shown(found)}, no sequence")
        return found

    def check(self, given: object, interface: type[Interface], method: str) -> None:
        """
        @raise StartError: *method* has returned something else than *interface* says.
        """
        try:
            verifyObject(interface, given)
        except Invalid as reason:
            raise StartError(
                f"{self.name}: {method}() returned {_shown(given)}, which is not as"
                f" {interface.__name__} says: {one_line(str(reason))}"
            ) from None


class Extensions:
    """
    The extensions that were found, and their additions.

    @ivar names: where it was found.
    @ivar authenticators: in the order in which they are asked.
    """

    def __init__(self, found: Sequence[Named], config: Config) -> None:
        """
        @raise StartError: an extension is broken.
        """
        self._found = found
        self._config = config
        self.names = [each.name for each in found]
        self.authenticators: list[IAuthenticator] = []
        self.policies: list[IPolicy] = []
        self.listeners: list[IListener] = []
        self.subscribers: list[ISubscriber] = []
        for each in found:
            self._take(each)

    def _take(self, each: Named) -> None:
        authenticator = each.ask("authenticator", self._config)
        if authenticator is not None:
            each.check(authenticator, IAuthenticator, "authenticator")
            self.authenticators.append(authenticator)
        policy = each.ask("policy", self._config)
        if policy is not None:
            each.check(policy, IPolicy, "policy")
            _check_blocking(each, policy, IPolicy)
            self.policies.append(policy)
        for listener in each.several("listeners", self._config):
            each.check(listener, IListener, "listeners")
            _check_blocking(each, listener, IListener)
            self.listeners.append(listener)
        for subscriber in each.several("subscribers", self._config):
            each.check(subscriber, ISubscriber, "subscribers")
            _check_subscriber(each, subscriber, self.subscribers)
            self.subscribers.append(subscriber)

    def resources(self, chat: Any) -> dict[str, Any]:
        """
        The web resources of all, by the path that each is mounted at.

        @raise StartError: one is none, or two are for one path.
        """
        # Of HTTP nothing is known here, and where there is no extension nothing is imported.
        resources: dict[str, Any] = {}
        for each in self._found:
            given = each.ask("resources", chat)
            if not isinstance(given, Mapping) or not all(isinstance(path, str) for path in given):
                raise StartError(
                    f"{each.name}: resources() returned {_shown(given)}, no mapping of paths"
                )
            for path, resource in given.items():
                if path in resources:
                    raise StartError(f"{each.name}: something is mounted at {path} already")
                resources[path] = resource
        return resources

    def backend(self, reactor: PosixReactorBase) -> IBackend:
        """
        The backend that ``config.backend`` asks for, not started yet.

        @raise StartError: no extension brings that kind, or two do.
        """
        scheme = str(self._config.backend).partition(":")[0]
        given: dict[str, IBackend] = {}
        for each in self._found:
            backend = each.ask("backend", scheme, self._config, reactor)
            if backend is not None:
                each.check(backend, IBackend, "backend")
                given[each.name] = backend
        if len(given) > 1:
            raise StartError(f"--backend: {scheme}: is brought by {' and by '.join(given)}")
        if not given:
            raise StartError(f"--backend: no extension brings the kind {scheme}:")
        return next(iter(given.values()))


def load(config: Config) -> Extensions:
    """
    Load the extensions that *config* names, and those that are installed.

    @raise StartError: one is broken.
    """
    found: dict[int, Named] = {}
    for name in config.extension:
        each = _named(name)
        found.setdefault(id(each.extension), each)
    for each in installed(twisted.plugins.__name__):
        found.setdefault(id(each.extension), each)
    return Extensions(list(found.values()), config)


def _named(name: str) -> Named:
    """The extension that a dotted name means, which may be its class."""
    option = "--extension"
    found = find(name, option)
    shown = f"{option} {name}"
    made: Any = found
    if isinstance(found, type) and IExtension.implementedBy(found):
        try:
            made = made()
        except Exception as error:  # noqa: BLE001 - somebody else's code may raise anything
            raise StartError(f"{shown}: cannot be made: {explained(error)}") from None
    try:
        verifyObject(IExtension, made)
    except Invalid as reason:
        raise StartError(f"{shown} is no extension: {one_line(str(reason))}") from None
    return Named(shown, made)


def installed(package: str) -> Iterator[Named]:
    """
    The extensions among the plugins of Twisted, by the names of their files.

    `twisted.plugin.getPlugins` would only log the traceback of a plugin that cannot be imported.
    Here a file that is named after livechat stops the start; another one is likely of another
    program, and is a line in the log.

    @param package: where plugins are.
    """
    for module in sorted(getModule(package).iterModules(), key=lambda each: each.name):
        if module.name.rpartition(".")[2] in _NOT_OURS:
            continue
        file = module.filePath.path
        try:
            names = vars(_imported(module))
        except StartError as reason:
            if module.name.rpartition(".")[2].startswith(PREFIX):
                raise StartError(f"the plugin {file} cannot be imported: {reason}") from None
            _log.warn(
                "The plugin {file} of Twisted cannot be imported, so no extension in it is"
                " loaded: {reason}",
                file=file,
                reason=reason,
            )
            continue
        for name, value in sorted(names.items()):
            if _is_plugin(value):
                yield Named(f"the plugin {module.name}.{name}", value)


def _imported(module: PythonModule) -> object:
    try:
        return module.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a module may raise anything
        raise StartError(explained(error)) from None


def _is_plugin(value: object) -> bool:
    return not isinstance(value, type) and (
        IPlugin.providedBy(value) and IExtension.providedBy(value)
    )


def _shown(given: object) -> str:
    return one_line(repr(given))


def _check_subscriber(each: Named, given: ISubscriber, others: Sequence[ISubscriber]) -> None:
    """
    @raise StartError: the name of *given* is none or another's, or its kinds are none.
    """
    name, kinds = given.name, given.kinds
    if not isinstance(name, str) or not _SUBSCRIBER.fullmatch(name):
        raise StartError(f"{each.name}: {_shown(name)} can be no subscriber's name")
    if any(other.name == name for other in others):
        raise StartError(f"{each.name}: there is a subscriber {name} already")
    if kinds is not None and (isinstance(kinds, str) or not KINDS.issuperset(kinds)):
        known = ", ".join(sorted(KINDS))
        raise StartError(f"{each.name}: the kinds of {name} must be of these: {known}")


def _check_blocking(each: Named, given: object, interface: type[Interface]) -> None:
    """
    A coroutine would run later, or never: a policy made of them would refuse nothing.

    @raise StartError: a method of *given* is one.
    """
    for method in interface.names(all=True):
        asked = inspect.unwrap(getattr(given, method))
        if inspect.iscoroutinefunction(asked) or inspect.isasyncgenfunction(asked):
            raise StartError(f"{each.name}: {interface.__name__}.{method}() must not be async")
