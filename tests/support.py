"""Doubles for what is outside the core, and the core put together on them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode

from argon2 import PasswordHasher
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.python.failure import Failure
from zope.interface import implementer

from livechat.backends.retention import Retention
from livechat.backends.sqlite.backend import SqliteBackend
from livechat.backends.sqlite.database import Store
from livechat.errors import ChatError, Kind
from livechat.http.access_log import AccessLog
from livechat.http.connection import Channel, HttpFactory
from livechat.http.response import Headers
from livechat.identity.guests import passer_by
from livechat.identity.operators import Operators
from livechat.identity.passwords import Password
from livechat.interfaces import IClient, ISink
from livechat.limits.rates import Connections, Rate
from livechat.limits.source import Source
from livechat.members.backpressure import Patience
from livechat.members.event_stream import Feeds
from livechat.members.websocket import SocketFactory
from livechat.net.certificates import Certificate, Shown
from livechat.net.proxies import Proxies
from livechat.net.tls_port import CLOSING
from livechat.protocol.v1 import Encoding
from livechat.protocol.wire import Message, wire_limit
from livechat.rooms.chat import Chat
from livechat.rooms.hub import Hub
from livechat.web import tree
from livechat.web.monitors import Access
from livechat.web.server import Limit, Server

T = TypeVar("T")

ANN = passer_by("Ann")
FOREVER = Retention(0, 0)
#: The default of --max-unsent.
MAX_UNSENT = 1_048_576
PASSWORD = "correct horse battery staple"
#: Hashes passwords in no time.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
CERTIFICATE = Certificate(
    chain=Path("livechat.crt"),
    key=Path("livechat.key"),
    names=("localhost", "chat.example"),
    expires=datetime(2030, 1, 31, tzinfo=UTC),
    self_signed=True,
)


def result(deferred: Deferred[T]) -> T:
    """What *deferred* has fired with; it must have."""
    outcome: list[T | Failure] = []
    deferred.addBoth(outcome.append)
    assert outcome, "the Deferred has not fired"
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    return outcome[0]


def run(coroutine: Any) -> Any:
    """What *coroutine* returns; it must not have to wait."""
    return result(Deferred.fromCoroutine(coroutine))


def kind(deferred: Deferred[Any]) -> Kind:
    """What *deferred* was refused with; it must have been."""
    outcome: list[Any] = []
    deferred.addBoth(outcome.append)
    assert outcome, "the Deferred has not fired"
    assert isinstance(outcome[0], Failure), f"it was not refused: {outcome[0]}"
    error = outcome[0].value
    assert isinstance(error, ChatError), error
    return error.kind


class Lane:
    """A lane of threads, without threads: runs its calls at once, or when told to."""

    def __init__(self, held: bool = False) -> None:
        self.held = held
        self._waiting: list[tuple[Deferred[Any], Callable[[], Any]]] = []
        self._done: list[tuple[Deferred[Any], Any]] = []
        self.running = False

    def start(self) -> None:
        self.running = True

    def call(self, f: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Deferred[Any]:
        if not self.held:
            return maybeDeferred(f, *args, **kwargs)
        deferred: Deferred[Any] = Deferred()
        self._waiting.append((deferred, lambda: f(*args, **kwargs)))
        return deferred

    def work(self) -> None:
        """Run what waits; whoever waits for it is not told yet."""
        waiting, self._waiting = self._waiting, []
        for deferred, f in waiting:
            try:
                self._done.append((deferred, f()))
            except Exception:  # noqa: BLE001
                self._done.append((deferred, Failure()))

    def step(self) -> None:
        """Run what waits, but not what that sets going, and tell those who wait."""
        self.work()
        done, self._done = self._done, []
        for deferred, result in done:
            deferred.callback(result)

    def busy(self) -> bool:
        return bool(self._waiting or self._done)

    def stop(self) -> None:
        self.running = False


@implementer(ISink)
class RecordingSink:
    """Remembers what was delivered."""

    def __init__(self) -> None:
        self.delivered: list[tuple[str, str, Message]] = []

    def deliver(self, room: str, epoch: str, messages: Sequence[Message]) -> None:
        self.delivered += [(room, epoch, message) for message in messages]

    def texts(self, room: str) -> list[str]:
        return [message.message for where, _, message in self.delivered if where == room]


@implementer(IClient)
class RecordingClient:
    """Remembers what was written to it."""

    encoding = Encoding.PLAIN

    def __init__(self) -> None:
        self.data = b""
        self.flood: str | None = None
        self.aborted = False
        self.refused: ChatError | None = None
        self.reads = True
        self._drained: list[Deferred[None]] = []

    def write(self, frames: bytes) -> None:
        self.data += frames

    def write_soon(self, frames: bytes) -> None:
        self.write(frames)

    def drained(self) -> Deferred[None]:
        if self.reads:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._drained.append(waiting)
        return waiting

    def read(self) -> None:
        """Read what has gathered, once."""
        drained, self._drained = self._drained, []
        for each in drained:
            each.callback(None)

    def turn_away(self, error: ChatError) -> None:
        self.refused = error

    def abort(self) -> None:
        self.aborted = True

    def flooded(self, reason: str) -> None:
        self.flood = reason

    def frames(self) -> list[bytes]:
        """The payloads of the text frames written so far, which are then forgotten."""
        payloads = []
        data, self.data = self.data, b""
        while data:
            opcode, payload, data = server_frame(data)
            assert opcode == 1
            payloads.append(payload)
        return payloads


def server_frame(data: bytes) -> tuple[int, bytes, bytes]:
    """The first unmasked, whole frame in *data*: opcode, payload, and what comes after."""
    assert data[0] & 0x80, "not the last frame of its message"
    size, start = data[1], 2
    if size == 126:
        size, start = int.from_bytes(data[2:4], "big"), 4
    elif size == 127:
        size, start = int.from_bytes(data[2:10], "big"), 10
    assert len(data) >= start + size, "half a frame"
    return data[0] & 0x0F, data[start : start + size], data[start + size :]


def client_frame(
    payload: bytes, opcode: int = 1, *, fin: bool = True, mask: bytes = b"\x01\x02\x03\x04"
) -> bytes:
    """A masked frame as a client sends it (RFC 6455, section 5.2)."""
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 1 << 16:
        head += b"\xfe" + size.to_bytes(2, "big")
    else:
        head += b"\xff" + size.to_bytes(8, "big")
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return head + mask + masked


#: Seconds of a turn of `TurnClock`.
TURN = 1.0


class TurnClock(Clock):
    """A clock on which "at once" is the next turn, and a turn is `TURN`."""

    def callLater(self, delay: float, callable: Any, *args: Any, **kw: Any) -> Any:  # noqa: A002
        return super().callLater(delay + TURN, callable, *args, **kw)


class PromptBackend(SqliteBackend):
    """Waits for no turn of the reactor to end, for tests that are not about turns."""

    def _gather(self, before: int, turns: int, until: float) -> None:
        self._write_group()
        if isinstance(self._sink, Hub):
            self._sink.flush()


class World:
    """
    The core, on a clock and threads that tests move.

    What is sent is stored and delivered at once, unless its writer is *held*.
    """

    def __init__(
        self,
        directory: Path,
        *,
        retention: Retention = FOREVER,
        held: bool = False,
        rate: float = 0,
        rate_per_ip: float = 0,
        max_message: int = 16_384,
    ) -> None:
        self.rate = Rate.of(rate)
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self._ahead = 1_790_000_000.0 - 1_000_000
        self.store = Store(directory, retention, lambda: self.wall, self.clock.seconds)
        self.store.prepare()
        self.writer, self.readers = Lane(held), Lane()
        made = SqliteBackend if held else PromptBackend
        self.backend = made(self.store, self.clock, self.writer, self.readers)
        self.hub = Hub(self.clock, self.clock.seconds)
        self.operators = Operators(
            directory / "operators.json",
            self.clock,
            lambda: self.wall,
            hashing=Lane(),
            saving=Lane(),
            lasts=3_600,
            hasher=CHEAP,
        )
        self.operators.load(Password(PASSWORD, "a test"))
        self.chat = Chat(
            self.backend,
            self.hub,
            self.clock,
            lambda: self.wall,
            max_message=max_message,
            default_room="lobby",
            rate=rate,
            rate_per_ip=rate_per_ip,
        )
        self.backend.start(self.hub, lambda: self.chat.report("here/1", 0, 0), self.chat.presence)

    @property
    def wall(self) -> float:
        """The wall clock, which goes on with the other one, and can be set."""
        return self.clock.seconds() + self._ahead

    @wall.setter
    def wall(self, seconds: float) -> None:
        self._ahead = seconds - self.clock.seconds()

    def source(self, address: str) -> Source:
        """A new connection from *address*."""
        return Source(address, self.rate)

    def turn(self) -> None:
        """End the reactor's turn, and let those pass that come of it."""
        self.clock.advance(0)

    def write(self) -> None:
        """Let the writer do what it was given in the turns so far."""
        self.turn()
        self.writer.step()
        self.turn()

    def close(self) -> None:
        self.writer.held = False
        self.write()
        stopped = self.backend.stop()
        self.clock.advance(60)
        result(stopped)


