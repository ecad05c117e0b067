// Baileys, driven by the tests of other clients: `link` and `code` connect a device of its own, `leave` does too, asks whether
// the service is still there and unlinks the device, `go-on` takes over one that another client linked (its session on
// standard input). Prints one line of JSON and ends.

import { createPrivateKey, createPublicKey } from "node:crypto";
import { initAuthCreds } from "baileys";
import { client, code, memory } from "./baileys.mjs";

const [mode, where, phone] = process.argv.slice(2);
const double = JSON.parse(where);

async function call(path, body) {
  const reply = await fetch(double.control + path, body && { method: "POST", body: JSON.stringify(body) });
  if (!reply.ok) throw new Error(`${path}: ${await reply.text()}`);
  return reply.json();
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function restarted(first) {
  await first.until((update) => update.connection === "close" && code(update) === 515);
  const again = client(double, first);
  await again.until((update) => update.connection === "open");
  await pause(500);
  again.socket.end();
  return { jid: again.creds.me.id };
}

/** Our session as Baileys keeps one; docs/whatsapp-session.md says the same in words. */
function convert(session) {
  const bytes = (text) => Buffer.from(text, "base64");
  const pair = (keys) => ({ private: bytes(keys.private), public: bytes(keys.public) });
  const derive = (text) => {
    const der = Buffer.concat([Buffer.from("302e020100300506032b656e04220420", "hex"), bytes(text)]);
    const key = createPublicKey(createPrivateKey({ key: der, format: "der", type: "pkcs8" }));
    return { private: bytes(text), public: key.export({ format: "der", type: "spki" }).subarray(-32) };
  };
  const account = Object.fromEntries(Object.entries(session.account).map(([name, text]) => [name, bytes(text)]));
  const creds = {
    ...initAuthCreds(),
    noiseKey: pair(session.noiseKey),
    signedIdentityKey: pair(session.identityKey),
    signedPreKey: { keyId: session.signedPreKey.id, keyPair: pair(session.signedPreKey), signature: bytes(session.signedPreKey.signature) },
    registrationId: session.registrationId,
    advSecretKey: session.advSecret,
    account,
    me: { id: session.jid, lid: session.lid ?? undefined, name: session.name ?? undefined },
    signalIdentities: [{
      identifier: { name: session.lid, deviceId: 0 },
      identifierKey: Buffer.concat([Buffer.from([5]), account.accountSignatureKey]),
    }],
    platform: session.platform ?? undefined,
    nextPreKeyId: session.nextPreKeyId,
    firstUnuploadedPreKeyId: session.preKeysUploaded ? session.nextPreKeyId : 1,
    routingInfo: session.routing ? bytes(session.routing) : undefined,
    registered: true,
  };
  const preKeys = Object.fromEntries(Object.entries(session.preKeys).map(([id, text]) => [id, derive(text)]));
  return { creds, preKeys };
}

async function goOn() {
  const parts = [];
  for await (const part of process.stdin) parts.push(part);
  const { creds, preKeys } = convert(JSON.parse(Buffer.concat(parts).toString()));
  const one = client(double, { creds, keys: memory(preKeys) });
  await one.until((update) => update.connection === "open");
  await pause(1_000);
  one.socket.end();
  return {
    jid: one.creds.me.id,
    lid: one.creds.me.lid,
    preKeys: Object.fromEntries(Object.entries(preKeys).map(([id, pair]) => [id, pair.public.toString("base64")])),
  };
}

const modes = {
  async link() {
    const first = client(double);
    const { qr } = await first.until((update) => update.qr);
    await call("/scan", { qr, phone });
    return restarted(first);
  },
  async code() {
    const first = client(double);
    await first.until((update) => update.qr);
    const text = await first.socket.requestPairingCode(phone);
    await pause(300);
    await call("/type", { phone, code: text });
    return restarted(first);
  },
  async leave() {
    const first = client(double, { options: { keepAliveIntervalMs: 200 } });
    const { qr } = await first.until((update) => update.qr);
    const pinged = ({ log }) => log.some(({ attrs }) => attrs.xmlns === "w:p");
    while (!(await call("/log")).filter(({ kind }) => kind === "registration").every(pinged)) await pause(50);
    await call("/scan", { qr, phone });
    await first.until((update) => update.connection === "close" && code(update) === 515);
    const again = client(double, first);
    await again.until((update) => update.connection === "open");
    await again.socket.logout();
    return { jid: again.creds.me.id };
  },
  "go-on": goOn,
};

try {
  console.log(JSON.stringify(await modes[mode]()));
  process.exit(0);
} catch (error) {
  console.error(error);
  process.exit(1);
}
