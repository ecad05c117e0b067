// What is sealed, derived and stretched.

import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, pbkdf2Sync } from "node:crypto";

export const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();
export const hmac = (key, ...parts) => createHmac("sha256", key).update(Buffer.concat(parts)).digest();
export const derive = (secret, salt, info, length) => Buffer.from(hkdfSync("sha256", secret, salt, info, length));
export const stretch = (code, salt) => pbkdf2Sync(code, salt, 1 << 17, 32, "sha256");

export function ctr(key, iv, data) {
  const cipher = createCipheriv("aes-256-ctr", key, iv);
  return Buffer.concat([cipher.update(data), cipher.final()]);
}

export function seal(key, iv, text, aad = Buffer.alloc(0)) {
  const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(aad);
  return Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
}

export function open(key, iv, sealed, aad = Buffer.alloc(0)) {
  if (sealed.length < 16) throw new Error("too short to be sealed");
  const cipher = createDecipheriv("aes-256-gcm", key, iv).setAAD(aad).setAuthTag(sealed.subarray(-16));
  return Buffer.concat([cipher.update(sealed.subarray(0, -16)), cipher.final()]);
}

const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTVWXYZ";

/** Five bytes in the eight characters of a code. */
export function spell(bytes) {
  let number = BigInt(`0x${Buffer.from(bytes).toString("hex")}`), text = "";
  for (let at = 0; at < 8; at++, number >>= 5n) text = ALPHABET[Number(number & 31n)] + text;
  return text;
}
