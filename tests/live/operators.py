"""Operators, by curl and by requests."""

from __future__ import annotations

import json
import re
from http.client import HTTPSConnection
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.live.daemon import PASSWORD, PATIENCE, Daemon, trusting

#: The password as most operators set it, with a hash as slow as theirs.
SET = {"LIVECHAT_ADMIN_PASSWORD": PASSWORD}


class Operator:
    """An operator: curl with a cookie jar."""

    def __init__(self, daemon: Daemon, jar: Path) -> None:
        self.daemon = daemon
        self._jar = jar

    def get(self, path: str, *options: str) -> str:
        return self.daemon.curl(
            "-b", str(self._jar), "-c", str(self._jar), *options, self.daemon.url + path
        )

    def post(self, path: str, *options: str, **form: str) -> str:
        """The answer's status and body; the form has the token of the sign-in page."""
        page = self.get("/admin/sign-in/", "-L")
        form = {"token": re.findall(r'name="token" value="(\w+)"', page)[0]} | form
        fields = [
            word for name, value in form.items() for word in ("--data-urlencode", f"{name}={value}")
        ]
        return self.get(path, "-w", "\n%{http_code} %{redirect_url}", *fields, *options)

    def sign_in(self, password: str = PASSWORD) -> int:
        """The status of the answer."""
        return int(self.post("/admin/sign-in/", password=password).split("\n")[-1].split()[0])

    def signed_in(self) -> bool:
        return "Sign out" in self.get("/admin/")

    def cookie(self) -> str:
        found: list[str] = re.findall(r"__Host-livechat-\d+\s+(\S+)", self._jar.read_text())
        return found[0]


def session(daemon: Daemon) -> tuple[str, str]:
    """The name and the value of the cookie of an operator who has just signed in."""
    path = "/admin/sign-in/"
    connection = HTTPSConnection("localhost", daemon.port, context=trusting(), timeout=PATIENCE)
    connection.request("GET", path)
    answer = connection.getresponse()
    cookies = SimpleCookie(answer.headers["Set-Cookie"])
    (token,) = set(re.findall(r'name="token" value="(\w+)"', answer.read().decode()))
    headers = {
        "Cookie": "; ".join(f"{each.key}={each.value}" for each in cookies.values()),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    form = urlencode({"token": token, "password": PASSWORD})
    connection.request("POST", path, form, headers)
    answer = connection.getresponse()
    assert answer.status == 303, answer.read()
    (cookie,) = SimpleCookie(answer.headers["Set-Cookie"]).values()
    connection.close()
    return cookie.key, cookie.value


def act(daemon: Daemon, room: str, **action: Any) -> None:
    """Act in a room with the key of the daemon's machine."""
    key = (daemon.directory / "state" / "local-key").read_text().strip()
    headers = ("-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json")
    daemon.curl("-f", *headers, "-d", json.dumps(action), f"{daemon.url}/chat/actions/{room}/")
