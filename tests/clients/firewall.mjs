// A firewall to run beside a test: node firewall.mjs PORT DIRECTORY refuse|swallow, where the
// directory is the daemon's.  It prints its address, and ends when it is killed.

import { firewall } from "./world.mjs";

const [port, directory, how] = process.argv.slice(2);
console.log(await firewall({ after() {} }, { port, directory }, how));
