// The account's phone and its person: what happens when a code is scanned or typed, or a passkey is used.

import { createHash, createPublicKey, randomBytes, sign as signWith, verify as verifyWith } from "node:crypto";
import { agree, generate, sign } from "./curve.mjs";
import { ctr, derive, hmac, open, sha256, spell, stretch } from "./ciphers.mjs";
import { decode, encode } from "./proto.mjs";
import { bytes, n } from "./node.mjs";
import { Wrong } from "./state.mjs";

const RP = "web.whatsapp.com";

/** Scans a code as it is on a screen. */
export function scan(state, { qr, phone }) {
  const text = String(qr ?? "");
  const [address, rest] = text.includes("#") ? text.split("#") : ["https://wa.me/settings/linked_devices", text];
  const fields = (rest ?? "").split(",");
  if (address !== "https://wa.me/settings/linked_devices" || fields.length !== 5) throw new Wrong(400, "not-a-code");
  const [ref, noise, identity, secret, client] = fields;
  const keys = [noise, identity, secret].map((key) => Buffer.from(key, "base64"));
  if (keys.some((key) => key.length !== 32) || !/^[1-9]$/.test(client)) throw new Wrong(400, "not-a-code");
  const connection = [...state.connections.values()].find((one) => one.refs?.some((known) => known.ref === ref));
  if (!connection) throw new Wrong(404, "ref-unknown");
  if (connection.refs.find((known) => known.ref === ref).until < Date.now()) throw new Wrong(410, "ref-expired");
  if (!connection.noise.equals(keys[0]) || !connection.pairing.ident.equals(keys[1])) throw new Wrong(400, "other-keys");
  const account = state.account(phone);
  if (account.passkey) {
    gate(account, connection);
    return { passkey: true };
  }
  return connection.pair(account, keys[2]);
}

/** The account's word for the device, sealed with the secret of its code. */
export function word(account, connection, secret) {
  const index = ++account.devices;
  const details = encode("AdvDevice", { rawId: account.rawId, timestamp: Math.floor(Date.now() / 1000), keyIndex: index });
  const identity = connection.pairing.ident;
  const signature = sign(account.identity, Buffer.concat([Buffer.from([6, 0]), details, identity]));
  const signed = encode("AdvSigned", {
    details,
    accountSignatureKey: account.identity.public,
    accountSignature: signature,
  });
  return { index, details, sealed: encode("AdvHmac", { details: signed, hmac: hmac(secret, signed) }) };
}

/** Types a pairing code; resolves with what the phone shows in the end. */
export async function type(state, { phone, code }) {
  const account = state.account(phone);
  const connection = [...state.connections.values()].find((one) => one.hello?.phone === account.phone);
  if (!connection) throw new Wrong(404, "no-code-wanted");
  const typed = String(code ?? "").replace("-", "").toUpperCase();
  if (!/^[1-9A-HJ-NP-TV-Z]{8}$/.test(typed)) throw new Wrong(400, "code");
  const { wrapped, ref } = connection.hello;
  const theirs = ctr(stretch(typed, wrapped.subarray(0, 32)), wrapped.subarray(32, 48), wrapped.subarray(48));
  const own = generate(), salt = randomBytes(32), iv = randomBytes(16);
  const answered = new Promise((resolve) => (connection.typed = resolve));
  connection.notify("link_code_companion_reg", [
    n("link_code_companion_reg", { stage: "primary_hello" }, [
      n("link_code_pairing_ref", {}, ref),
      n("primary_identity_pub", {}, account.identity.public),
      n("link_code_pairing_wrapped_primary_ephemeral_pub", {}, Buffer.concat([salt, iv, ctr(stretch(typed, salt), iv, own.public)])),
    ]),
  ]);
  const finish = await Promise.race([answered, new Promise((resolve) => setTimeout(resolve, 5_000))]);
  if (!finish) throw new Wrong(504, "no-answer");
  let shared, opened;
  try {
    shared = agree(own, theirs);
    const bundle = bytes(finish, "link_code_pairing_wrapped_key_bundle");
    const key = derive(shared, bundle.subarray(0, 32), "link_code_pairing_key_bundle_encryption_key", 32);
    opened = open(key, bundle.subarray(32, 44), bundle.subarray(44));
  } catch {
    throw new Wrong(409, "wrong-code");
  }
  const identity = bytes(finish, "companion_identity_public");
  const right = opened.length === 96 && opened.subarray(0, 32).equals(identity) && identity.equals(connection.pairing.ident)
    && opened.subarray(32, 64).equals(account.identity.public) && bytes(finish, "link_code_pairing_ref").equals(ref);
  if (!right) throw new Wrong(409, "other-keys");
  const secret = derive(Buffer.concat([shared, agree(account.identity, identity), opened.subarray(64)]), Buffer.alloc(0), "adv_secret", 32);
  connection.hello = undefined;
  return connection.pair(account, secret);
}

