// Logins: by a code that a phone scans, by a code that is sent to a phone, by the password after either; the end of a login.

import { randomBytes, randomInt } from "node:crypto";
import { now, seconds } from "./clock.mjs";
import { Rpc } from "./errors.mjs";
import { checkPassword } from "./password.mjs";
import { standing, user } from "./state.mjs";

const CODE_LENGTH = 5;
/** When another code can be had, in seconds. */
const AGAIN = 60;

/** The end of every login, unless a password has to be asked for. */
function enter(key, account) {
  if (standing(account).password) {
    key.pending = account;
    throw new Rpc(401, "SESSION_PASSWORD_NEEDED");
  }
  key.logIn(account);
  return authorization(account);
}

const authorization = (account) => ({ _: "auth.authorization", user: user(account) });

/** A login as the list of devices shows it. */
export const device = (state, key, current = false) => ({
  _: "authorization",
  current,
  password_pending: key.pending !== null,
  hash: current ? 0n : key.hash,
  device_model: key.init.device_model,
  platform: "",
  system_version: key.init.system_version,
  api_id: key.init.api_id,
  app_name: state.apis.get(key.init.api_id)?.title ?? "",
  app_version: key.init.app_version,
  date_created: key.created || seconds(),
  date_active: key.active || seconds(),
  ip: "127.0.0.1",
  country: "",
  region: "",
});

function newToken(state, key, dc, lifetime, more) {
  const token = { bytes: randomBytes(32), key, dc, until: Math.ceil((now() + lifetime) / 1000) * 1000, account: null, used: false, ...more };
  state.tokens.set(token.bytes.toString("hex"), token);
  return token;
}

export function exportLoginToken(state, { key }, { api_id, api_hash, except_ids }) {
  state.checkApi(api_id, api_hash);
  if (key.pending) throw new Rpc(401, "SESSION_PASSWORD_NEEDED");
  if (key.account) return { _: "auth.loginTokenSuccess", authorization: authorization(state.holder(key)) };
  const account = key.accepted;
  if (account && account.dc !== key.dc.id) {
    const { bytes } = newToken(state, key, account.dc, state.settings.migrateMs, { account, migrating: true });
    return { _: "auth.loginTokenMigrateTo", dc_id: account.dc, token: bytes };
  }
  if (account) return { _: "auth.loginTokenSuccess", authorization: enter(key, account) };
  const { bytes, until } = newToken(state, key, key.dc.id, state.settings.tokenMs, { except: except_ids });
  return { _: "auth.loginToken", expires: until / 1000, token: bytes };
}

export function importLoginToken(state, { key }, { token: bytes }) {
  const token = state.tokens.get(bytes.toString("hex"));
  if (!token?.migrating || token.dc !== key.dc.id) throw new Rpc(400, "AUTH_TOKEN_INVALID");
  if (token.used) throw new Rpc(400, "AUTH_TOKEN_ALREADY_ACCEPTED");
  if (token.until <= now()) throw new Rpc(400, "AUTH_TOKEN_EXPIRED");
  token.used = true;
  token.key.accepted = null;
  return { _: "auth.loginTokenSuccess", authorization: enter(key, token.account) };
}

/** What a phone does when it has scanned a code. */
export function accept(state, bytes, account) {
  const token = state.tokens.get(bytes.toString("hex"));
  if (!token || token.migrating) throw new Rpc(400, "AUTH_TOKEN_INVALIDX");
  if (token.account) throw new Rpc(400, "AUTH_TOKEN_ALREADY_ACCEPTED");
  if (token.until <= now()) throw new Rpc(400, "AUTH_TOKEN_EXPIRED");
  standing(account);
  if (token.except.includes(BigInt(account.id))) throw new Rpc(400, "AUTH_TOKEN_EXCEPTION");
  token.account = account;
  token.key.accepted = account;
  if (state.settings.push) token.key.push({ _: "updateLoginToken" });
  return device(state, token.key);
}

export const acceptLoginToken = (state, { key }, { token }) => accept(state, token, state.holder(key));

function number(state, { key }, phone) {
  const plain = phone.replace(/[\s+()-]/g, "");
  if (!/^[1-9]\d{6,14}$/.test(plain)) throw new Rpc(400, "PHONE_NUMBER_INVALID");
  const account = state.find(plain);
  if (account?.standing === "banned") throw new Rpc(400, "PHONE_NUMBER_BANNED");
  if (account && account.dc !== key.dc.id) throw new Rpc(303, `PHONE_MIGRATE_${account.dc}`);
  return { plain, account };
}

