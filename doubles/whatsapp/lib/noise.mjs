// The answering side of the greeting: XX for those who are new, IK for those who know the server's key, and XXfallback for
// those who know an old one.

import { agree, generate, sign } from "./curve.mjs";
import { derive, open, seal, sha256 } from "./ciphers.mjs";
import { decode, encode } from "./proto.mjs";

const PROLOGUE = Buffer.from([87, 65, 6, 3]);
const NONE = Buffer.alloc(0);

const nonce = (counter) => {
  const iv = Buffer.alloc(12);
  iv.writeUInt32BE(counter, 8);
  return iv;
};

class State {
  constructor(pattern) {
    const name = Buffer.from(`Noise_${pattern}_25519_AESGCM_SHA256`);
    this.hash = name.length > 32 ? sha256(name) : Buffer.concat([name, Buffer.alloc(32 - name.length)]);
    this.salt = this.key = this.hash;
    this.counter = 0;
    this.mix(PROLOGUE);
  }
  mix(data) {
    this.hash = sha256(this.hash, data);
  }
  split(secret) {
    const both = derive(secret, this.salt, NONE, 64);
    return [both.subarray(0, 32), both.subarray(32)];
  }
  agree(keys, other) {
    [this.salt, this.key] = this.split(agree(keys, other));
    this.counter = 0;
  }
  seal(text) {
    const sealed = seal(this.key, nonce(this.counter++), text, this.hash);
    this.mix(sealed);
    return sealed;
  }
  open(sealed) {
    const text = open(this.key, nonce(this.counter++), sealed, this.hash);
    this.mix(sealed);
    return text;
  }
}

/** A root, and what it vouches for. */
export class Authority {
  constructor() {
    this.root = generate();
    this.foreign = generate();
    this.useForeign = false;
    this.rotate();
  }
  rotate() {
    this.server = generate();
    this.middle = generate();
  }
  chain() {
    const year = 31_536_000, now = Math.floor(Date.now() / 1000);
    const times = { notBefore: now - year, notAfter: now + year };
    const upper = encode("CertDetails", { serial: 10, issuerSerial: 0, key: this.middle.public, ...times });
    const lower = encode("CertDetails", { serial: 20, issuerSerial: 10, key: this.server.public, ...times });
    const root = this.useForeign ? this.foreign : this.root;
    return encode("CertChain", {
      leaf: { details: lower, signature: sign(this.middle, lower) },
      intermediate: { details: upper, signature: sign(root, upper) },
    });
  }
}

/** Answers a first message; `finish` reads the second one where there is to be one. */
export function greet(authority, message) {
  const hello = decode("Handshake", message).clientHello;
  if (hello?.ephemeral?.length !== 32) throw new Error("a greeting without a key");
  const own = generate(), server = authority.server;
  if (hello.static) {
    try {
      return known(authority, hello, own);
    } catch {
      return fresh(authority, hello, own, "XXfallback");
    }
  }
  return fresh(authority, hello, own, "XX");

  function reply(fields) {
    return encode("Handshake", { serverHello: { ephemeral: own.public, ...fields } });
  }
  function known() {
    const state = new State("IK");
    state.mix(server.public);
    state.mix(hello.ephemeral);
    state.agree(server, hello.ephemeral);
    const device = state.open(hello.static);
    state.agree(server, device);
    const payload = state.open(hello.payload);
    state.mix(own.public);
    state.agree(own, hello.ephemeral);
    state.agree(own, device);
    const answer = reply({ payload: state.seal(authority.chain()) });
    return { answer, pattern: "IK", done: { device, payload, keys: state.split(NONE) } };
  }
  function fresh(_, __, ___, pattern) {
    const state = new State(pattern);
    state.mix(hello.ephemeral);
    state.mix(own.public);
    state.agree(own, hello.ephemeral);
    const fixed = state.seal(server.public);
    state.agree(server, hello.ephemeral);
    const answer = reply({ static: fixed, payload: state.seal(authority.chain()) });
    const finish = (bytes) => {
      const { clientFinish } = decode("Handshake", bytes);
      const device = state.open(clientFinish.static);
      state.agree(own, device);
      const payload = state.open(clientFinish.payload);
      return { device, payload, keys: state.split(NONE) };
    };
    return { answer, pattern, finish };
  }
}

/** What a connection seals and opens with after the greeting. */
export class Transport {
  constructor([read, write]) {
    Object.assign(this, { read, write, reads: 0, writes: 0 });
  }
  open(sealed) {
    return open(this.read, nonce(this.reads++), sealed);
  }
  seal(text) {
    return seal(this.write, nonce(this.writes++), text);
  }
}
