// That a client which is not ours understands the double: starts one and has Telethon run through check.py's scenarios, with
// the Python that is named, or the one that set-up made. Ends with 1 when any of them failed.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const beside = (name) => fileURLToPath(new URL(name, import.meta.url));
const python = process.argv[2] ?? beside("../../target/telethon/bin/python");

const double = spawn(process.execPath, [beside("server.mjs")], { stdio: ["pipe", "pipe", "inherit"] });
const [line] = await once(createInterface(double.stdout), "line");
const check = spawn(python, ["-B", beside("check.py"), line], { stdio: ["ignore", "inherit", "inherit"] });
const [code] = await once(check, "exit");
double.stdin.end();
process.exit(code === 0 ? 0 : 1);
