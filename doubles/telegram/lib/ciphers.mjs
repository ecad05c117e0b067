// What MTProto 2.0 is sealed with: AES in its infinite garble extension, the keys of a message, numbers to a power.

import { createCipheriv, createDecipheriv, createHash, randomBytes, timingSafeEqual } from "node:crypto";

const BLOCK = 16;
const hash = (name) => (...parts) => parts.reduce((sum, part) => sum.update(part), createHash(name)).digest();
export const sha1 = hash("sha1");
export const sha256 = hash("sha256");

/** What both directions share; `first` and `second` are what a block is garbled with before and after the cipher. */
function garble(cipher, data, first, second) {
  cipher.setAutoPadding(false);
  const out = Buffer.alloc(data.length);
  const mixed = Buffer.alloc(BLOCK);
  for (let at = 0; at < data.length; at += BLOCK) {
    for (let i = 0; i < BLOCK; i++) mixed[i] = data[at + i] ^ first[i];
    const block = cipher.update(mixed);
    for (let i = 0; i < BLOCK; i++) out[at + i] = block[i] ^ second[i];
    first = out.subarray(at, at + BLOCK);
    second = data.subarray(at, at + BLOCK);
  }
  return out;
}

export const encryptIge = (data, key, iv) => garble(createCipheriv("aes-256-ecb", key, null), data, iv.subarray(0, BLOCK), iv.subarray(BLOCK));
export const decryptIge = (data, key, iv) => garble(createDecipheriv("aes-256-ecb", key, null), data, iv.subarray(BLOCK), iv.subarray(0, BLOCK));

/** The key and vector of a message; `x` is 0 for what a client sends, 8 for what a server sends. */
function derive(authKey, msgKey, x) {
  const a = sha256(msgKey, authKey.subarray(x, x + 36));
  const b = sha256(authKey.subarray(40 + x, 76 + x), msgKey);
  const mix = (one, other) => Buffer.concat([one.subarray(0, 8), other.subarray(8, 24), one.subarray(24, 32)]);
  return [mix(a, b), mix(b, a)];
}

const msgKeyOf = (authKey, plain, x) => sha256(authKey.subarray(88 + x, 120 + x), plain).subarray(8, 24);

/** What a server sends: the message key and the sealed message. */
export function seal(authKey, plain) {
  const padded = Buffer.concat([plain, randomBytes(12 + (-(plain.length + 12) & 15))]);
  const msgKey = msgKeyOf(authKey, padded, 8);
  return Buffer.concat([msgKey, encryptIge(padded, ...derive(authKey, msgKey, 8))]);
}

/** What a client sent, with its padding, or nothing where the message key is not that of what it sealed. */
export function open(authKey, sealed) {
  const msgKey = sealed.subarray(0, 16);
  const body = sealed.subarray(16);
  if (body.length === 0 || body.length % BLOCK !== 0) return undefined;
  const plain = decryptIge(body, ...derive(authKey, msgKey, 0));
  return timingSafeEqual(msgKeyOf(authKey, plain, 0), msgKey) ? plain : undefined;
}

/** The eight bytes that name an auth key. */
export const keyId = (authKey) => sha1(authKey).subarray(12);

export const toNumber = (bytes) => BigInt(`0x${bytes.toString("hex") || "0"}`);
export const toBytes = (number, length) => Buffer.from(number.toString(16).padStart(length * 2, "0"), "hex");

/** A number to a power, in the remainders of a modulus. */
export function power(base, exponent, modulus) {
  let result = 1n;
  for (let square = base % modulus; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

/** The prime that Telegram uses for its keys and for passwords, with the generator 3. */
export const PRIME_BYTES = Buffer.from(
  "c71caeb9c6b1c9048e6c522f70f13f73980d40238e3e21c14934d037563d930f48198a0aa7c14058229493d22530f4dbfa336f6e0ac925139543aed44cce7c37" +
    "20fd51f69458705ac68cd4fe6b6b13abdc9746512969328454f18faf8c595f642477fe96bb2a941d5bcd1d4ac8cc49880708fa9b378e3c4f3a9060bee67cf9a4" +
    "a4a695811051907e162753b56b0f6b410dba74d8a84b2a14b3144e0ef1284754fd17ed950d5965b4b9dd46582db1178d169c6bc465b0d6ff9ca3928fef5b9ae4" +
    "e418fc15e83ebea0f87fa9ff5eed70050ded2849f47bf959d956850ce929851f0d8115f635b105ee2e4e15d04b2454bf6f4fadf034b10403119cd8e3b92fcc5b",
  "hex",
);
export const PRIME = toNumber(PRIME_BYTES);
export const GENERATOR = 3;
