"""`livechat.rooms.policy`, and where `livechat.rooms.chat` asks it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import pytest
from msgspec import structs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.identity.rights import ALL_RIGHTS, EVERYWHERE, USERS_RIGHTS, Right
from livechat.interfaces import IPolicy
from livechat.members.base import JoinRequest
from livechat.members.plain import PlainSession
from livechat.members.session import Session
from livechat.protocol.encoding import Encoding
from livechat.protocol.messages import Draft, Place
from livechat.rooms.history import Window
from livechat.rooms.policy import LOG_EVERY, Policy
from livechat.system.time import Time
from tests.support import (
    ADMIN,
    ANN,
    HANDSHAKE,
    Port,
    RecordingClient,
    RecordingSink,
    World,
    guest,
    kind,
    make_free_rules,
    result,
    run,
)

DRAFT = Draft("r", "hi")


class Extra:
    """A policy of an extension: does what it is told for what it is told."""

    def __init__(self, does: Callable[[], Any], *questions: str) -> None:
        self.does = does
        self.questions = questions
        self.asked: list[tuple[Any, ...]] = []

    def __getattr__(self, question: str) -> Any:
        def answer(*about: Any) -> Any:
            self.asked.append((question, *about))
            return self.does() if not self.questions or question in self.questions else None

        return answer


def policies(*extra: Extra) -> list[IPolicy]:
    return cast("list[IPolicy]", [*extra])


def policy(*extra: Extra, clock: Clock | None = None) -> Policy:
    return make_free_rules(Time(clock or Clock()), *policies(*extra)).policy


def gives(answer: Any) -> Callable[[], Any]:
    return lambda: answer


def refuse() -> None:
    raise ChatError(Kind.FORBIDDEN, "Not on Sundays.")


def without(*rights: Right, actor: Actor = ANN) -> Actor:
    """Another client without these rights."""
    had = ALL_RIGHTS if actor.kind == "operator" else USERS_RIGHTS
    return structs.replace(actor, grants={EVERYWHERE: had - {*rights}}, rights={})


def raised(call: Callable[[], Any]) -> ChatError:
    with pytest.raises(ChatError) as caught:
        call()
    return caught.value


def test_a_missing_right_is_named() -> None:
    """A missing right is refused by name, and no extension is asked."""
    extra = Extra(lambda: None)
    rules = policy(extra)
    for call in (
        lambda: rules.join(without("join"), "r"),
        lambda: rules.read(without("history"), "r"),
        lambda: rules.send(without("send"), DRAFT),
        lambda: rules.require(ANN, "r", "manage"),
    ):
        assert raised(call).kind is Kind.UNAUTHORIZED
    assert extra.asked == []


def test_each_extension_may_refuse() -> None:
    """Extensions are asked in order; the client gets the first refusal's reason."""
    calm, strict, late = Extra(lambda: None), Extra(refuse), Extra(lambda: None)
    error = raised(lambda: policy(calm, strict, late).send(ANN, DRAFT))
    assert (error.kind, error.detail) == (Kind.FORBIDDEN, "Not on Sundays.")
    assert calm.asked == [("send", ANN, DRAFT)]
    assert late.asked == []


def test_what_extensions_are_asked() -> None:
    """Joining, watching and reading a room, and what is about to be sent."""
    extra = Extra(lambda: None)
    rules = policy(extra)
    rules.join(ANN, "r")
    rules.read(ANN, "r")
    rules.send(ANN, DRAFT)
    rules.require(ADMIN, "r", "manage")
    assert extra.asked == [("join", ANN, "r"), ("read", ANN, "r"), ("send", ANN, DRAFT)]


