"""The measured loads."""

from __future__ import annotations

from dataclasses import dataclass

from bench.peers.catalogue import Peer
from bench.tokens import token


@dataclass(frozen=True)
class Figure:
    """
    A number that loadgen reports.

    @ivar less: smaller is better.
    """

    key: str
    unit: str
    less: bool = False


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """
    A load: one run of loadgen.

    @ivar plain: the load in plain words, for the overview; empty if the overview leaves it out.
    @ivar shown: the figure for the overview, by default the first.
    @ivar least: seconds below which nothing can be measured; most loads need one.
    @ivar most: this many runs are enough, because runs hardly differ.
    @ivar existing: this many rooms exist before the start, with a message each.
    @ivar posts: messages are sent over HTTP, by connections of their own.
    @ivar resumes: handshakes should be resumed.
    @ivar without: names of servers whose figures would say nothing.
    @ivar reason: the reason for `without`.
    @ivar only: names of the only servers under this load, if any.
    @ivar clustered: the load is for clustered servers, too.
    """

    name: str
    title: str
    options: str
    figures: tuple[Figure, ...]
    plain: str = ""
    shown: Figure | None = None
    warmup: float = 0.5
    duration: float = 3.0
    least: float = 1.0
    most: int | None = None
    posts: bool = False
    resumes: bool = False
    without: tuple[str, ...] = ()
    reason: str = ""
    only: tuple[str, ...] = ()
    clustered: bool = False
    existing: int = 0

    @property
    def main(self) -> Figure:
        """The figure for the overview."""
        return self.shown or self.figures[0]

    def suits(self, peer: Peer) -> bool:
        """True if *peer* can be put under this load."""
        name = peer.like or peer.name
        named = not self.only or name in self.only
        meant = self.clustered if peer.clustered else named
        able = not self.posts or peer.sending is not None
        wanted = not peer.scenarios or self.name in peer.scenarios
        return meant and able and wanted and name not in self.without


DELIVERIES = Figure("deliv_per_cpu_s", "deliveries per CPU-second")
HANDSHAKES = Figure("hs_per_cpu_s", "handshakes per CPU-second")
P50 = Figure("p50_ms", "ms until delivered, median", less=True)
P99 = Figure("p99_ms", "ms until delivered, p99", less=True)
MEMORY = Figure("rss_per_conn_kb", "KB per connection", less=True)
CORE = Figure("srv_cpu_pct", "% of a core", less=True)
PER_PING = Figure("cpu_us_per_ping", "µs of CPU per ping", less=True)
REQUESTS_PER_CPU = Figure("http_req_per_cpu_s", "requests per CPU-second")
MESSAGES = Figure("msgs_per_s", "messages a second")
REQUESTS = Figure("http_req_per_s", "requests per second")


def fanout(
    name: str,
    members: int,
    window: int,
    *,
    plain: str = "",
    without: tuple[str, ...] = (),
    reason: str = "",
) -> Scenario:
    """Make a load: one of a room's *members* talks, and keeps *window* messages in flight."""
    return Scenario(
        name=name,
        title=f"1 room of {members:,} members, {window} in flight",
        plain=plain,
        options=f"--mode fanout --conns {members} --window {window}",
        figures=(DELIVERIES,),
        without=without,
        reason=reason,
    )


def spoken(name: str, title: str, mode: str) -> tuple[Scenario, ...]:
    """Make a load of members who speak ``livechat.v1``, and one where every other member does."""
    options = f"--mode {mode} --window 1 --proto livechat.v1"
    return tuple(
        Scenario(
            name=f"{kind}-{name}",
            title=f"{title}; {who} livechat.v1",
            options=f"{options} --proto-every {every}",
            figures=(DELIVERIES,),
            only=("livechat", "unstored"),
        )
        for kind, who, every in (("v1", "all speak", 1), ("mixed", "every other one speaks", 2))
    )


def returning() -> tuple[Scenario, ...]:
    """Make loads of ``livechat.v1`` members who reconnect, without a token and with one."""
    return tuple(
        Scenario(
            name=f"{kind}-resume",
            title=f"connecting again, TLS resumed; all speak livechat.v1{more}",
            options=f"--mode connect --conns 200 --conc 32 --resume --proto {offered}",
            figures=(HANDSHAKES,),
            resumes=True,
            only=("livechat",),
        )
        for kind, more, offered in (
            ("v1", "", "livechat.v1"),
            ("token", ", and bring a token", f"livechat.v1,livechat.token.{token()}"),
        )
    )


