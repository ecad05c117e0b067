// Starts the double, says where it is, and ends when its input closes.

import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { parseArgs } from "node:util";
import { Connection } from "./lib/connection.mjs";
import { control } from "./lib/control.mjs";
import { State } from "./lib/state.mjs";

// Standard output belongs to the one line below.
console.log = console.info = console.warn = console.error;

const { values } = parseArgs({
  options: {
    ports: { type: "string", default: "0,0,0" },
    api: { type: "string", default: "10001:0123456789abcdef0123456789abcdef" },
    "keys-file": { type: "string" },
    keys: { type: "string" },
  },
});
const usage = (wrong) => {
  console.error(`${wrong}\nUsage: node server.mjs [--ports N,N,N] [--api ID:HASH] [--keys-file FILE [--keys N]]`);
  process.exit(2);
};

process.stdin.resume().on("end", () => process.exit(0)).on("error", () => process.exit(0));

const ports = values.ports.split(",").map(Number);
if (ports.length > 5 || ports.some((port) => !(port >= 0 && port < 65_536))) usage("--ports: one for each data centre");
const [, id, hash] = /^(\d+):([0-9a-f]{32})$/.exec(values.api) ?? usage("--api: a number and 32 hexadecimal digits");
const file = values["keys-file"];
if (values.keys && !(file && /^[1-9]\d{0,5}$/.test(values.keys))) usage("--keys: how many are written to --keys-file");

const state = new State();
state.apis.set(Number(id), { hash, title: "Double", published: false });
const listening = (server, port) => new Promise((ready, failed) => {
  server.once("error", failed).listen(port, "127.0.0.1", () => ready(server.address().port));
});
for (const [index, port] of ports.entries()) {
  const dc = state.addDc(index + 1);
  dc.port = await listening(createServer((socket) => new Connection(state, dc, socket)), port);
}

if (file && values.keys) {
  const lines = state.freshKeys(Number(values.keys)).map(({ dc, bytes }) => `${dc.id} ${bytes.toString("hex")}\n`);
  writeFileSync(file, lines.join(""), { mode: 0o600 });
} else if (file) {
  for (const line of readFileSync(file, "utf8").split("\n").filter(Boolean)) {
    const [, dc, key] = /^(\d+) ([0-9a-f]{512})$/.exec(line) ?? usage("--keys-file: lines of a data centre's number and 512 hexadecimal digits");
    state.addKey(state.dc(dc), Buffer.from(key, "hex"));
  }
}

const controls = await listening(control(state), 0);
const line = {
  control: `http://127.0.0.1:${controls}`,
  dcs: Object.fromEntries([...state.dcs.values()].map((dc) => [dc.id, `127.0.0.1:${dc.port}`])),
  api: { id: Number(id), hash },
  rsa: state.rsa.publicKey.export({ format: "pem", type: "pkcs1" }),
};
process.stdout.write(`${JSON.stringify(line)}\n`);
