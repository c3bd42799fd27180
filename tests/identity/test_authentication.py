"""`livechat.identity.authentication`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from zope.interface import implementer

from livechat.errors import ChatError, Kind
from livechat.identity.authentication import TIMEOUT, Authentication
from livechat.interfaces import Credentials, IAuthenticator, Identity
from livechat.protocol.messages import User
from livechat.system.time import Time
from tests.support.outcomes import kind, result

REQUEST = Credentials({}, "192.0.2.1", proxied=False)


def wall() -> float:
    """Now, in seconds since 1970."""
    return 1_790_000_000.0


@implementer(IAuthenticator)
class Answering:
    """Answers each request with what *answer* makes."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self.answer = answer
        self.asked = 0

    def authenticate(self, credentials: Credentials) -> Any:
        self.asked += 1
        return self.answer()


def asked(*answers: Callable[[], Any], clock: Clock | None = None) -> Deferred[User | None]:
    authentication = Authentication(
        [Answering(each) for each in answers], Time(clock or Clock(), wall)
    )

    async def user() -> User | None:
        found = await authentication.user(REQUEST)
        return None if found is None else found.user

    return Deferred.fromCoroutine(user())


def raising(error: Exception) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer


async def stubborn(never: Deferred[None]) -> Identity | None:
    """Waits for *never*, and takes no notice of being cancelled."""
    while True:
        try:
            await never
        except CancelledError:
            never = Deferred()


@pytest.mark.parametrize(
    "answer",
    [
        raising(ZeroDivisionError()),
        lambda: fail(ZeroDivisionError()),
        lambda: "42",
        lambda: True,
        lambda: User("42", "Ann"),
        lambda: Identity(42),  # type: ignore[arg-type]
        lambda: Identity("42", 42),  # type: ignore[arg-type]
        lambda: Identity(""),
        lambda: Identity("a b"),
        lambda: Identity("a\tb"),
        lambda: Identity("a!"),
        lambda: Identity("x" * 65),
        lambda: Identity("!operator"),
    ],
)
def test_broken_authenticator(answer: Callable[[], Any]) -> None:
    """Any fault of an authenticator fails that one client, without telling it details."""
    with capturedLogs() as logs:
        assert kind(asked(answer)) is Kind.INTERNAL
    assert [each["log_level"] for each in logs] == [LogLevel.critical]


def test_failures_do_not_fill_the_log() -> None:
    """A thousand failures in a moment are one line."""
    authentication = Authentication([Answering(raising(ValueError()))], Time(Clock(), wall))
    with capturedLogs() as logs:
        for _ in range(1_000):
            assert kind(Deferred.fromCoroutine(authentication.user(REQUEST))) is Kind.INTERNAL
    assert len(logs) == 1


def test_a_refusal_is_told_and_nobody_else_asked() -> None:
    """An authenticator's own refusal is what the client is told; nobody else is asked."""
    answer = raising(ChatError(Kind.FORBIDDEN, "Sign in first."))
    second = Answering(lambda: Identity("42"))
    authentication = Authentication([Answering(answer), second], Time(Clock(), wall))
    with capturedLogs() as logs:
        assert kind(Deferred.fromCoroutine(authentication.user(REQUEST))) is Kind.FORBIDDEN
    assert second.asked == 0
    assert logs == []


@pytest.mark.parametrize("answer", [Deferred, lambda: stubborn(Deferred())])
def test_a_slow_authenticator_is_not_waited_for(answer: Callable[[], Any]) -> None:
    """An authenticator that takes too long is not waited for, even if it cannot be cancelled."""
    clock = Clock()
    waiting = asked(answer, clock=clock)
    clock.advance(TIMEOUT - 0.1)
    assert not waiting.called
    clock.advance(0.1)
    assert kind(waiting) is Kind.UNAVAILABLE
    assert not clock.getDelayedCalls()


def test_too_slow_is_no_guest() -> None:
    """A client whose authenticator gives up when cancelled is turned away all the same."""

    async def lenient() -> None:
        try:
            await Deferred()
        except CancelledError:
            return

    clock = Clock()
    waiting = asked(lenient, clock=clock)
    clock.advance(TIMEOUT)
    assert kind(waiting) is Kind.UNAVAILABLE


def test_a_client_that_has_gone_is_not_asked_about() -> None:
    """A client that has gone is no longer asked about."""
    clock = Clock()
    cancelled: list[object] = []
    waiting = asked(lambda: Deferred(cancelled.append), clock=clock)
    waiting.addErrback(lambda _: None)
    waiting.cancel()
    assert len(cancelled) == 1
    assert not clock.getDelayedCalls()


async def coroutine() -> Identity:
    return Identity("42", "Ann")


@pytest.mark.parametrize(
    "answer",
    [
        lambda: Identity("42", "Ann"),
        lambda: succeed(Identity("42", "Ann")),
        coroutine,
    ],
)
def test_the_first_authenticator_that_knows_is_heard(answer: Callable[[], Any]) -> None:
    """An authenticator answers at once, or later, as it likes; the first that knows is heard."""
    clock = Clock()
    assert result(asked(lambda: None, answer, clock=clock)) == User("42", "Ann", verified=True)
    assert not clock.getDelayedCalls()


@pytest.mark.parametrize(
    ("known_as", "name", "shown"),
    [
        ("42", " Ann\n", "Ann"),
        ("ann@example.org", None, "ann@example.org"),
        ("42", "\u202e", "42"),
        ("x" * 64, "", "x" * 40),
        ("42", "0perator", "42"),
        ("admin", "admin", "user-admin"),
    ],
)
def test_names_of_a_site_are_cleaned(known_as: str, name: str | None, shown: str) -> None:
    """A site's names are cleaned, and never an operator's."""
    found = result(asked(lambda: Identity(known_as, name)))
    assert found == User(known_as, shown, verified=True)
    assert found.role is None


def test_a_client_whom_nobody_knows_is_a_guest() -> None:
    """A client whom nobody knows is a guest."""
    assert result(asked(lambda: None, lambda: succeed(None))) is None
    assert Authentication([Answering(lambda: None)], Time(Clock(), wall))
    assert not Authentication([], Time(Clock(), wall))


def test_a_header_has_one_value() -> None:
    """A header has one value: a client that adds its own to the proxy's is refused."""
    seen = Credentials({"x-user": ("ann", "bob"), "x-one": ("1",)}, "::1", proxied=True)
    assert (seen.header("X-One"), seen.header("X-None")) == ("1", None)
    with pytest.raises(ChatError) as caught:
        seen.header("X-User")
    assert caught.value.kind is Kind.BAD_REQUEST
