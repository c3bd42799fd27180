"""The example's Django site, as a process of its own."""

from __future__ import annotations

import http.cookiejar
import os
import re
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.live.daemon import PATIENCE, ROOT, eventually

PROGRAM: Final = ROOT / "examples" / "django_ask.py"
PASSWORD: Final = "correct horse battery staple"


class DjangoSite:
    """
    The site, with a user called ann.

    @ivar url: its address.
    """

    def __init__(self, directory: Path, secret: str) -> None:
        self._directory = directory
        self._environment = {
            **os.environ,
            "LIVECHAT_WEBHOOK_SECRET": secret,
            "SITE_SECRET": "of this site alone",
            "DJANGO_SUPERUSER_USERNAME": "ann",
            "DJANGO_SUPERUSER_EMAIL": "ann@example.org",
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
            "PYTHONWARNINGS": "ignore",
        }
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(PROGRAM), *arguments]

    def __enter__(self) -> Self:
        for arguments in (("migrate",), ("createsuperuser", "--noinput")):
            subprocess.run(
                self._command(*arguments),
                cwd=self._directory,
                env=self._environment,
                check=True,
                capture_output=True,
                timeout=2 * PATIENCE,
            )
        self._log = (self._directory / "django.log").open("wb")
        self._process = subprocess.Popen(
            self._command("runserver", "--noreload", f"127.0.0.1:{self._port}"),
            cwd=self._directory,
            env=self._environment,
            stdout=self._log,
            stderr=self._log,
        )
        eventually(self._answers)
        return self

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._directory / "django.log").read_text()
        try:
            socket.create_connection(("127.0.0.1", self._port), 1).close()
        except OSError:
            return False
        return True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)
        self._log.close()


class Visitor:
    """A browser at the site."""

    def __init__(self, site: DjangoSite) -> None:
        self._site = site
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self._jar)
        )

    def signs_in(self, user: str, password: str) -> str:
        """Fill in the form; return the page that follows."""
        form = re.search(r'value="(\w+)"', self._get())
        assert form is not None
        fields = {"csrfmiddlewaretoken": form[1], "user": user, "password": password}
        data = urllib.parse.urlencode(fields).encode()
        with self._opener.open(self._site.url, data, PATIENCE) as answer:
            page: str = answer.read().decode()
        return page

    def _get(self) -> str:
        with self._opener.open(self._site.url, timeout=PATIENCE) as answer:
            page: str = answer.read().decode()
        return page

    @property
    def cookies(self) -> str:
        """Cookies that a browser would send to the chat, too."""
        return "; ".join(f"{each.name}={each.value}" for each in self._jar)
