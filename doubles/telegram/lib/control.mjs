// The control side: plain HTTP with JSON bodies, for tests only. What is not known is refused.

import { createServer } from "node:http";
import { Rpc, Wrong } from "./errors.mjs";
import { accept, device, WAYS } from "./login.mjs";
import { isKnown } from "./methods.mjs";

/** The JSON that is read, at most, in bytes. */
const LONGEST = 1 << 20;

/** What the service's errors have for a number, by how they begin. */
const CODES = [
  [/^FLOOD_WAIT_/, 420],
  [/_MIGRATE_\d+$/, 303],
  [/^(AUTH_KEY_DUPLICATED|SEND_CODE_UNAVAILABLE|UPDATE_APP_TO_LOGIN)$/, 406],
  [/^RECAPTCHA_CHECK_/, 403],
  [/^(AUTH_KEY_|SESSION_|USER_DEACTIVATED)/, 401],
  [/^AUTH_RESTART$/, 500],
];

/** Refuses fields that are not known, and missing ones. */
function only(body, wanted, possible = []) {
  for (const name of Object.keys(body)) if (!wanted.includes(name) && !possible.includes(name)) throw new Wrong(400, name);
  for (const name of wanted) if (body[name] === undefined) throw new Wrong(400, name);
}

const shown = ({ phone, id, first_name, last_name, username, dc, code_via, password, standing }) =>
  ({ phone, id, first_name, last_name, username, dc, code_via, password: password !== null, hint: password?.hint, standing });

/** A login as the control side shows it. */
function login(state, key) {
  const { hash, password_pending, device_model, system_version, api_id, app_name, app_version, date_created, date_active } = device(state, key);
  const { phone } = key.account ?? key.pending;
  const place = { hash, dc: key.dc.id, key: key.id, phone, connections: key.connections.size, password_pending };
  return { ...place, device_model, system_version, api_id, app_name, app_version, date_created, date_active };
}

const logged = ({ id, dc, key, transport, init, since, until, broken, requests }) =>
  ({ id, dc: dc.id, key: key?.id ?? null, transport, init, since, until, broken, requests });

function tokenOf(url) {
  const [, text] = /^tg:\/\/login\?token=([\w-]+)$/.exec(String(url)) ?? [];
  if (!text) throw new Wrong(400, "not-a-code");
  return Buffer.from(text, "base64url");
}

