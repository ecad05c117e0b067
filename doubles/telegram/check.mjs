// That a client which is not ours understands the double: starts one and has Telethon run through the scenarios, with the
// Python that is named, or the one that set-up made. Ends with 1 when any of them failed.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const beside = (name) => fileURLToPath(new URL(name, import.meta.url));
const python = process.argv[2] ?? beside("../../target/telethon/bin/python");
const folder = mkdtempSync(join(tmpdir(), "telegram-double-"));
const keys = join(folder, "keys");

async function start(...options) {
  const double = spawn(process.execPath, [beside("server.mjs"), "--keys-file", keys, ...options], { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = await once(createInterface(double.stdout), "line");
  return { double, line };
}

// One writes the keys, another takes them.
const { double: first } = await start("--keys", "4");
first.stdin.end();
const { double, line } = await start();
const check = spawn(python, ["-B", beside("check.py"), line, keys], { stdio: ["ignore", "inherit", "inherit"] });
const [code] = await once(check, "exit");
double.stdin.end();
rmSync(folder, { recursive: true });
process.exit(code === 0 ? 0 : 1);