/** The ways that codes are sent, as clients are told of them; `email_setup` and `payment` send none. */
export const WAYS = {
  app: () => ({ _: "auth.sentCodeTypeApp", length: CODE_LENGTH }),
  sms: () => ({ _: "auth.sentCodeTypeSms", length: CODE_LENGTH }),
  call: () => ({ _: "auth.sentCodeTypeCall", length: CODE_LENGTH }),
  flash_call: () => ({ _: "auth.sentCodeTypeFlashCall", pattern: "49151*****" }),
  missed_call: () => ({ _: "auth.sentCodeTypeMissedCall", prefix: "49151", length: CODE_LENGTH }),
  email: () => ({ _: "auth.sentCodeTypeEmailCode", email_pattern: "a***@e******.example", length: CODE_LENGTH }),
  email_setup: () => ({ _: "auth.sentCodeTypeSetUpEmailRequired" }),
  fragment: () => ({ _: "auth.sentCodeTypeFragmentSms", url: "https://fragment.com/", length: CODE_LENGTH }),
  firebase: () => ({ _: "auth.sentCodeTypeFirebaseSms", nonce: randomBytes(16), length: CODE_LENGTH }),
  word: ({ text }) => ({ _: "auth.sentCodeTypeSmsWord", beginning: text.slice(0, 1) }),
  phrase: ({ text }) => ({ _: "auth.sentCodeTypeSmsPhrase", beginning: text.split(" ")[0] }),
  payment: () => undefined,
};

/** The way that is open when another did not work. */
const NEXT = { app: "sms", sms: "call", email: "sms", flash_call: "sms", missed_call: "sms", word: "sms", phrase: "sms" };

function sent(code) {
  const { hash, via } = code;
  if (via === "payment") {
    const mail = { support_email_address: "login@telegram.example", support_email_subject: "Login" };
    const price = { store_product: "premium", premium_days: 7, currency: "EUR", amount: 99n };
    return { _: "auth.sentCodePaymentRequired", phone_code_hash: hash, ...mail, ...price };
  }
  const next = { sms: "auth.codeTypeSms", call: "auth.codeTypeCall" }[NEXT[via]];
  return { _: "auth.sentCode", type: WAYS[via](code), phone_code_hash: hash, next_type: next && { _: next }, timeout: next && AGAIN };
}

const digits = () => String(randomInt(10 ** CODE_LENGTH)).padStart(CODE_LENGTH, "0");
const TEXTS = { word: () => `harbour${digits()}`, phrase: () => `seven grey geese ${digits()}` };

function newCode(state, key, phone, via) {
  const code = { hash: randomBytes(9).toString("hex"), phone, via, key, text: (TEXTS[via] ?? digits)(), until: now() + state.settings.codeMs };
  state.codes.set(code.hash, code);
  return code;
}

/** The code that a hash stands for, while it is good. */
function known(state, context, { phone_number, phone_code_hash }) {
  const { plain, account } = number(state, context, phone_number);
  if (!phone_code_hash) throw new Rpc(400, "PHONE_CODE_HASH_EMPTY");
  const code = state.codes.get(phone_code_hash);
  if (!code || code.phone !== plain || code.key !== context.key || code.until <= now()) throw new Rpc(400, "PHONE_CODE_EXPIRED");
  return { code, account };
}

export function sendCode(state, context, { phone_number, api_id, api_hash }) {
  state.checkApi(api_id, api_hash);
  const { plain, account } = number(state, context, phone_number);
  // Only an account that is in use somewhere can read the code there.
  return sent(newCode(state, context.key, plain, account ? account.code_via : "sms"));
}

export function resendCode(state, context, asked) {
  const { code } = known(state, context, asked);
  const via = NEXT[code.via];
  if (!via) throw new Rpc(406, "SEND_CODE_UNAVAILABLE");
  state.codes.delete(code.hash);
  return sent(newCode(state, context.key, code.phone, via));
}

export function cancelCode(state, context, asked) {
  state.codes.delete(known(state, context, asked).code.hash);
  return { _: "boolTrue" };
}

export function signIn(state, context, asked) {
  const { code, account } = known(state, context, asked);
  if (!asked.phone_code) throw new Rpc(400, "PHONE_CODE_EMPTY");
  if (asked.phone_code !== code.text) throw new Rpc(400, "PHONE_CODE_INVALID");
  if (!account) return { _: "auth.authorizationSignUpRequired" };
  state.codes.delete(code.hash);
  return enter(context.key, account);
}

export function withPassword(state, context, asked) {
  const account = checkPassword(state, context, asked);
  context.key.logIn(account);
  return authorization(account);
}

export function logOut(state, { key }) {
  // Who was asked for a password may leave, too.
  if (!key.pending) state.holder(key);
  key.end(null);
  return { _: "auth.loggedOut" };
}

export function resetAuthorization(state, { key }, { hash }) {
  const found = state.logins(state.holder(key)).find((one) => one.hash === hash && one !== key);
  if (!found) throw new Rpc(400, "HASH_INVALID");
  found.end("SESSION_REVOKED");
  return { _: "boolTrue" };
}

export const getAuthorizations = (state, { key }) => ({
  _: "account.authorizations",
  authorization_ttl_days: 180,
  authorizations: state.logins(state.holder(key)).map((one) => device(state, one, one === key)),
});