export function control(state) {
  const some = ({ dc, phone, key }) => {
    const account = phone === undefined ? undefined : state.account(phone);
    const wanted = [[dc, (one) => one.dc === state.dc(dc)], [phone, (one) => one.account === account], [key, (one) => one.id === key]];
    const found = state.keys.filter((one) => wanted.every(([given, fits]) => given === undefined || fits(one)));
    if (key !== undefined && found.length === 0) throw new Wrong(404, "no-key");
    return found;
  };
  const calls = {
    "POST /accounts": async (body) => {
      only(body, ["phone"], ["first_name", "last_name", "username", "dc", "password", "hint", "code_via"]);
      if (body.code_via !== undefined && !Object.hasOwn(WAYS, body.code_via)) throw new Wrong(400, "code_via");
      return shown(await state.putAccount(body));
    },
    "GET /accounts": () => [...state.accounts.values()].map(shown),
    "POST /standing": (body) => {
      only(body, ["phone", "standing"]);
      if (![null, "banned", "deactivated"].includes(body.standing)) throw new Wrong(400, "standing");
      return shown(Object.assign(state.account(body.phone), { standing: body.standing }));
    },
    "POST /apis": (body) => {
      only(body, ["id", "hash"], ["title", "published"]);
      if (!Number.isInteger(body.id) || !/^[0-9a-f]{32}$/.test(body.hash)) throw new Wrong(400, "id or hash");
      state.apis.set(body.id, { hash: body.hash, title: body.title ?? "", published: body.published === true });
      return body;
    },
    "POST /keys": (body) => {
      only(body, [], ["count", "dc"]);
      const count = body.count ?? 1;
      if (!Number.isInteger(count) || count < 1 || count > 100_000) throw new Wrong(400, "count");
      const made = state.freshKeys(count, body.dc === undefined ? undefined : [state.dc(body.dc)]);
      return made.map(({ dc, bytes }) => ({ dc: dc.id, key: bytes.toString("hex") }));
    },
    "POST /scan": (body) => {
      only(body, ["url", "phone"]);
      return accept(state, tokenOf(body.url), state.account(body.phone));
    },
    "POST /expire": (body) => {
      only(body, [], ["url"]);
      const one = body.url === undefined ? undefined : state.tokens.get(tokenOf(body.url).toString("hex"));
      if (body.url !== undefined && !one) throw new Wrong(404, "no-token");
      const all = one ? [one] : [...state.tokens.values()];
      for (const token of all) token.until = 0;
      return { count: all.length };
    },
    "GET /code": (body) => {
      only(body, ["phone"]);
      const digits = String(body.phone).replace(/\D/g, "");
      const found = [...state.codes.values()].filter((one) => one.phone === digits).pop();
      if (!found) throw new Wrong(404, "no-code");
      return { code: found.text, via: found.via, until: found.until };
    },
    "POST /expire-code": (body) => {
      only(body, ["phone"]);
      const digits = String(body.phone).replace(/\D/g, "");
      const all = [...state.codes.values()].filter((one) => one.phone === digits);
      for (const code of all) code.until = 0;
      return { count: all.length };
    },
    "GET /sessions": (body) => {
      only(body, [], ["phone"]);
      const found = body.phone === undefined ? state.keys.filter((key) => key.account ?? key.pending) : state.logins(state.account(body.phone));
      return found.map((key) => login(state, key));
    },
    "POST /revoke": (body) => {
      only(body, ["phone"], ["hash", "error"]);
      const error = body.error ?? "SESSION_REVOKED";
      if (!["SESSION_REVOKED", "AUTH_KEY_UNREGISTERED", "SESSION_EXPIRED"].includes(error)) throw new Wrong(400, "error");
      const found = state.logins(state.account(body.phone)).filter((key) => body.hash === undefined || String(key.hash) === body.hash);
      if (body.hash !== undefined && found.length === 0) throw new Wrong(404, "no-session");
      for (const key of found) key.end(error);
      return { count: found.length };
    },
    "POST /forget": (body) => {
      only(body, [], ["phone", "key", "dc"]);
      const found = some(body);
      for (const key of found) {
        key.dc.keys.delete(key.id);
        for (const connection of key.connections) connection.socket.destroy();
      }
      return { count: found.length };
    },
    "POST /salts": (body) => {
      only(body, [], ["phone", "key", "dc"]);
      const found = some(body);
      for (const key of found) key.newSalts();
      return { count: found.length };
    },
    "POST /failures": (body) => {
      only(body, ["method", "error"], ["code", "times", "dc"]);
      if (body.dc !== undefined) state.dc(body.dc);
      if (!isKnown(body.method)) throw new Wrong(400, "method");
      if (!/^[A-Z]\w+$/.test(body.error)) throw new Wrong(400, "error");
      const code = body.code ?? CODES.find(([form]) => form.test(body.error))?.[1] ?? 400;
      const made = { times: 1, ...body, code };
      if (!Number.isInteger(made.times) || made.times < 1) throw new Wrong(400, "times");
      state.failures.push(made);
      return made;
    },
    "DELETE /failures": (body) => {
      only(body, []);
      state.failures = [];
      return {};
    },
    "POST /silences": (body) => {
      only(body, ["at"], ["dc"]);
      if (body.dc !== undefined) state.dc(body.dc);
      if (body.at !== "connect" && !isKnown(body.at)) throw new Wrong(400, "at");
      state.silences.push(body);
      return body;
    },
    "DELETE /silences": (body) => {
      only(body, []);
      state.silences = [];
      return {};
    },
    "POST /drop": (body) => {
      only(body, [], ["dc"]);
      const found = [...state.connections.values()].filter((one) => body.dc === undefined || one.dc === state.dc(body.dc));
      for (const one of found) one.socket.destroy();
      return { count: found.length };
    },
    "GET /log": (body) => {
      only(body, []);
      return [...state.past, ...state.connections.values()].sort((one, other) => one.id - other.id).map(logged);
    },
    "DELETE /log": (body) => {
      only(body, []);
      state.past = [];
      for (const one of state.connections.values()) one.requests.length = 0;
      return {};
    },
    "POST /settings": (body) => {
      only(body, [], Object.keys(state.settings));
      return state.set(body);
    },
    "GET /settings": (body) => {
      only(body, []);
      return state.settings;
    },
  };
  const plain = (_, value) => {
    if (typeof value === "bigint") return String(value);
    return value?.type === "Buffer" && Array.isArray(value.data) ? Buffer.from(value.data).toString("hex") : value;
  };
  return createServer((request, response) => {
    const reply = (status, body) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body, plain));
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", async () => {
      try {
        const address = new URL(request.url, "http://double");
        const call = calls[`${request.method} ${address.pathname}`];
        if (!call) throw new Wrong(404, "no-such-call");
        const text = Buffer.concat(parts);
        if (text.length > LONGEST) throw new Wrong(413, "too-long");
        let body = Object.fromEntries(address.searchParams);
        if (text.length > 0) body = parsed(text.toString());
        reply(200, await call(body));
      } catch (error) {
        if (error instanceof Rpc) return reply(409, { error: error.message });
        if (!(error instanceof Wrong)) console.error(error);
        reply(error.status ?? 500, { error: error.message });
      }
    });
  });
}

function parsed(text) {
  try {
    const body = JSON.parse(text);
    if (body && typeof body === "object" && !Array.isArray(body)) return body;
  } catch {
    // Said below.
  }
  throw new Wrong(400, "no-object");
}
