// Two-step verification: what is kept of a password, and the server's side of the check (SRP 6a with Telegram's hashes).

import { pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { GENERATOR, power, PRIME, PRIME_BYTES, sha256, toBytes, toNumber } from "./ciphers.mjs";
import { Rpc } from "./errors.mjs";
import { random } from "./keys.mjs";

const G = BigInt(GENERATOR);
const G_BYTES = toBytes(G, 256);
const SAFE = 1n << 1984n;
const derive = promisify(pbkdf2);
const salted = (data, salt) => sha256(salt, data, salt);
const xor = (one, other) => one.map((byte, i) => byte ^ other[i]);

/** What is kept of a password: salts and verifier. */
export async function protect(text, hint) {
  const [salt1, salt2] = [randomBytes(40), randomBytes(16)];
  const primary = salted(salted(Buffer.from(text, "utf8"), salt1), salt2);
  const x = salted(await derive(primary, salt1, 100_000, 64, "sha512"), salt2);
  return { salt1, salt2, hint, verifier: power(G, toNumber(x), PRIME) };
}

const algorithm = ({ salt1, salt2 }) =>
  ({ _: "passwordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow", salt1, salt2, g: GENERATOR, p: PRIME_BYTES });

/** The answer to `account.getPassword`; what it says can be used for one check. */
export function getPassword(state, { key }) {
  const account = key.pending ?? state.holder(key);
  const { password } = account;
  const fresh = {
    _: "account.password",
    new_algo: algorithm({ salt1: randomBytes(8), salt2: randomBytes(16) }),
    new_secure_algo: { _: "securePasswordKdfAlgoPBKDF2HMACSHA512iter100000", salt: randomBytes(8) },
    secure_random: randomBytes(256),
  };
  if (!password) return fresh;
  const k = toNumber(sha256(PRIME_BYTES, G_BYTES));
  const b = toNumber(randomBytes(256));
  const B = (k * password.verifier + power(G, b, PRIME)) % PRIME;
  key.srp = { id: random(), b, B };
  return {
    ...fresh,
    has_password: true,
    current_algo: algorithm(password),
    srp_B: toBytes(B, 256),
    srp_id: key.srp.id,
    hint: password.hint,
  };
}

/** The answer to `auth.checkPassword`. */
export function checkPassword(state, { key }, { password: check }) {
  const account = key.pending ?? state.holder(key);
  const { password } = account;
  const { srp } = key;
  if (!password || check._ === "inputCheckPasswordEmpty") throw new Rpc(400, "PASSWORD_HASH_INVALID");
  if (!srp || srp.id !== check.srp_id) throw new Rpc(400, "SRP_ID_INVALID");
  key.srp = null;
  const A = toNumber(check.A);
  if (check.A.length !== 256 || A < SAFE || A > PRIME - SAFE) throw new Rpc(400, "SRP_A_INVALID");
  const [a, b] = [check.A, toBytes(srp.B, 256)];
  const u = toNumber(sha256(a, b));
  const shared = power((A * power(password.verifier, u, PRIME)) % PRIME, srp.b, PRIME);
  const wanted = sha256(
    xor(sha256(PRIME_BYTES), sha256(G_BYTES)), sha256(password.salt1), sha256(password.salt2), a, b, sha256(toBytes(shared, 256)),
  );
  if (!wanted.equals(check.M1)) throw new Rpc(400, "PASSWORD_HASH_INVALID");
  return account;
}
