// X25519, and XEdDSA signatures over the same keys, from the curve's arithmetic up.

import { createHash, randomBytes } from "node:crypto";
import { ed25519, x25519 } from "@noble/curves/ed25519.js";

const { Point } = ed25519;
const P = 2n ** 255n - 19n;
const L = Point.Fn.ORDER;

const little = (bytes) => BigInt(`0x${Buffer.from(bytes).reverse().toString("hex") || "0"}`);
const bytes32 = (number) => Buffer.from(number.toString(16).padStart(64, "0"), "hex").reverse();
const modulo = (number, by) => ((number % by) + by) % by;
const hash = (...parts) => modulo(little(createHash("sha512").update(Buffer.concat(parts)).digest()), L);

export function generate() {
  const secret = randomBytes(32);
  secret[0] &= 248;
  secret[31] = (secret[31] & 127) | 64;
  return { private: secret, public: Buffer.from(x25519.getPublicKey(secret)) };
}

export const agree = (keys, other) => Buffer.from(x25519.getSharedSecret(keys.private, Uint8Array.from(other)));

export function sign(keys, message) {
  let secret = modulo(little(keys.private), L);
  const point = Buffer.from(Point.BASE.multiply(secret).toBytes());
  if (point[31] >> 7) secret = L - secret;
  point[31] &= 127;
  const prefix = Buffer.alloc(32, 0xff);
  prefix[0] = 0xfe;
  const nonce = hash(prefix, bytes32(secret), message, randomBytes(64));
  const commitment = Buffer.from(Point.BASE.multiply(nonce).toBytes());
  const answer = modulo(nonce + hash(commitment, point, message) * secret, L);
  return Buffer.concat([commitment, bytes32(answer)]);
}

function power(base, exponent) {
  let result = 1n;
  for (let b = modulo(base, P), e = exponent; e > 0n; e >>= 1n, b = (b * b) % P) if (e & 1n) result = (result * b) % P;
  return result;
}

export function verify(key, message, signature) {
  try {
    if (signature.length !== 64 || key.length !== 32) return false;
    const u = modulo(little(key) & (2n ** 255n - 1n), P);
    const point = bytes32(modulo((u - 1n) * power(u + 1n, P - 2n), P));
    const answer = Buffer.from(signature.subarray(32));
    point[31] |= answer[31] & 128;
    answer[31] &= 127;
    const s = little(answer);
    if (s >= L || s === 0n) return false;
    const commitment = signature.subarray(0, 32);
    const challenge = hash(commitment, point, message);
    const expected = Point.BASE.multiply(s).subtract(Point.fromBytes(Uint8Array.from(point)).multiply(challenge));
    return Buffer.from(expected.toBytes()).equals(Buffer.from(commitment));
  } catch {
    return false;
  }
}
