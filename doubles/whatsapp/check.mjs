// That a client which is not ours understands the double: Baileys, with all its checks. Prints a line for each scenario and
// ends with 1 at the first that fails.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { client, code } from "./baileys.mjs";

const child = spawn(process.execPath, [new URL("server.mjs", import.meta.url).pathname], { stdio: ["pipe", "pipe", "inherit"] });
const [line] = await new Promise((resolve) => createInterface(child.stdout).once("line", (text) => resolve([text])));
const double = JSON.parse(line);

export async function call(path, body, method = body ? "POST" : "GET") {
  const reply = await fetch(double.control + path, { method, body: body && JSON.stringify(body) });
  const json = await reply.json();
  if (!reply.ok) throw Object.assign(new Error(json.error), { status: reply.status });
  return json;
}

const qr = (update) => update.qr;
const open = (update) => update.connection === "open";
const closed = (update) => update.connection === "close";

/** From a code to an open connection. */
async function linked(phone) {
  const first = client(double);
  const { qr: text } = await first.until(qr);
  const { jid } = await call("/scan", { qr: text, phone });
  assert.equal(code(await first.until(closed)), 515);
  const again = client(double, first);
  await again.until(open);
  assert.equal(again.creds.me.id, jid);
  return { jid, again };
}

const scenarios = {
  async "a code is scanned, the connection restarts, the device is unlinked"() {
    const { jid, again } = await linked("491510000101");
    const device = await call(`/devices?jid=${encodeURIComponent(jid)}`);
    assert.equal(Object.keys(device.preKeys).length, 812);
    await call("/unlink", { jid });
    assert.equal(code(await again.until(closed)), 401);
    const later = client(double, again);
    assert.equal(code(await later.until(closed)), 401);
  },
  async "a pairing code is mistyped, then typed"() {
    const phone = "491510000102";
    const first = client(double);
    await first.until(qr);
    const text = await first.socket.requestPairingCode(phone);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await assert.rejects(call("/type", { phone, code: "11111111" }), { message: "wrong-code" });
    const { jid } = await call("/type", { phone, code: text });
    assert.equal(code(await first.until(closed)), 515);
    const again = client(double, first);
    await again.until(open);
    assert.equal(again.creds.me.id, jid);
    await again.socket.logout();
    await assert.rejects(call(`/devices?jid=${encodeURIComponent(jid)}`), { message: "no-device" });
  },
  async "a foreign root is refused"() {
    await call("/server", { foreign: true });
    const one = client(double);
    assert.equal(code(await one.until(closed)), 400);
    await call("/server", { foreign: false });
  },
  async "a session that is used twice is replaced"() {
    const { again } = await linked("491510000103");
    const other = client(double, again);
    await other.until(open);
    assert.equal(code(await again.until(closed)), 440);
    other.socket.end();
  },
  async "a ban, a lock and an old version have their numbers"() {
    const { again } = await linked("491510000104");
    again.socket.end();
    for (const reason of [402, 403]) {
      await call("/failures", { phone: "491510000104", reason, expire: 60 });
      assert.equal(code(await client(double, again).until(closed)), reason);
    }
    await call("/settings", { minVersion: 2_000_000_000 });
    assert.equal(code(await client(double, again).until(closed)), 405);
    await call("/settings", { minVersion: 0 });
  },
  async "a registration is refused"() {
    await call("/failures", { phone: "registration", reason: 403 });
    assert.equal(code(await client(double).until(closed)), 403);
  },
  async "codes that nobody scans run out"() {
    const one = client(double, { options: { qrTimeout: 200 } });
    const { qr: text } = await one.until(qr);
    await call("/expire", { qr: text });
    await assert.rejects(call("/scan", { qr: text, phone: "491510000105" }), { message: "ref-expired" });
    assert.equal(code(await one.until(closed)), 408);
    assert.equal(new Set(one.updates.filter(qr).map((update) => update.qr)).size, 6);
  },
  async "a device that is removed unheard stays until it comes back"() {
    const { jid, again } = await linked("491510000107");
    await call("/unlink", { jid, silent: true });
    await assert.rejects(again.until(closed, 300), /nothing of the sort/);
    again.socket.end();
    assert.equal(code(await client(double, again).until(closed)), 401);
  },
  async "silence is given up on"() {
    const { again } = await linked("491510000108");
    again.socket.end();
    // Behind the greeting: Baileys misses an answer to its pings.
    await call("/settings", { silent: "login" });
    const logins = async () => (await call("/log")).filter(({ kind }) => kind === "login").length;
    const before = await logins();
    const later = client(double, { creds: again.creds, keys: again.keys, options: { keepAliveIntervalMs: 200 } });
    while ((await logins()) === before) await new Promise((resolve) => setTimeout(resolve, 50));
    // And before it.
    await call("/settings", { silent: "accept" });
    const early = client(double, { options: { connectTimeoutMs: 500 } });
    for (const one of [early, later]) assert.equal(code(await one.until(closed)), 408);
    await call("/settings", { silent: null });
  },
};

let failed = 0;
for (const [name, scenario] of Object.entries(scenarios)) {
  try {
    await scenario();
    console.log(`ok: ${name}`);
  } catch (error) {
    console.log(`failed: ${name}\n${error.stack}`);
    failed = 1;
  }
}
child.stdin.end();
process.exit(failed);
