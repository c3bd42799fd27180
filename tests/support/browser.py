"""An operator's browser, for the port in memory."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from tests.support.port import Port
from tests.support.requests import Answer, request
from tests.support.wire import Wire
from tests.support.world import PASSWORD


class Browser:
    """An operator's browser: keeps its cookie, and sends each form's token."""

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
        """Open the page's stream of events."""
        wire = self.port.connect()
        wire.send(request("GET", target, **self.headers(), **headers))
        return wire
