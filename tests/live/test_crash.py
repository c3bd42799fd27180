"""Nothing that was promised is lost when the process is killed."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from websockets.exceptions import ConnectionClosed

from tests.live.daemon import Daemon, Member, trusting
from tests.live.talk import whole_history

SENDERS = 20
MESSAGES = 2_000


class Senders:
    """Many who send over HTTP at once, until the daemon is gone."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._lock = threading.Lock()
        self.answered: list[str] = []

    def send(self, sender: int) -> None:
        """
        Send one sender's share, each message after the last was answered.

        Whoever gets the answer in the middle of all kills the daemon.
        """
        context, port = trusting(), self._daemon.port
        connection = http.client.HTTPSConnection("localhost", port, context=context)
        for number in range(MESSAGES // SENDERS):
            text = f"{sender}-{number}"
            body = json.dumps({"message": text})
            headers = {"Content-Type": "application/json"}
            try:
                connection.request("POST", "/chat/send/r/", body, headers)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                break
            assert answer.status == 200
            # Else two could be the middle one together, and neither see it.
            with self._lock:
                self.answered.append(text)
                if len(self.answered) == MESSAGES // 2:
                    self._daemon.process.kill()
        connection.close()


def listen(member: Member, heard: list[str]) -> None:
    try:
        while True:
            heard.append(json.loads(member.recv(timeout=60))["message"])
    except ConnectionClosed:
        return


def test_answered_messages_outlive_kill_9(start: Callable[..., Daemon]) -> None:
    """Messages answered or heard before kill -9 are in the history, in order, without a hole."""
    limits = ("--rate=0", "--rate-per-ip=0", "--history-limit=0")
    daemon = start(*limits)
    senders, heard = Senders(daemon), list[str]()
    listener = threading.Thread(target=listen, args=(daemon.socket("r"), heard))
    listener.start()
    with ThreadPoolExecutor(SENDERS) as pool:
        sending = [pool.submit(senders.send, sender) for sender in range(SENDERS)]
        for each in sending:
            each.result()
    listener.join()
    daemon.kill()
    assert MESSAGES // 2 <= len(senders.answered) <= MESSAGES // 2 + SENDERS
    assert heard

    daemon = start(*limits)
    stored = whole_history(daemon, "r")
    texts = [each["message"] for each in stored]
    assert [each["seq"] for each in stored] == list(range(1, len(stored) + 1))
    assert len(set(texts)) == len(texts)
    assert set(senders.answered) <= set(texts)
    assert heard == texts[: len(heard)]
    for sender in range(SENDERS):
        own = [int(text.split("-")[1]) for text in texts if text.startswith(f"{sender}-")]
        assert own == list(range(len(own))), "one sender's messages are out of order"
    daemon.curl("-d", "message=next", f"{daemon.url}/chat/send/r/")
    assert daemon.history("r/?limit=1")[0]["seq"] == len(stored) + 1
