// Puts what is served into dist/, where the package has it: `npm pack` runs this.

import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";

const here = (path) => new URL(path, import.meta.url);
const styles = ["livechat.css", "chat.css", "launcher.css"];

await rm(here("dist/"), { recursive: true, force: true });
await mkdir(here("dist/"));
for (const folder of ["../../static/client/", "../../static/chat/", "src/"]) {
  for (const name of await readdir(here(folder))) {
    if (/\.(js|d\.ts)$/.test(name)) await cp(here(folder + name), here(`dist/${name}`));
  }
}
const texts = {};
for (const name of styles) texts[name] = await readFile(here(`../../static/chat/${name}`), "utf8");
await writeFile(here("dist/chat-css.js"), `export const STYLES = ${JSON.stringify(texts)};\n`);
await cp(here("../../LICENSE"), here("LICENSE"));