/** Asks the new device for a passkey. */
function gate(account, connection) {
  const options = {
    challenge: randomBytes(32).toString("base64url"),
    rpId: RP,
    allowCredentials: [{ type: "public-key", id: account.credential.id.toString("base64url") }],
    userVerification: "preferred",
    timeout: 60_000,
  };
  connection.gate = { account, options, step: "asked" };
  const question = [n("passkey_request_options", {}, JSON.stringify(options))];
  connection.notify("passkey_prologue_request", account.passkey === "ask" ? undefined : question);
}

/** What a person's passkey makes of a request, on a page of the origin given. */
export function assertion(state, { phone, options, origin }) {
  const account = state.account(phone);
  const request = typeof options === "string" ? JSON.parse(options) : options;
  const client = Buffer.from(JSON.stringify({ type: "webauthn.get", challenge: request.challenge, origin: origin ?? `https://${RP}` }));
  const data = Buffer.concat([sha256(Buffer.from(request.rpId)), Buffer.from([5, 0, 0, 0, 1])]);
  const signature = signWith("sha256", Buffer.concat([data, sha256(client)]), account.credential.privateKey);
  const id = account.credential.id.toString("base64url");
  return {
    id,
    rawId: id,
    type: "public-key",
    response: {
      clientDataJSON: client.toString("base64url"),
      authenticatorData: data.toString("base64url"),
      signature: signature.toString("base64url"),
      userHandle: null,
    },
  };
}

/** The server's check of an assertion; gives the code of what is wrong with it. */
export function asserted(gate, prologue) {
  try {
    const { account, options } = gate;
    if (!bytes(prologue, "credential_id").equals(account.credential.id)) return 400;
    const given = JSON.parse(bytes(prologue, "webauthn_assertion").toString("utf8"));
    const [client, data, signature] = ["clientDataJSON", "authenticatorData", "signature"].map((name) => Buffer.from(given.response[name], "base64url"));
    const said = JSON.parse(client.toString("utf8"));
    if (said.type !== "webauthn.get" || said.challenge !== options.challenge || said.origin !== `https://${RP}`) return 400;
    if (!data.subarray(0, 32).equals(createHash("sha256").update(RP).digest()) || !(data[32] & 1)) return 400;
    const key = createPublicKey(account.credential.publicKey.export({ type: "spki", format: "pem" }));
    return verifyWith("sha256", Buffer.concat([data, sha256(client)]), key, signature) ? undefined : 400;
  } catch {
    return 400;
  }
}

/** After a good assertion: the phone's key and nonce. */
export function meet(gate, prologue) {
  const payload = decode("Prologue", bytes(prologue, "prologue_payload"));
  const companion = decode("Companion", payload.companion);
  if (companion.ref !== gate.ref || companion.publicKey?.length !== 32) return undefined;
  Object.assign(gate, { payload, companion, keys: generate(), nonce: randomBytes(32), step: "met" });
  return encode("Primary", { publicKey: gate.keys.public, nonce: gate.nonce });
}

/** The device's nonce, as it was bound to; gives what the phone shows. */
export function reveal(gate, nonce) {
  if (gate.step !== "met" || !sha256(gate.payload.companion, nonce).equals(gate.payload.commitment.hash)) return false;
  const digest = sha256(nonce, gate.keys.public);
  gate.code = spell(Buffer.from(gate.nonce.subarray(0, 5).map((byte, at) => byte ^ digest[at])));
  gate.step = "shown";
  return true;
}

/** The device's keys, sealed for the phone; gives the secret. */
export function wish(gate, sealed, connection) {
  if (gate.step !== "shown") return undefined;
  try {
    const salt = Buffer.from(`Companion Pairing ${gate.companion.deviceType} with ref ${gate.ref}`);
    const key = derive(agree(gate.keys, gate.companion.publicKey), salt, "Pairing Information Encryption Key", 32);
    const { payload, iv } = decode("Sealed", sealed);
    const found = decode("Wish", open(key, iv, payload));
    const right = found.publicKey.equals(connection.noise) && found.identityKey.equals(connection.pairing.ident);
    return right && found.advSecret.length === 32 ? found.advSecret : undefined;
  } catch {
    return undefined;
  }
}
