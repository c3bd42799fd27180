"""The types that openapi-typescript makes of the description let a client compile."""

from __future__ import annotations

import json
from pathlib import Path

from livechat.web import contract
from tests.live.daemon import tool
from tests.support import Port

BIN = Path(__file__).parents[1] / "clients" / "node_modules" / ".bin"

CLIENT = """
import type { components, paths } from "./api";

type Batch = paths["/chat/actions/"]["post"]["requestBody"]["content"]["application/json"];
const batch: Batch = {
  actions: [
    { room: "news", type: "message", message: "hi", as: { id: "42", name: "Ann" } },
    { type: "revoke", user: "42" },
  ],
};
const results: components["schemas"]["Results"] = { results: [{ type: "ack", time: 1, seq: 2 }] };
const key: components["schemas"]["KeyRequest"] = { name: "news", rooms: { news: ["send"] } };
const members: paths["/chat/members/{room}/"]["get"]["parameters"]["path"] = { room: "news" };
// @ts-expect-error: a key has a name.
const nameless: components["schemas"]["KeyRequest"] = { rooms: {} };
export { batch, results, key, members, nameless };
"""


def test_a_client_compiles(port: Port, tmp_path: Path) -> None:
    """Code that sends what may be sent compiles, and other code does not."""
    document = contract.openapi(port.world.chat, port.tree.places())
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    (tmp_path / "client.ts").write_text(CLIENT)
    types = str(tmp_path / "api.d.ts")
    tool(str(BIN / "openapi-typescript"), str(tmp_path / "openapi.json"), "-o", types)
    strict = ("--strict", "--noEmit", "--exactOptionalPropertyTypes")
    # TypeScript's own types need no check, and a client of HTTP none of a page's.
    few = ("--lib", "es2022", "--skipDefaultLibCheck")
    tool(str(BIN / "tsc"), *strict, *few, types, str(tmp_path / "client.ts"))
