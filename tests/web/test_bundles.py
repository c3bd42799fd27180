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
#: Chunks that share modules, and that import chunks.
CHUNKS = {
    "main.js": """
import { bundled } from "./bundled.js";
export const one = () => import("./one.js");
export const two = () => import("./two.js");
export const here = () => import("./bundled.js");
""",
    "bundled.js": "export const bundled = 1;\n",
    "shared.js": "console.log('shared');\nexport const shared = 2;\n",
    "one.js": """
import { bundled } from "./bundled.js";
import { shared } from "./shared.js";
export const sum = bundled + shared;
export const deep = () => import("./deep.js");
""",
    "two.js": 'export { shared } from "./shared.js";\n',
    "deep.js": 'export { shared } from "./shared.js";\nexport { sum } from "./one.js";\n',
}


def made(sources: dict[str, str], entry: str, directory: Path) -> None:
    """Write a bundle and its chunks, as `livechat.web.files` does."""
    there = bundles.modules_of(sources, [entry])
    chunks: dict[str, str] = {}
    for name, added in bundles.plan(sources, there).items():
        text = bundles.chunk(sources, added, chunks)
        chunks[name] = f"{Path(name).stem}.chunk.mjs"
        (directory / chunks[name]).write_text(text)
    (directory / "bundle.mjs").write_text(bundles.bundle(sources, [entry], chunks))


def ran(script: str, directory: Path) -> list[str]:
    """Lines that a script writes beside the bundle."""
    (directory / "run.mjs").write_text(script)
    done = subprocess.run(
        ["node", "run.mjs"],
        cwd=directory, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout.splitlines()


@pytest.mark.processes
def test_a_bundle_does_what_its_modules_do(tmp_path: Path) -> None:
    """A bundle does what its modules do, each once; a chunk shares those that are there."""
    there = bundles.modules_of(MODULES, ["first.js"])
    assert there == ["last.js", "middle.js", "effect.js", "first.js"]
    assert bundles.later(MODULES, there) == ["lazy.js"]
    assert bundles.plan(MODULES, there) == {"lazy.js": ["own.js", "lazy.js"]}
    made(MODULES, "first.js", tmp_path)
    (tmp_path / "first.mjs").write_text(bundles.facade(MODULES, "first.js", "bundle.mjs"))
    assert ran(
        'import * as first from "./first.mjs";\nimport { sum } from "./bundle.mjs";\n'
        "console.log(Object.keys(first).join(), first.sum, sum, first.url.split('/').at(-1));\n"
        "const late = await first.lazy();\n"
        "console.log(late.default.late, late === (await first.lazy()));\n",
        tmp_path,
    ) == ["last 2", "effect", "lazy,sum,url 3 3 bundle.mjs", "42 true"]  # fmt: skip


@pytest.mark.processes
def test_a_chunk_leaves_out_what_its_importer_has(tmp_path: Path) -> None:
    """A module of several chunks runs once; a chunk leaves out what its importer has."""
    there = bundles.modules_of(CHUNKS, ["main.js"])
    assert bundles.plan(CHUNKS, there) == {
        "deep.js": ["deep.js"],
        "one.js": ["shared.js", "one.js"],
        "two.js": ["shared.js", "two.js"],
    }
    made(CHUNKS, "main.js", tmp_path)
    assert ran(
        'import { here, one, two } from "./bundle.mjs";\n'
        "const [first, second] = await Promise.all([one(), two()]);\n"
        "const deep = await first.deep();\n"
        "console.log(first.sum, second.shared, deep.shared, deep.sum, (await here()).bundled);\n",
        tmp_path,
    ) == ["shared", "3 2 2 3 1"]


@pytest.mark.processes
def test_a_chunk_that_could_not_be_had(tmp_path: Path) -> None:
    """An import that fails is an error; the next one tries another address, and succeeds."""
    made(MODULES, "first.js", tmp_path)
    assert ran(
        'import { renameSync } from "node:fs";\nimport { lazy } from "./bundle.mjs";\n'
        'renameSync("lazy.chunk.mjs", "away");\n'
        "await lazy().catch(({ code }) => console.log(code));\n"
        'renameSync("away", "lazy.chunk.mjs");\n'
        "console.log((await lazy()).default.late);\n",
        tmp_path,
    )[-2:] == ["ERR_MODULE_NOT_FOUND", "42"]


@pytest.mark.processes
def test_a_chunk_of_another_version(tmp_path: Path) -> None:
    """A chunk of another version, which may not fit, is taken only after its own address fails."""
    made(MODULES, "first.js", tmp_path)
    chunk = tmp_path / "lazy.chunk.mjs"
    right = chunk.read_text()
    chunk.write_text(bundles.stamped(right.replace("+ own", "- own"), "other"))
    first = 'import { renameSync } from "node:fs";\nimport { lazy } from "./bundle.mjs";\n'
    trying = (
        'const tried = () => lazy().then(({ default: { late } }) => late, () => "refused");\n'
        "console.log(await tried(), await tried(), await tried()%s);\n"
    )
    assert ran(first + trying % ", await tried()", tmp_path)[-1] == "refused refused refused -38"
    # The right one may answer meanwhile.
    (tmp_path / "new").write_text(bundles.stamped(right, "chunk"))
    script = trying.replace("await tried(), await", 'await tried(), renameSync("new", "%s"), await')
    script = script.replace("%s", "lazy.chunk.mjs", 1) % ""
    assert ran(first + script, tmp_path)[-1] == "refused undefined 42 42"


def test_chunks_that_import_each_other() -> None:
    """Chunks that import each other are an error that names them: no digest can be in both."""
    circle = {
        "a.js": 'import("./b.js");\n',
        "b.js": 'import("./c.js");\n',
        "c.js": 'import("./b.js");\n',
    }
    with pytest.raises(ValueError, match=r"b\.js -> c\.js -> b\.js"):
        bundles.plan(circle, ["a.js"])


def test_comments_go_and_texts_stay() -> None:
    """Comments are removed; texts that look like comments stay."""
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
        "export const a = 1, b = 2;",
        "export const a = 1,\n  b = 2;",
        'export const a = { c: [1, "}"] }, b = `,`;',
        "export const a = /[/,]/, b = (c, d) => c;",
    ],
)
def test_other_forms_are_refused(line: str) -> None:
    """A form that would be put together wrongly is an error at start, and names its line."""
    with pytest.raises(ValueError, match=r"a\.js: '(import|export) .*cannot be put into a bundle"):
        bundles.bundle({"a.js": f"{line}\n", "b.js": ""}, ["a.js"], {})


@pytest.mark.parametrize(
    "line",
    [
        "export const a = { b: 1, c: [2, 3] };",
        'export const a = (b, c) => f(b, "),", `, ${c},`);',
        "export const a = /[,/],(/u.test(b, c);",
        "export const a = [\n  1,\n  2,\n];\nf(a, 1);",
        "export function a(b, c) { return b, c; }",
    ],
)
def test_commas_of_a_value(line: str) -> None:
    """A comma within a value declares nothing."""
    assert line in bundles.bundle({"a.js": f"{line}\n"}, ["a.js"], {}).replace(
        line.removeprefix("export "), line
    )


def test_modules_that_import_each_other() -> None:
    """A circle of imports is an error that names it."""
    circle = {"a.js": 'import "./b.js";\n', "b.js": 'import "./a.js";\n'}
    with pytest.raises(ValueError, match=r"a\.js -> b\.js -> a\.js"):
        bundles.bundle(circle, ["a.js"], {})
