// Starts the double, says where it is, and ends when its input closes.

import { createServer as plainServer } from "node:http";
import { createServer as secureServer } from "node:https";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { WebSocketServer } from "ws";
import { Connection } from "./lib/connection.mjs";
import { control } from "./lib/control.mjs";
import { State } from "./lib/state.mjs";

const { values } = parseArgs({ options: { cert: { type: "string" }, key: { type: "string" }, port: { type: "string" } } });
const state = new State();
const secure = values.cert && values.key;
const server = secure ? secureServer({ cert: readFileSync(values.cert), key: readFileSync(values.key) }) : plainServer();
const sockets = new WebSocketServer({ server, path: "/ws/chat", perMessageDeflate: false });
sockets.on("connection", (socket) => new Connection(state, socket));
const listening = (one, port) => new Promise((resolve) => one.listen(port, "127.0.0.1", () => resolve(one.address().port)));

const port = await listening(server, Number(values.port ?? 0));
const controls = await listening(control(state), 0);
const endpoint = secure ? `wss://localhost:${port}/ws/chat` : `ws://127.0.0.1:${port}/ws/chat`;
console.log(JSON.stringify({ endpoint, control: `http://127.0.0.1:${controls}`, root: state.authority.root.public.toString("hex") }));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
