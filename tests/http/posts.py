"""Requests that send a message."""

from __future__ import annotations

import json

from tests.support import request

JSON = {"Content_Type": "application/json"}


def post(text: str = "hi") -> bytes:
    return request("POST", "/chat/send/", json.dumps({"message": text}).encode(), **JSON)