def crowd(name: str, window: int) -> Scenario:
    """Make a load like `fanout`, with 5,000 members."""
    reason = "a message takes it three seconds, as long as a measurement"
    return fanout(name, 5_000, window, without=("channels",), reason=reason)


#: Seconds between two keep-alive pings of livechat, and whole rounds of them that are measured.
PING_EVERY = 25.0
ROUNDS = 2
ROOMS = "200 rooms of 5 members, all of whom talk"
ROOMS_OPTIONS = "--mode rooms --rooms 200 --conns 1000 --window 1"

SCENARIOS: tuple[Scenario, ...] = (
    fanout("fanout-100", 100, 1),
    fanout("fanout-1", 1_000, 1, plain="a room of 1,000, one message at a time"),
    fanout("fanout-16", 1_000, 16, plain="a busy room of 1,000, 16 messages under way"),
    fanout("fanout-64", 1_000, 64),
    crowd("fanout-5000-1", 1),
    crowd("fanout-5000", 4),
    Scenario(
        name="calm",
        title="1 room of 1,000 members, 5 messages a second",
        plain="a calm room of 1,000, 5 messages a second",
        shown=P99,
        options="--mode fanout --conns 1000 --rate 5",
        figures=(DELIVERIES, P50, P99),
        duration=5,  # little happens: for less, the CPU's clock is too coarse
        without=("uwebsockets",),
        reason="socketify's loop never sleeps, so its CPU seconds would say nothing",
    ),
    Scenario(
        name="rooms",
        title=ROOMS,
        plain="200 rooms of 5, all members talk",
        options=ROOMS_OPTIONS,
        figures=(DELIVERIES,),
    ),
    Scenario(
        name="rooms-100k",
        title=f"{ROOMS}; 100,000 others exist",
        options=ROOMS_OPTIONS,
        figures=(DELIVERIES,),
        only=("livechat", "pure"),
        existing=100_000,
    ),
    Scenario(
        name="connect",
        title="connecting",
        plain="members connect, with a full TLS handshake",
        options="--mode connect --conns 200 --conc 32",
        figures=(HANDSHAKES,),
    ),
    Scenario(
        name="resume",
        title="connecting again, TLS resumed",
        options="--mode connect --conns 200 --conc 32 --resume",
        figures=(HANDSHAKES,),
        resumes=True,
    ),
    Scenario(
        name="idle",
        title="10,000 idle connections",
        plain="10,000 idle members",
        options="--mode idle --conns 10000",
        figures=(MEMORY,),
        warmup=0,
        duration=1,
        most=3,
    ),
    Scenario(
        name="idle-pings",
        title="10,000 idle connections that are pinged every 25 s",
        options="--mode idle --conns 10000",
        figures=(CORE, PER_PING),
        warmup=0,
        duration=ROUNDS * PING_EVERY,
        least=PING_EVERY,
        most=3,
        only=("livechat", "pure"),
    ),
    Scenario(
        name="http",
        title="sending over HTTP, 8 connections; 10 members",
        plain="messages sent over HTTP, to a room of 10",
        options="--mode http --conns 10 --http-conns 8",
        figures=(REQUESTS_PER_CPU, REQUESTS),
        posts=True,
    ),
    Scenario(
        name="cluster-fanout",
        title="1 room of 1,000 members, 1 in flight, over several processes",
        options="--mode fanout --conns 1000 --window 1",
        figures=(DELIVERIES,),
        only=("livechat", "channels"),
        clustered=True,
    ),
    Scenario(
        name="cluster-rooms",
        title=f"{ROOMS}, over several processes",
        options=ROOMS_OPTIONS,
        figures=(DELIVERIES, MESSAGES),
        only=("livechat", "channels"),
        clustered=True,
    ),
    *returning(),
    *spoken("fanout-1", "1 room of 1,000 members, 1 in flight", "fanout --conns 1000"),
    *spoken("rooms", ROOMS, "rooms --rooms 200 --conns 1000"),
)