class Port:
    """The port's connections, on transports in memory."""

    def __init__(
        self,
        world: World,
        *,
        origins: Iterable[str] = (),
        most: int = 0,
        most_per_address: int = 0,
        access: AccessLog | None = None,
        headers: Headers = (),
        proxies: Iterable[str] = (),
        names: Iterable[str] = ("*",),
        monitors: Access | None = None,
    ) -> None:
        self.world = world
        self.wires: list[Wire] = []
        limit = wire_limit(world.chat.max_message)
        self.connections = Connections(most, most_per_address)
        self.patience = Patience(world.clock, max_frame=limit, max_unsent=MAX_UNSENT)
        self.sockets = SocketFactory(world.chat, world.clock, self.patience, max_frame=limit)
        self.feeds = Feeds(world.chat, world.clock, self.patience)
        server = Server(
            started=world.clock.seconds(),
            connections=self.connections,
            backend="a test's",
            shown=Shown(CERTIFICATE),
            limits=(Limit("Message", "16,384 bytes", "--max-message"),),
        )
        self.factory = HttpFactory(
            world.clock,
            tree=tree(
                world.chat,
                feeds=self.feeds,
                operators=world.operators,
                server=server,
                clock=world.clock,
                now=lambda: world.wall,
                origins=frozenset(origins),
                promises=lambda: headers,
                names=lambda: tuple(names),
                monitors=monitors or Access(),
            ),
            sockets=self.sockets,
            rate=world.rate,
            connections=self.connections,
            max_body=limit,
            access=access or AccessLog(None),
            proxies=Proxies(map(ip_network, proxies)),
        )

    def connect(self, address: str = "192.0.2.1") -> Wire:
        """A new connection from *address*; it must be let in."""
        channel = self.factory.buildProtocol(IPv4Address("TCP", address, 50_000))
        assert channel is not None
        self.wires.append(Wire(channel, self.world.clock))
        return self.wires[-1]

    def ask(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        /,
        *,
        _from: str = "192.0.2.1",
        **headers: str,
    ) -> Answer:
        """One request on a connection of its own."""
        wire = self.connect(_from)
        wire.send(request(method, target, body, **headers))
        answer = wire.answer(method)
        wire.hang_up()
        return answer

    def socket(self, room: str = "r", *, early: bytes = b"") -> Wire:
        """An open WebSocket; *early* is sent in one piece with its handshake."""
        wire = self.connect()
        wire.send(request("GET", f"/ws/chat/{room}/", **HANDSHAKE) + early)
        assert wire.answer("GET").status == 101
        return wire


