// What the double knows: accounts with their phones, devices, connections, and how it is told to behave.

import { generateKeyPairSync, randomBytes, randomInt } from "node:crypto";
import { generate } from "./curve.mjs";
import { Authority } from "./noise.mjs";

/** An error for whoever controls the double: a status and a word. */
export class Wrong extends Error {
  constructor(status, word) {
    super(word);
    this.status = status;
  }
}

export class State {
  constructor() {
    this.authority = new Authority();
    this.accounts = new Map();
    this.devices = new Map();
    this.connections = new Map();
    this.past = [];
    this.next = 1;
    this.settings = {
      refs: 6, // how many references a connection gets
      firstRefMs: 60_000, // how long the first can be scanned
      nextRefMs: 20_000, // and each further one
      graceMs: 500, // how much later than that
      silent: null, // accept | refs | login | restart: where it says nothing more
      misbehave: null, // what it sends in place of references
      minVersion: 0, // the least third number of a client's version
      replaced: false, // whether each login's first request meets another connection with the same session
      routing: null, // hexadecimal, sent after a login
    };
    this.failures = []; // {phone?, reason, expire?, code?, once}
  }

  /** An account, made when it is first named. */
  account(phone) {
    const digits = String(phone ?? "491510000001").replace(/\D/g, "");
    if (!/^[1-9]\d{6,14}$/.test(digits)) throw new Wrong(400, "phone");
    let account = this.accounts.get(digits);
    if (!account) {
      const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      account = {
        phone: digits,
        lid: `1${String(randomInt(10 ** 14)).padStart(14, "0")}`,
        identity: generate(),
        rawId: randomInt(1, 2 ** 31),
        platform: "android",
        name: undefined,
        passkey: false, // true | "ask": whether the question comes along, or is to be asked for
        throttled: false,
        devices: 0,
        credential: { id: randomBytes(16), publicKey, privateKey },
      };
      this.accounts.set(digits, account);
    }
    return account;
  }

  failure(phone) {
    const at = this.failures.findIndex((one) => one.phone === undefined || one.phone === phone);
    if (at < 0) return undefined;
    const [found] = this.failures[at].once ? this.failures.splice(at, 1) : [this.failures[at]];
    return found;
  }

  online(jid) {
    return [...this.connections.values()].find((one) => one.device?.jid === jid);
  }
}
