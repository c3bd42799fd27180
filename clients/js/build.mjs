// Puts what is served into dist/, where the package has it: `npm pack` runs this.

import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";

const here = (path) => new URL(path, import.meta.url);
const styles = {
  "chat-css.js": ["livechat.css", "chat.css"],
  "chat-rest-css.js": ["chat-rest.css"],
  "chat-launcher-css.js": ["launcher.css"],
};
/** A style sheet without comments and idle space, as livechat/web/files.py has it. */
const small = (text) =>
  text
    .replace(/\/\*.*?\*\//gs, "")
    .replace(/\s+/g, " ")
    .replace(/ ?([{};,>]) ?/g, "$1")
    .replace(/: (?=[^{}]*[;}])/g, ":")
    .replaceAll(";}", "}")
    .trim();

await rm(here("dist/"), { recursive: true, force: true });
await mkdir(here("dist/"));
for (const folder of ["../../static/client/", "../../static/chat/", "src/"]) {
  for (const name of await readdir(here(folder))) {
    if (/\.(js|d\.ts)$/.test(name)) await cp(here(folder + name), here(`dist/${name}`));
  }
}
for (const [module, names] of Object.entries(styles)) {
  const texts = {};
  for (const name of names) texts[name] = small(await readFile(here(`../../static/chat/${name}`), "utf8"));
  await writeFile(here(`dist/${module}`), `export const STYLES = ${JSON.stringify(texts)};\n`);
}
await cp(here("../../LICENSE"), here("LICENSE"));
