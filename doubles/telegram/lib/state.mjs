// What the double knows: data centres with their keys, accounts, tokens, codes, and how it is told to behave.

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { clock, seconds } from "./clock.mjs";
import { Rpc, Wrong } from "./errors.mjs";
import { Key, random } from "./keys.mjs";
import { protect } from "./password.mjs";

const FIRST_USER = 7_000_000_001;
/** What an account is of which nothing more is said. */
const NEW = { first_name: "Ada", dc: 1, code_via: "app", password: null, standing: null };

export class State {
  dcs = new Map();
  apis = new Map();
  accounts = new Map();
  tokens = new Map();
  codes = new Map();
  failures = [];
  silences = [];
  connections = new Map();
  past = [];
  /** The key of the exchange, as old as the double. */
  rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  settings = {
    tokenMs: 30_000,
    migrateMs: 30_000,
    codeMs: 300_000,
    push: true,
    skewMs: 0,
  };
  #connection = 0;

  addDc(id) {
    const dc = { id, port: 0, keys: new Map() };
    this.dcs.set(id, dc);
    return dc;
  }

  dc(id) {
    const found = this.dcs.get(Number(id));
    if (!found) throw new Wrong(400, "dc");
    return found;
  }

  addKey(dc, bytes) {
    const key = new Key(dc, bytes);
    dc.keys.set(key.id, key);
    return key;
  }

  /** Fresh keys, as lines of the file that clients take theirs from. */
  freshKeys(count, dcs = [...this.dcs.values()]) {
    const made = [];
    for (let i = 0; i < count; i++) for (const dc of dcs) made.push(this.addKey(dc, randomBytes(256)));
    return made;
  }

  get keys() {
    return [...this.dcs.values()].flatMap((dc) => [...dc.keys.values()]);
  }

  /** Every key that an account is logged in with, or would be but for its password. */
  logins(account) {
    return this.keys.filter((key) => (key.account ?? key.pending) === account);
  }

  connected(connection) {
    this.connections.set((connection.id = ++this.#connection), connection);
  }

  gone(connection) {
    this.connections.delete(connection.id);
    this.past.push(connection);
  }

  /** Changes how the double behaves. */
  set(settings) {
    for (const [name, value] of Object.entries(settings)) {
      if (typeof value !== typeof this.settings[name] || (value < 0 && name !== "skewMs")) throw new Wrong(400, name);
    }
    Object.assign(this.settings, settings);
    clock.skewMs = this.settings.skewMs;
    return this.settings;
  }

  /** The account of a phone number, in whatever way the number is written. */
  find(phone) {
    return this.accounts.get(String(phone).replace(/\D/g, ""));
  }

  account(phone) {
    const found = this.find(phone);
    if (!found) throw new Wrong(404, "no-account");
    return found;
  }

  /** Makes an account, or changes one. */
  async putAccount({ phone, password, hint, ...rest }) {
    const digits = String(phone ?? "").replace(/\D/g, "");
    if (!/^[1-9]\d{6,14}$/.test(digits)) throw new Wrong(400, "phone");
    if (rest.dc !== undefined) rest.dc = this.dc(rest.dc).id;
    for (const name of ["first_name", "last_name", "username"]) {
      if (rest[name] !== undefined && typeof rest[name] !== "string") throw new Wrong(400, name);
    }
    if (typeof (password ?? "") !== "string" || typeof (hint ?? "") !== "string") throw new Wrong(400, "password or hint");
    const account = this.accounts.get(digits) ?? { ...NEW, id: FIRST_USER + this.accounts.size, access_hash: random(), phone: digits };
    Object.assign(account, rest);
    if (password !== undefined) account.password = password === null ? null : await protect(password, hint);
    else if (hint !== undefined && account.password) account.password.hint = hint;
    this.accounts.set(digits, account);
    return account;
  }

  /** Whether something is to be left unanswered. */
  silent(dc, at) {
    return this.silences.some((one) => (one.dc === undefined || one.dc === dc.id) && one.at === at);
  }

  /** Refuses a method where a failure was ordered. */
  failing(dc, method) {
    const found = this.failures.find((one) => one.method === method && (one.dc === undefined || one.dc === dc.id));
    if (!found) return;
    found.times -= 1;
    if (found.times <= 0) this.failures = this.failures.filter((one) => one !== found);
    throw new Rpc(found.code, found.error);
  }

  checkApi(id, hash) {
    const api = this.apis.get(id);
    if (!api || api.hash !== hash) throw new Rpc(400, "API_ID_INVALID");
    if (api.published) throw new Rpc(400, "API_ID_PUBLISHED_FLOOD");
  }

  /** The account that is logged in with a key, or the error that says why there is none. */
  holder(key) {
    if (key.pending) throw new Rpc(401, "SESSION_PASSWORD_NEEDED");
    if (!key.account) throw new Rpc(401, key.ended ?? "AUTH_KEY_UNREGISTERED");
    key.active = seconds();
    return standing(key.account);
  }
}

/** An account that may do something. */
export function standing(account) {
  if (account.standing) throw new Rpc(401, account.standing === "banned" ? "USER_DEACTIVATED_BAN" : "USER_DEACTIVATED");
  return account;
}

/** An account as the API shows it to itself. */
export const user = ({ id, access_hash, first_name, last_name, username, phone }) =>
  ({ _: "user", self: true, id: BigInt(id), access_hash, first_name, last_name, username, phone });
