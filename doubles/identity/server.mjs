// Starts one stand-in: its public side with TLS, its control side without. Prints where they are, and ends with its
// input, so that it cannot outlive the test that started it.

import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { parseArgs } from 'node:util';

// Standard output belongs to the one line below; what a library has to say goes where errors go.
console.log = console.info = console.warn = console.error;

const { values: options } = parseArgs({
  options: {
    kind: { type: 'string' },
    cert: { type: 'string' },
    key: { type: 'string' },
    port: { type: 'string', default: '0' },
  },
});
if (!['google', 'microsoft'].includes(options.kind) || !options.cert || !options.key) {
  console.error('Usage: node server.mjs --kind google|microsoft --cert FILE --key FILE [--port N]');
  process.exit(2);
}

process.stdin.resume().on('end', () => process.exit(0)).on('error', () => process.exit(0));

const listen = (server, port) => new Promise((ready, failed) => {
  server.once('error', failed).listen(port, '127.0.0.1', () => ready(server.address().port));
});

// The issuer has the port in it, so the port comes first and what answers on it after.
let answer;
const publicSide = https.createServer(
  { cert: readFileSync(options.cert), key: readFileSync(options.key) },
  (request, response) => answer(request, response),
);
const origin = `https://localhost:${await listen(publicSide, Number(options.port))}`;

const { State } = await import('./lib/state.mjs');
const { Keys } = await import('./lib/keys.mjs');
const { control } = await import('./lib/control.mjs');
const { build } = await import(`./lib/${options.kind}.mjs`);

const state = new State(options.kind, origin);
state.keys = await Keys.generate();
const provider = build(state);
answer = provider.callback();

const controlSide = http.createServer(control(state));
const address = `http://127.0.0.1:${await listen(controlSide, 0)}`;
process.stdout.write(`${JSON.stringify({ origin, control: address })}\n`);
