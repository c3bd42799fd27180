"""`livechat.web.bundles`, with Node.js where a bundle runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from livechat.web import bundles

MODULES = {
    "first.js": """
/** A comment with an import: import { no } from "./no.js"; */
import { one, two as second } from "./middle.js";
import "./effect.js";
// import { neither } from "./no.js";
export const sum = one + second();
export const url = import.meta.url;
export const lazy = () => import("./lazy.js");
""",
    "middle.js": """
import {
  two,
} from "./last.js";
export const one = 1;
export { two };
export { three as third } from "./last.js";
""",
    "last.js": """
const three = /** @type {any} */ (3);
/** Hoisted: it is used above its line. */
console.log(`last ${two()}`);
export async function two$() {}
export function two() { return 2; }
export class kind { /** Kept. */ static x = "// no comment"; }
export { three };
""",
    "effect.js": "console.log('effect');\n",
    "lazy.js": """
import { two } from "./last.js";
import { own } from "./own.js";
const value = two() + own;
export default {
  late: value,
};
""",
    "own.js": "export const own = 40;\n",
}


@pytest.mark.processes
def test_in_node(tmp_path: Path) -> None:
    """A bundle does what its modules do, each once; a chunk shares those that are there."""
    there = bundles.modules_of(MODULES, ["first.js"])
    assert there == ["last.js", "middle.js", "effect.js", "first.js"]
    assert bundles.later(MODULES, there) == ["lazy.js"]
    chunk = bundles.chunk(MODULES, "lazy.js", there, {})
    assert '"last.js": ' not in chunk
    (tmp_path / "lazy.1.mjs").write_text(chunk)
    (tmp_path / "first.1.mjs").write_text(
        bundles.bundle(MODULES, ["first.js"], {"lazy.js": "lazy.1.mjs"})
    )
    (tmp_path / "first.mjs").write_text(bundles.facade(MODULES, "first.js", "first.1.mjs"))
    (tmp_path / "main.mjs").write_text(
        'import * as first from "./first.mjs";\nimport { sum } from "./first.1.mjs";\n'
        "console.log(Object.keys(first).join(), first.sum, sum, first.url.split('/').at(-1));\n"
        "const late = await first.lazy();\n"
        "console.log(late.default.late, late === (await first.lazy()));\n"
    )
    ran = subprocess.run(
        ["node", "main.mjs"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.splitlines() == [
        "last 2", "effect", "lazy,sum,url 3 3 first.1.mjs", "42 true",
    ]  # fmt: skip


def test_comments_go_and_texts_stay() -> None:
    """Comments are not sent; what looks like one in a text is."""
    text = bundles.bundle(MODULES, ["last.js"], {})
    assert "Hoisted" not in text
    assert "Kept" not in text
    assert '"// no comment"' in text


@pytest.mark.parametrize(
    "line",
    [
        "export default class A {}",
        "export let changes = 1;",
        'export * from "./b.js";',
        'import * as b from "./b.js";',
        'import b from "./b.js";',
        'import { b } from "b";',
        'import { b } from "../b.js";',
        "export const { a, b } = c;",
    ],
)
def test_other_forms_are_refused(line: str) -> None:
    """A form that would be put together wrongly is an error at start, and names its line."""
    with pytest.raises(ValueError, match=r"a\.js: '(import|export) .*cannot be put into a bundle"):
        bundles.bundle({"a.js": f"{line}\n", "b.js": ""}, ["a.js"], {})


def test_modules_that_import_each_other() -> None:
    """A circle of imports is an error that names it."""
    circle = {"a.js": 'import "./b.js";\n', "b.js": 'import "./a.js";\n'}
    with pytest.raises(ValueError, match=r"a\.js -> b\.js -> a\.js"):
        bundles.bundle(circle, ["a.js"], {})
