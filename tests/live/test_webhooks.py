"""Webhooks, while the receiver is away and the process that tells it is killed."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.backends.redis.server import RedisServer
from tests.live.daemon import Daemon
from tests.live.hook import SECRET, Hook, send, told
from tests.live.workers import WORKERS, ready

#: Messages, and the seconds for which the receiver is away; the soak tests have more.
MESSAGES = int(os.environ.get("LIVECHAT_WEBHOOK_MESSAGES", "300"))
AWAY = float(os.environ.get("LIVECHAT_WEBHOOK_AWAY", "3"))
RATES = ("--rate=0", "--rate-per-ip=0")


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.go()


def talk(daemon: Callable[[], Daemon], hook: Hook, kill: Callable[[], None]) -> None:
    """Send; in the middle the receiver goes, somebody is killed, and the receiver comes back."""
    rest = iter(range(1, MESSAGES + 1))
    send(daemon, (next(rest) for _ in range(MESSAGES // 3)))
    hook.wait_for(MESSAGES // 10, 60)
    hook.go()
    sending = threading.Thread(target=send, args=(daemon, rest))
    sending.start()
    time.sleep(AWAY / 2)
    kill()
    time.sleep(AWAY / 2)
    hook.come()
    sending.join()
    hook.wait_for(MESSAGES, 120)
    print(told(hook))  # noqa: T201 - it is for people
    assert hook.newest == {"r": MESSAGES}
    assert (hook.holes, hook.gaps, hook.bad) == (0, 0, 0)


def test_another_worker_goes_on_for_a_killed_leader(
    start: Callable[..., Daemon], redis: RedisServer, hook: Hook
) -> None:
    """Two workers at a Redis: another one goes on for the one that is killed; nothing is lost."""
    daemon = ready(
        start(
            *RATES, f"--redis={redis.url}", f"--workers={WORKERS}", f"--webhook={hook.url}",
            LIVECHAT_WEBHOOK_SECRET=SECRET,
        )
    )  # fmt: skip
    leads = r"\[worker (\d)#info\].* This process tells the receivers"

    def kill() -> None:
        found = list(re.finditer(leads, daemon.log.text))[-1]
        os.kill(daemon.workers()[int(found[1]) - 1], signal.SIGKILL)

    daemon.log.wait_for(leads)
    talk(lambda: daemon, hook, kill)


def test_a_killed_daemon_goes_on_with_its_webhooks(
    start: Callable[..., Daemon], hook: Hook, tmp_path: Path
) -> None:
    """A killed daemon with SQLite continues its webhooks where they were."""
    daemons = [
        start(*RATES, f"--webhook={hook.url}", LIVECHAT_WEBHOOK_SECRET=SECRET),
    ]

    def kill() -> None:
        daemons[-1].kill()
        daemons.append(start(*RATES, f"--webhook={hook.url}", LIVECHAT_WEBHOOK_SECRET=SECRET))

    talk(lambda: daemons[-1], hook, kill)
