"""`examples/tokens`, and the page that shows them: their tokens count."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import django
import pytest
from django.conf import settings
from django.test import RequestFactory
from twisted.internet.defer import fail, succeed
from twisted.internet.task import Clock

from examples.tokens.django_view import chat_token
from livechat.config import options
from livechat.errors import Close
from livechat.identity import key_ring, leases, tokens
from livechat.identity.claims import LONGEST, SKEW
from livechat.identity.key_ring import KeyRing
from livechat.identity.known import Known
from livechat.identity.rights import MOST_PATTERNS
from livechat.identity.token_keys import keys_of_file
from livechat.identity.tokens import Tokens, Trust
from livechat.net import jwks
from livechat.options import flag
from livechat.system.time import Time
from tests.support import run

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "tokens"
PAGE = (ROOT / "docs" / "identity.md").read_text()
CLIENTS = ROOT / "tests" / "clients"
SECRET = "a secret that the site and the chat server have, and nobody else"


def verified(token: str, file: bytes = SECRET.encode() + b"\n") -> Known:
    """The user of a token, as a server finds it that has this file of keys."""
    ring = KeyRing([Path("keys")], [], lambda _: fail(OSError()), Time(Clock()))
    ring.take(keys_of_file(file))
    time = Time(Clock(), lambda: datetime.now(UTC).timestamp())
    found: Known = run(Tokens(lambda: succeed(b"s"), time, 3_600, Trust(ring)).known(token))
    return found


class Account(SimpleNamespace):
    """A user of the site, as Django has them."""

    def __str__(self) -> str:
        return str(self.name)


@pytest.fixture(scope="module", autouse=True)
def _django() -> None:
    settings.configure(CHAT_SECRET=SECRET)
    django.setup()


def django_answer(**account: Any) -> Any:
    request = RequestFactory().get("/chat-token")
    request.user = Account(**account)
    return chat_token(request)


def test_a_visitor_of_django_is_a_user() -> None:
    """A visitor who is signed in to Django is a user of the chat."""
    ann = {"is_authenticated": True, "is_staff": False, "pk": 42, "name": "Ann"}
    found = verified(json.loads(django_answer(**ann).content)["token"])
    assert (found.user.id, found.user.name, found.user.role) == ("42", "Ann", None)
    assert found.grants is None
    staff = verified(json.loads(django_answer(**{**ann, "is_staff": True}).content)["token"])
    assert (staff.user.role, set(staff.grants or ())) == ("staff", {"*"})
    assert django_answer(is_authenticated=False).status_code == 401


def test_a_visitor_of_express_is_a_user(tmp_path: Path) -> None:
    """A visitor who is signed in to Express is a user of the chat."""
    # Node.js looks for packages beside the file that needs them.
    (tmp_path / "node_modules").symlink_to(CLIENTS / "node_modules")
    shutil.copy(EXAMPLES / "express.mjs", tmp_path)
    (tmp_path / "asks.mjs").write_text(
        f"""
        import {{ chatToken }} from "./express.mjs";
        const response = {{ status(code) {{ console.log(code); return this; }},
                            json: (body) => console.log(JSON.stringify(body)) }};
        const ask = (user) => chatToken("{SECRET}")({{ session: {{ user }} }}, response);
        ask({{ id: 42, name: "Ann" }});
        ask({{ id: 7, name: "Bob", staff: true }});
        ask(undefined);
        """
    )
    node = ["node", str(tmp_path / "asks.mjs")]
    ran = subprocess.run(node, capture_output=True, text=True, check=True, timeout=60)
    ann, bob, *rest = ran.stdout.split()
    assert verified(json.loads(ann)["token"]).user.name == "Ann"
    assert set(verified(json.loads(bob)["token"]).grants or ()) == {"*"}
    assert rest == ["401", "{}"]


def test_commands_of_the_docstring_make_keys(tmp_path: Path) -> None:
    """The commands in the example's docstring make keys that work."""
    text = (EXAMPLES / "with_public_key.py").read_text()
    for command in re.findall(r"^    (openssl .*?)(?: +#.*)?$", text, re.MULTILINE):
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    made = subprocess.run(
        [sys.executable, str(EXAMPLES / "with_public_key.py"), "chat.key", "42", "Ann"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert verified(made.stdout.strip(), (tmp_path / "chat.pub").read_bytes()).user.id == "42"


@pytest.mark.parametrize("language", ["python", "js"])
def test_snippets_are_parts_of_examples(language: str) -> None:
    """Code that the page shows is in the examples, which are ten lines and few more."""
    shown_in = (*EXAMPLES.iterdir(), ROOT / "examples" / "django_ask.py")
    files = [path.read_text() for path in shown_in if path.is_file()]
    shown = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert shown
    for block in shown:
        assert any(block in text for text in files), block
        assert block.count("\n") <= 15


def test_bounds_on_the_page_are_those_of_the_code() -> None:
    """The bounds that the page names are those of the code."""
    for figure in (
        f"{LONGEST:,} characters", f"{SKEW} seconds ahead", f"{MOST_PATTERNS} patterns",
        f"{leases.EXPIRING:g} seconds before", f"{leases.GRACE:g} seconds later",
        f"every {key_ring.REFRESH / 60:g} minutes", f"once in {key_ring.AGAIN:g} seconds",
        f"{jwks.LARGEST // 1024} KB", f"{jwks.WITHIN:g} seconds in all",
        f"{tokens.MOST_REMEMBERED:,} tokens",
        str(Close.TOKEN_EXPIRED.value), str(Close.TOKEN_REVOKED.value),
    ):  # fmt: skip
        assert figure in PAGE, figure


def test_every_option_of_identity_is_explained() -> None:
    """Every option about identity is explained, and each that is named exists."""
    known = {flag(option) for option in options()}
    named = set(re.findall(r"`--([a-z-]+)", PAGE))
    of_the_command = {"user", "guest", "name", "for", "rooms", "role"}
    assert {name for name in known if name.startswith("token-")} | {"guests"} <= named
    assert named <= known | of_the_command


def test_links_of_the_page_lead_to_files() -> None:
    """The page's links lead to files that exist."""
    for link in re.findall(r"\]\((?!https|#)([^)#]+)[^)]*\)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
