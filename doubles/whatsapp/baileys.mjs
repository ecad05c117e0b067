// Baileys as an independent client. The root it trusts is the double's; its checks of signatures are made to count: Baileys
// 7.0.0-rc14 asks libsignal whether a signature holds, and takes every answer for yes.

import makeWASocket, { initAuthCreds, makeCacheableSignalKeyStore } from "baileys";
import { WA_CERT_DETAILS } from "baileys/lib/Defaults/index.js";
import { Curve } from "baileys/lib/Utils/crypto.js";
import { verifySignature } from "libsignal/src/curve.js";

const silent = { level: "silent", child: () => silent };
for (const name of ["trace", "debug", "info", "warn", "error"]) silent[name] = process.env.BAILEYS_LOG ? (...all) => console.error(name, ...all) : () => {};

Curve.verify = (key, message, signature) => {
  try {
    return verifySignature(Buffer.concat([Buffer.from([5]), key.subarray(-32)]), message, signature);
  } catch {
    return false;
  }
};

/** Keys in memory. */
export function memory(initial = {}) {
  const all = new Map();
  const keys = {
    get: async (type, ids) => Object.fromEntries(ids.map((id) => [id, all.get(`${type}/${id}`)]).filter(([, value]) => value !== undefined)),
    set: async (data) => {
      for (const [type, values] of Object.entries(data)) {
        for (const [id, value] of Object.entries(values)) value === null ? all.delete(`${type}/${id}`) : all.set(`${type}/${id}`, value);
      }
    },
  };
  for (const [id, pair] of Object.entries(initial)) all.set(`pre-key/${id}`, pair);
  return keys;
}

/** A client; `updates` are what it says of its connection, in order. */
export function client(double, { creds = initAuthCreds(), keys = memory(), options = {} } = {}) {
  WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(double.root, "hex");
  const socket = makeWASocket({
    auth: { creds, keys: makeCacheableSignalKeyStore(keys, silent) },
    logger: silent,
    waWebSocketUrl: double.endpoint,
    syncFullHistory: false,
    shouldSyncHistoryMessage: () => true,
    markOnlineOnConnect: false,
    ...options,
  });
  const updates = [];
  let wake = () => {};
  socket.ev.on("connection.update", (update) => {
    updates.push(update);
    wake();
  });
  socket.ev.on("creds.update", (update) => Object.assign(creds, update));
  const until = async (wanted, ms = 15_000) => {
    const by = Date.now() + ms;
    for (;;) {
      const found = updates.find(wanted);
      if (found) return found;
      const left = by - Date.now();
      if (left <= 0) throw new Error(`Baileys: nothing of the sort in ${JSON.stringify(updates)}`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        wake = () => (clearTimeout(timer), resolve());
      });
    }
  };
  return { socket, creds, keys, updates, until };
}

export const code = (update) => update.lastDisconnect?.error?.output?.statusCode;