class Browser:
    """An operator's browser: it keeps its cookie, and sends the tokens of forms."""

    def __init__(self, port: Port, address: str = "192.0.2.1") -> None:
        self.port = port
        self.address = address
        self.cookie = ""
        self.token = ""

    def headers(self) -> dict[str, str]:
        return {"Cookie": self.cookie, "Sec_Fetch_Site": "same-origin"}

    def get(self, target: str) -> Answer:
        return self._keep(self.port.ask("GET", target, **self.headers()))

    def post(self, target: str, /, **form: str) -> Answer:
        """Send the form of the page that was seen last."""
        return self.send(target, urlencode({"token": self.token} | form).encode())

    def send(self, target: str, body: bytes, **headers: str) -> Answer:
        media = {"Content_Type": "application/x-www-form-urlencoded", "Origin": "null"}
        return self._keep(
            self.port.ask(
                "POST", target, body, **({**self.headers(), **media, **headers}), _from=self.address
            )
        )

    def _keep(self, answer: Answer) -> Answer:
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
        found = re.findall(r'name="token" value="(\w+)"', answer.body.decode())
        if found:
            self.token = found[0]
        return answer

    def sign_in(self, password: str = PASSWORD, **form: str) -> Answer:
        self.get("/admin/sign-in/")
        return self.post("/admin/sign-in/", password=password, **form)

    def events(self, target: str, **headers: str) -> Wire:
        """A connection on which events come."""
        wire = self.port.connect()
        wire.send(request("GET", target, **self.headers(), **headers))
        return wire


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def code(self) -> str:
        """The code of the problem that this is."""
        assert self.headers["content-type"] == "application/problem+json"
        problem = self.json()
        assert problem["status"] == self.status
        assert problem["title"]
        assert problem["detail"]
        return str(problem["code"])


HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def request(method: str, target: str, body: bytes = b"", /, **headers: str) -> bytes:
    """A request's bytes; underscores in headers' names are dashes, a header of "" is left out."""
    given = {"Host": "localhost:10443"} | {k.replace("_", "-"): v for k, v in headers.items()}
    if body or method == "POST":
        given.setdefault("Content-Length", str(len(body)))
    lines = [f"{method} {target} HTTP/1.1", *(f"{k}: {v}" for k, v in given.items() if v)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class _Transport(StringTransportWithDisconnection):
    """
    A transport as `livechat.net.tls` has them, whose peer does not hang up by itself,
    and may read slowly.

    @ivar full: whether the peer does not read; as real transports do, this one
        says so to its producer at each write.
    """

    aborted = False
    full = False

    def __init__(self, clock: Clock) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", "192.0.2.1", 50_000))
        self._clock = clock
        self._cut: IDelayedCall | None = None

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.full and self.producer is not None:
            self.producer.pauseProducing()

    def writeSequence(self, pieces: Iterable[bytes]) -> None:
        self.write(b"".join(pieces))

    def abortConnection(self) -> None:
        self.aborted = True
        self.loseConnection()

    def loseConnection(self) -> None:
        if not self.disconnecting:
            self.disconnecting = True
            self._cut = self._clock.callLater(CLOSING, self.abortConnection)

    def gone(self) -> None:
        """The peer hung up."""
        self.connected = False
        if self._cut is not None and self._cut.active():
            self._cut.cancel()

    def setTcpNoDelay(self, enabled: bool) -> None:
        """There is no delay here."""


class Wire:
    """The client's end of a connection."""

    def __init__(self, channel: Channel, clock: Clock) -> None:
        self.channel = channel
        self._clock = clock
        self.transport = _Transport(clock)
        # Where the real one has it, and a WebSocket puts itself.
        self.transport.protocol = channel
        channel.makeConnection(self.transport)

    @property
    def protocol(self) -> Any:
        """What speaks on this connection now."""
        return self.transport.protocol

    @property
    def closing(self) -> bool:
        return self.transport.disconnecting

    @property
    def aborted(self) -> bool:
        return self.transport.aborted

    def send(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def received(self) -> bytes:
        """What the server wrote since this was asked last, when its turn has ended."""
        self._clock.advance(0)
        data: bytes = self.transport.value()
        self.transport.clear()
        return data

    def answer(self, method: str = "GET") -> Answer:
        """The one HTTP answer that was written."""
        answers = self.answers(method)
        assert len(answers) == 1, answers
        return answers[0]

    def answers(self, method: str = "GET") -> list[Answer]:
        """The HTTP answers that were written, whole."""
        data, found = self.received(), []
        while data:
            head, _, rest = data.partition(b"\r\n\r\n")
            status, *lines = head.decode("latin-1").split("\r\n")
            headers: dict[str, str] = {}
            for line in lines:
                name, value = line.split(": ", 1)
                headers[name.lower()] = value
            code = int(status.split()[1])
            if method == "HEAD" or code in {101, 204, 304}:
                body, data = b"", rest
            elif "content-length" in headers:
                size = int(headers["content-length"])
                body, data = rest[:size], rest[size:]
            else:
                assert headers["transfer-encoding"] == "chunked"
                body, data = _unchunked(rest)
            found.append(Answer(code, headers, body))
            if code == 101:
                self.transport.write(data)
                break
        return found

    def events(self) -> list[tuple[str, str]]:
        """The server-sent events that came since this was asked last: names and data."""
        data = self.received()
        if data.startswith(b"HTTP/1.1 200"):
            head, _, data = data.partition(b"\r\n\r\n")
            assert b"text/event-stream" in head
        text = _pieces(data).decode()
        found = []
        for block in text.split("\n\n"):
            lines = [line.partition(": ") for line in block.split("\n")]
            names = [value for field, _, value in lines if field == "event"]
            if names:
                body = "\n".join(value for field, _, value in lines if field == "data")
                found.append((names[0], body))
        return found

    def frames(self) -> list[tuple[int, bytes]]:
        """The WebSocket frames that were written: opcodes and payloads."""
        found, data = [], self.received()
        while data:
            opcode, payload, data = server_frame(data)
            found.append((opcode, payload))
        return found

    def says(self, text: str) -> None:
        """Send a message on a WebSocket."""
        self.send(client_frame(json.dumps({"message": text}).encode()))

    def heard(self) -> list[str]:
        """The messages that came on a WebSocket."""
        return [json.loads(payload)["message"] for opcode, payload in self.frames() if opcode == 1]

    def closed(self) -> int:
        """The code of the close frame that came last on a WebSocket."""
        opcode, payload = self.frames()[-1]
        assert opcode == 8
        return int.from_bytes(payload[:2], "big")

    def resume(self) -> None:
        """Let the server know that there is room for more."""
        assert self.transport.producer is not None
        self.transport.producer.resumeProducing()

    def hang_up(self) -> None:
        if self.transport.connected:
            self.transport.gone()
            self.protocol.connectionLost(Failure(ConnectionDone()))


def _pieces(data: bytes) -> bytes:
    """What whole chunks hold."""
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        body, data = body + data[: int(size, 16)], data[int(size, 16) + 2 :]
    return body


def _unchunked(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        count = int(size, 16)
        body, data = body + data[:count], data[count + 2 :]
        if not count:
            return body, data
