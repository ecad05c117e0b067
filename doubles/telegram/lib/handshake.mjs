// How a client and a data centre agree on a new auth key: the Diffie-Hellman exchange, under the double's own RSA key. Keys
// for a time only are not made.

import { constants, privateDecrypt, randomBytes } from "node:crypto";
import { decryptIge, encryptIge, GENERATOR, power, PRIME, PRIME_BYTES, sha1, toBytes, toNumber } from "./ciphers.mjs";
import { seconds } from "./clock.mjs";
import { Broken } from "./errors.mjs";
import { bytes, read, Reader, write } from "./tl.mjs";

/** Two primes; whose product they are is what the client has to find out. */
const [P, Q] = [1_229_739_323n, 1_402_015_859n];
const SAFE = 1n << 1984n;

/** The eight bytes by which clients know an RSA key. */
export function fingerprint(rsa) {
  const { n, e } = rsa.publicKey.export({ format: "jwk" });
  return sha1(bytes(Buffer.from(n, "base64url")), bytes(Buffer.from(e, "base64url"))).readBigInt64LE(12);
}

/** An object in front of random bytes, behind its SHA-1. */
function hashed(data) {
  const reader = new Reader(data.subarray(20));
  const value = reader.object();
  if (!sha1(data.subarray(20, 20 + reader.at)).equals(data.subarray(0, 20))) throw new Broken("a wrong hash");
  return value;
}

/** One exchange, step by step. Ends with `Broken` at the first thing that is wrong. */
export class Handshake {
  #nonce;
  #serverNonce = randomBytes(16);
  #newNonce;
  #secret;

  constructor(state, dc) {
    Object.assign(this, { state, dc });
  }

  answer(request) {
    const steps = {
      req_pq: () => this.#begin(request),
      req_pq_multi: () => this.#begin(request),
      req_DH_params: () => this.#offer(request),
      set_client_DH_params: () => this.#finish(request),
    };
    if (!(request._ in steps)) throw new Broken(`${request._} in the clear`);
    if (this.#nonce && !request._.startsWith("req_pq")) this.#same(request);
    return steps[request._]();
  }

  get #nonces() {
    return { nonce: this.#nonce, server_nonce: this.#serverNonce };
  }

  #same({ nonce, server_nonce }) {
    if (!nonce.equals(this.#nonce) || !server_nonce.equals(this.#serverNonce)) throw new Broken("another exchange's nonce");
  }

  #begin({ nonce }) {
    this.#nonce = Buffer.from(nonce);
    const server_public_key_fingerprints = [fingerprint(this.state.rsa)];
    return { _: "resPQ", ...this.#nonces, pq: toBytes(P * Q, 8), server_public_key_fingerprints };
  }

  #offer({ p, q, public_key_fingerprint, encrypted_data }) {
    if (!this.#nonce) throw new Broken("a step too early");
    if (toNumber(p) !== P || toNumber(q) !== Q) throw new Broken("wrong factors");
    if (public_key_fingerprint !== fingerprint(this.state.rsa)) throw new Broken("another RSA key");
    const block = privateDecrypt({ key: this.state.rsa.privateKey, padding: constants.RSA_NO_PADDING }, encrypted_data);
    const inner = hashed(block.subarray(1));
    if (!["p_q_inner_data", "p_q_inner_data_dc"].includes(inner._)) throw new Broken("a key of another kind");
    if (inner.dc !== undefined && inner.dc !== this.dc.id) throw new Broken("another data centre's key");
    this.#same(inner);
    if (toNumber(inner.pq) !== P * Q || toNumber(inner.p) !== P || toNumber(inner.q) !== Q) throw new Broken("wrong factors");
    this.#newNonce = Buffer.from(inner.new_nonce);
    this.#secret = toNumber(randomBytes(256));
    const answer = write({
      _: "server_DH_inner_data",
      ...this.#nonces,
      g: GENERATOR,
      dh_prime: PRIME_BYTES,
      g_a: toBytes(power(BigInt(GENERATOR), this.#secret, PRIME), 256),
      server_time: seconds(),
    });
    const data = Buffer.concat([sha1(answer), answer, randomBytes(-(20 + answer.length) & 15)]);
    return { _: "server_DH_params_ok", ...this.#nonces, encrypted_answer: encryptIge(data, ...this.#temporary()) };
  }

  #finish({ encrypted_data }) {
    if (!this.#secret || encrypted_data.length % 16 !== 0) throw new Broken("a step too early");
    const inner = hashed(decryptIge(encrypted_data, ...this.#temporary()));
    if (inner._ !== "client_DH_inner_data") throw new Broken("no half of a key");
    this.#same(inner);
    const half = toNumber(inner.g_b);
    if (half < SAFE || half > PRIME - SAFE) throw new Broken("half a key that is not safe");
    const key = this.state.addKey(this.dc, toBytes(power(half, this.#secret, PRIME), 256));
    const [one, other] = [this.#newNonce.readBigInt64LE(), this.#serverNonce.readBigInt64LE()];
    key.first = one ^ other;
    const number = sha1(this.#newNonce, Buffer.from([1]), sha1(key.bytes).subarray(0, 8));
    this.#secret = undefined;
    return { _: "dh_gen_ok", ...this.#nonces, new_nonce_hash1: number.subarray(4) };
  }

  /** Key and vector of the exchange itself. */
  #temporary() {
    const [own, theirs] = [this.#serverNonce, this.#newNonce];
    const middle = sha1(own, theirs);
    return [
      Buffer.concat([sha1(theirs, own), middle.subarray(0, 12)]),
      Buffer.concat([middle.subarray(12), sha1(theirs, theirs), theirs.subarray(0, 4)]),
    ];
  }
}