class BrokenPolicyTest(SynchronousTestCase):
    """A broken policy is logged, and refuses its own call without giving a reason."""

    def test_a_policy_that_raises_refuses(self) -> None:
        error = raised(lambda: policy(Extra(lambda: 1 // 0)).send(ANN, DRAFT))
        assert error.kind is Kind.INTERNAL
        assert "zero" not in error.detail
        assert len(self.flushLoggedErrors(ZeroDivisionError)) == 1

    def test_raises_each_time(self) -> None:
        """The log is not filled; each call is refused all the same."""
        clock = Clock()
        broken = policy(Extra(lambda: 1 // 0), clock=clock)
        for _ in range(1_000):
            assert raised(lambda: broken.send(ANN, DRAFT)).kind is Kind.INTERNAL
        assert len(self.flushLoggedErrors(ZeroDivisionError)) == 1
        clock.advance(LOG_EVERY)
        assert raised(lambda: broken.send(ANN, DRAFT)).kind is Kind.INTERNAL
        assert len(self.flushLoggedErrors(ZeroDivisionError)) == 1

    def test_refuses_without_a_kind(self) -> None:
        def nonsense() -> None:
            raise ChatError(cast("Any", "no"), "No.")

        assert raised(lambda: policy(Extra(nonsense)).join(ANN, "r")).kind is Kind.INTERNAL
        assert len(self.flushLoggedErrors(AttributeError)) == 1

    def test_returns_nonsense(self) -> None:
        """A return value that might mean a refusal is neither that nor consent."""
        events: list[LogEvent] = []
        remember = cast("ILogObserver", events.append)
        globalLogPublisher.addObserver(remember)
        self.addCleanup(globalLogPublisher.removeObserver, remember)
        answers: tuple[Any, ...] = (False, True, Deferred(), "no")
        for rules in [policy(Extra(gives(each))) for each in answers]:
            assert raised(partial(rules.send, ANN, DRAFT)).kind is Kind.INTERNAL
        assert len(events) == 4
        assert all("not None" in event["log_format"] for event in events)


def test_what_each_method_needs(world: World) -> None:
    """Without the right to it, nothing happens."""
    chat, client, sink = world.chat, RecordingClient(), RecordingSink()
    for needs, does in {
        "join": (
            lambda actor: chat.join(actor, "r", client),
            lambda actor: chat.watch(actor, "r", sink),
            lambda actor: chat.place(actor, "r"),
            lambda actor: chat.overview.room(actor, "r"),
        ),
        "history": (lambda actor: chat.history(actor, "r", Window()),),
        "manage": (chat.overview.rooms, chat.overview.reports),
    }.items():
        for each in does:
            call: Any = each
            lacking = without(cast("Right", needs), actor=ADMIN)
            assert kind(Deferred.fromCoroutine(call(lacking))) is Kind.FORBIDDEN
    mute, blind = without("send"), without("history")
    assert raised(lambda: chat.send(mute, "r", "x")).kind is Kind.UNAUTHORIZED
    assert raised(lambda: chat.types(mute, "r")).kind is Kind.UNAUTHORIZED
    assert raised(lambda: chat.replay(blind, "r", client)).kind is Kind.UNAUTHORIZED
    assert raised(lambda: chat.who(without("join"), "r")).kind is Kind.UNAUTHORIZED
    assert world.hub.members("r") == 0


def test_shape_and_rates_come_before_rights(make_world: Callable[..., World]) -> None:
    """Shape, then rates, then rights: no right is told to one who floods."""
    world = make_world(rate=1)
    mute = without("send", actor=guest("Ann", rate=1))
    assert raised(lambda: world.chat.send(mute, "r", "x" * 20_000)).kind is Kind.MESSAGE_TOO_LONG
    for expected in (Kind.UNAUTHORIZED, Kind.UNAUTHORIZED, Kind.RATE_LIMITED):
        assert raised(lambda: world.chat.send(mute, "r", "x")).kind is expected


def test_a_refused_message_is_not_stored(make_world: Callable[..., World]) -> None:
    """A refused message is not stored; the next one is."""
    extra = Extra(refuse, "send")
    world = make_world(policies=policies(extra))
    assert raised(lambda: world.chat.send(ANN, "r", "x")).kind is Kind.FORBIDDEN
    extra.questions = ("join",)
    assert result(world.chat.send(ANN, "r", "y")).seq == 1
    assert extra.asked[-1][2].message == "y"


def v1(world: World, since: Place | None = None) -> tuple[RecordingClient, Session]:
    client = RecordingClient()
    client.encoding = Encoding.V1
    asked = JoinRequest("r", Encoding.V1, since=since)
    session = Session(world.chat, world.clock, ANN, asked, client)
    run(session.open())
    return client, session


def told(world: World, client: RecordingClient) -> list[Any]:
    world.hub.flush()
    return [json.loads(frame) for frame in client.frames()]


def test_a_refused_resume_leaves_the_member_live(make_world: Callable[..., World]) -> None:
    """A refused resume is answered once, then the member is live: docs/protocol.md, Resume."""
    world = make_world(policies=policies(Extra(refuse, "read")))
    result(world.chat.send(ANN, "r", "missed"))
    epoch = run(world.chat.place(ANN, "r")).epoch
    client, session = v1(world, since=Place(epoch, 0))
    forbidden = {"type": "resumed", "complete": False, "reason": "forbidden"}
    result(world.chat.send(ANN, "r", "live"))
    hello, answer, message = told(world, client)
    assert (hello["type"], answer, message["message"]) == ("hello", forbidden, "live")
    session.text_received(json.dumps({"type": "resume", "epoch": epoch, "seq": 0}).encode())
    result(world.chat.send(ANN, "r", "still"))
    answer, message = told(world, client)
    assert (answer, message["message"]) == (forbidden, "still")


def test_a_refused_page_keeps_the_member(make_world: Callable[..., World]) -> None:
    """A refused page of history is an error, and the member stays."""
    world = make_world(policies=policies(Extra(refuse, "read")))
    client, session = v1(world)
    told(world, client)
    session.text_received(b'{"type":"history"}')
    (error,) = told(world, client)
    assert (error["type"], error["error"]["code"]) == ("error", "forbidden")


def test_refused_typing_is_told_to_its_client(make_world: Callable[..., World]) -> None:
    """A client that may not send is told so, and others hear nothing."""
    world = make_world()
    client, session = v1(world)
    told(world, client)
    session._actor = without("send")
    session.text_received(b'{"type":"typing"}')
    assert [frame["type"] for frame in told(world, client)] == ["error"]


def test_a_plain_client_that_may_not_read(make_world: Callable[..., World]) -> None:
    """A plain client that may not read gets an error frame, and is live."""
    world = make_world(policies=policies(Extra(refuse, "read")))
    result(world.chat.send(ANN, "r", "missed"))
    client = RecordingClient()
    run(PlainSession(world.chat, world.clock, ANN, JoinRequest("r", history=5), client).open())
    result(world.chat.send(ANN, "r", "live"))
    error, message = told(world, client)
    assert error["error"]["code"] == "forbidden"
    assert message == {"message": "live"}


def test_a_room_that_may_not_be_entered(make_world: Callable[..., World]) -> None:
    """The handshake is refused with the reason."""
    port = Port(make_world(policies=policies(Extra(refuse, "join"))))
    answer = port.ask("GET", "/ws/chat/r/", **HANDSHAKE)
    assert (answer.status, answer.code()) == (403, "forbidden")
    assert port.ask("GET", "/chat/events/r/").status == 403
    assert port.world.hub.members("r") == 0


def test_a_history_that_may_not_be_read(make_world: Callable[..., World]) -> None:
    """The request is refused with the reason."""
    port = Port(make_world(policies=policies(Extra(refuse, "read"))))
    answer = port.ask("GET", "/chat/history/r/")
    assert (answer.status, answer.code()) == (403, "forbidden")
