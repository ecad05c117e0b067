// Auth keys: what one knows of its client and of who is logged in with it, its salts and its sessions. A key belongs to one
// data centre; that it is unknown to the others is the state's business.

import { randomBytes } from "node:crypto";
import { keyId, sha256 } from "./ciphers.mjs";
import { seconds } from "./clock.mjs";

/** How long a salt is new, in seconds; it is good for twice that. */
const SALT_PERIOD = 1800;
/** The most future salts that are given at once. */
const SALTS = 64;

/** A number of 63 bits, as hashes and ids are. */
export const random = () => randomBytes(8).readBigInt64LE() & 0x7fffffffffffffffn;

export class Key {
  /** What the client said of itself in `initConnection`. */
  init = null;
  /** Who is logged in. */
  account = null;
  /** Whose password is waited for. */
  pending = null;
  /** Who accepted a code that this key had made. */
  accepted = null;
  /** The error that says why nobody is logged in any more. */
  ended = null;
  /** The login's number in the list of devices. */
  hash = random();
  created = 0;
  active = 0;
  /** What a password is checked with, once. */
  srp = null;
  sessions = new Map();
  connections = new Set();

  constructor(dc, bytes) {
    this.dc = dc;
    this.bytes = bytes;
    this.name = keyId(bytes);
    this.id = this.name.toString("hex");
    this.generation = 0;
    this.first = null;
  }

  #salt(period) {
    return sha256(this.bytes, `${this.generation} ${period}`).readBigInt64LE();
  }

  get salt() {
    return this.#salt(Math.floor(seconds() / SALT_PERIOD));
  }

  takesSalt(salt) {
    const period = Math.floor(seconds() / SALT_PERIOD);
    return salt === this.first || salt === this.#salt(period) || salt === this.#salt(period - 1);
  }

  futureSalts(count) {
    const period = Math.floor(seconds() / SALT_PERIOD);
    return Array.from({ length: Math.min(Math.max(count, 1), SALTS) }, (_, ahead) => {
      const since = (period + ahead) * SALT_PERIOD;
      return { valid_since: since, valid_until: since + 2 * SALT_PERIOD, salt: this.#salt(period + ahead) };
    });
  }

  /** Has every salt that was given so far refused. */
  newSalts() {
    this.generation += 1;
    this.first = null;
  }

  session(id) {
    const known = this.sessions.get(id);
    if (known) return known;
    const made = { id, contents: 0, seen: new Set() };
    this.sessions.set(id, made);
    return made;
  }

  logIn(account) {
    Object.assign(this, { account, pending: null, accepted: null, ended: null, srp: null, created: seconds(), active: seconds() });
  }

  /** Nobody is logged in any more. */
  end(error) {
    Object.assign(this, { account: null, pending: null, accepted: null, ended: error, srp: null, hash: random() });
  }

  push(update) {
    for (const connection of this.connections) connection.push(update);
  }
}
