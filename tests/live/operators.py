"""An operator, by curl."""

from __future__ import annotations

import re
from pathlib import Path

from tests.live.daemon import PASSWORD, Daemon

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
