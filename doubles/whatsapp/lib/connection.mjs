// One connection: the greeting, then a device that wants to be linked, or one that logs in.

import { randomBytes } from "node:crypto";
import { verify } from "./curve.mjs";
import { sha256 } from "./ciphers.mjs";
import { greet, Transport } from "./noise.mjs";
import { bytes, child, children, decodeNode, encodeNode, n, plain } from "./node.mjs";
import { decode } from "./proto.mjs";
import { asserted, meet, reveal, wish, word } from "./phone.mjs";
import { odd } from "./misbehave.mjs";

const SERVER = "s.whatsapp.net";
const NAMES = /^(Chrome|Edge|Firefox|Opera|Safari) \((Mac OS|Windows|Linux|Ubuntu)\)$/;
const frame = (body) => Buffer.concat([Buffer.from([body.length >> 16, (body.length >> 8) & 255, body.length & 255]), body]);

export class Connection {
  constructor(state, socket) {
    Object.assign(this, { state, socket, id: state.next++, buffer: Buffer.alloc(0), intro: false, stanza: 0, log: [] });
    state.connections.set(this.id, this);
    socket.on("message", (data) => this.receive(Buffer.from(data)));
    socket.on("close", () => this.gone());
    socket.on("error", () => this.gone());
  }

  gone() {
    if (!this.state.connections.delete(this.id)) return;
    this.state.past.push(this);
    if (this.state.past.length > 200) this.state.past.shift();
  }

  is(place) {
    return this.state.settings.silent === place;
  }

  receive(data) {
    if (this.is("accept")) return;
    this.buffer = Buffer.concat([this.buffer, data]);
    try {
      if (!this.intro) {
        if (this.buffer.subarray(0, 4).equals(Buffer.from("ED\0\x01", "latin1"))) {
          const length = this.buffer.readUIntBE(4, 3);
          this.routed = this.buffer.subarray(7, 7 + length).toString("hex");
          this.buffer = this.buffer.subarray(7 + length);
        }
        if (!this.buffer.subarray(0, 4).equals(Buffer.from([87, 65, 6, 3]))) throw new Error("no intro");
        this.buffer = this.buffer.subarray(4);
        this.intro = true;
      }
      while (this.buffer.length >= 3) {
        const length = this.buffer.readUIntBE(0, 3);
        if (this.buffer.length < 3 + length) break;
        const body = this.buffer.subarray(3, 3 + length);
        this.buffer = this.buffer.subarray(3 + length);
        this.frame(body);
      }
    } catch (error) {
      this.broken = String(error.message);
      console.error(`connection ${this.id}: ${error.stack}`);
      this.socket.terminate();
    }
  }

  frame(body) {
    if (this.transport) {
      const node = decodeNode(this.transport.open(body));
      this.log.push(plain(node));
      this.hear(node);
    } else if (this.finish) {
      this.greeted(this.finish(body));
    } else {
      const { answer, pattern, finish, done } = greet(this.state.authority, body);
      this.pattern = pattern;
      this.socket.send(frame(answer));
      if (done) this.greeted(done);
      else this.finish = finish;
    }
  }

  send(node) {
    if (this.socket.readyState === 1) this.socket.send(frame(this.transport.seal(encodeNode(node))));
  }

  notify(type, content) {
    this.send(n("notification", { from: SERVER, type, id: String(++this.stanza), t: String(Math.floor(Date.now() / 1000)) }, content));
  }

  end(node) {
    this.send(node);
    this.socket.close();
  }

  greeted({ device, payload, keys }) {
    this.transport = new Transport(keys);
    this.noise = device;
    this.payload = decode("ClientPayload", payload);
    const version = this.payload.userAgent?.appVersion?.tertiary ?? 0;
    if (version < this.state.settings.minVersion) return this.fail({ reason: 405 });
    if (this.payload.devicePairingData) this.register();
    else this.login();
  }

  fail({ reason, expire, code }) {
    this.end(n("failure", { reason: String(reason), expire, code, location: "frc" }));
  }

  register() {
    this.kind = "registration";
    const pairing = (this.pairing = this.payload.devicePairingData);
    const signed = Buffer.concat([Buffer.from([5]), pairing.skeyVal]);
    const right = pairing.regId.length === 4 && pairing.keyType.equals(Buffer.from([5])) && pairing.ident.length === 32
      && pairing.skeyId.length === 3 && verify(pairing.ident, signed, pairing.skeySig) && pairing.buildHash.length === 16;
    if (!right) return this.fail({ reason: 400 });
    const failure = this.state.failure("registration");
    if (failure) return this.fail(failure);
    if (this.is("refs")) return;
    const { refs, firstRefMs, nextRefMs, graceMs, misbehave } = this.state.settings;
    if (misbehave) return odd(misbehave, this, frame);
    const now = Date.now();
    this.refs = Array.from({ length: refs }, (_, at) => ({
      ref: `2@${randomBytes(48).toString("base64")}`,
      until: now + firstRefMs + at * nextRefMs + graceMs,
    }));
    const list = this.refs.map(({ ref }) => n("ref", {}, Buffer.from(ref)));
    this.send(n("iq", { from: SERVER, type: "set", id: String(++this.stanza), xmlns: "md" }, [n("pair-device", {}, list)]));
  }

  /** The phone says yes; resolves once the device has countersigned. */
  pair(account, secret) {
    const { index, details, sealed } = word(account, this, secret);
    const jid = `${account.phone}:${index}@${SERVER}`, lid = `${account.lid}:${index}@lid`;
    const id = String(++this.stanza);
    this.refs = [];
    const answered = new Promise((resolve) => (this.signed = { id, resolve, account, details, jid, lid, index, secret }));
    this.send(n("iq", { from: SERVER, type: "set", id, xmlns: "md", t: String(Math.floor(Date.now() / 1000)) }, [
      n("pair-success", {}, [
        n("device-identity", {}, sealed),
        ...(account.name ? [n("biz", { name: account.name })] : []),
        n("device", { jid, lid }),
        n("platform", { name: account.platform }),
      ]),
    ]));
    return Promise.race([answered, new Promise((resolve) => setTimeout(() => resolve({ error: "no-signature" }), 5_000).unref())]);
  }

  countersigned(node) {
    const { resolve, account, details, jid, lid, index, secret } = this.signed;
    this.signed = undefined;
    const identity = child(child(node, "pair-device-sign"), "device-identity");
    if (node.attrs.type !== "result" || !identity) return resolve({ error: child(node, "error")?.attrs.text ?? "refused" });
    const signed = decode("AdvSigned", identity.content);
    const message = Buffer.concat([Buffer.from([6, 1]), details, this.pairing.ident, account.identity.public]);
    const right = verify(this.pairing.ident, message, signed.deviceSignature) && signed.details.equals(details)
      && identity.attrs["key-index"] === String(index) && !signed.accountSignatureKey;
    if (!right) return resolve({ error: "device-signature" });
    const { regId, ident, skeyVal } = this.pairing;
    this.state.devices.set(jid, { jid, lid, account, noise: this.noise, regId, ident, skey: skeyVal, preKeys: new Map(), queue: [] });
    resolve({ jid, lid, account: account.phone, secret: secret.toString("base64") });
    if (!this.is("restart")) this.end(n("stream:error", { code: "515" }));
  }

  login() {
    this.kind = "login";
    const jid = `${this.payload.username}:${this.payload.device}@${SERVER}`;
    if (this.is("login")) return;
    const failure = this.state.failure(String(this.payload.username));
    if (failure) return this.fail(failure);
    const device = this.state.devices.get(jid);
    if (!device || !device.noise.equals(this.noise)) return this.fail({ reason: 401 });
    this.state.online(jid)?.end(n("stream:error", {}, [n("conflict", { type: "replaced" })]));
    this.device = device;
    const { routing } = this.state.settings;
    this.send(n("success", { t: String(Math.floor(Date.now() / 1000)), props: "27", location: "frc", lid: device.lid }));
    if (routing) this.send(n("ib", { from: SERVER }, [n("edge_routing", {}, [n("routing_info", {}, Buffer.from(routing, "hex"))])]));
    if (!this.payload.passive) this.deliver();
  }

  deliver() {
    for (const id of this.device.queue) {
      this.send(n("message", { from: `${this.device.account.phone}@${SERVER}`, type: "text", id, t: "1", offline: "0" }, [
        n("enc", { v: "2", type: "pkmsg" }, Buffer.from([51, 0])),
      ]));
    }
    this.send(n("ib", { from: SERVER }, [n("offline", { count: String(this.device.queue.length) })]));
  }

  result(node, content) {
    this.send(n("iq", { from: SERVER, type: "result", id: node.attrs.id }, content));
  }

  error(node, code, text) {
    this.send(n("iq", { from: SERVER, type: "error", id: node.attrs.id }, [n("error", { code: String(code), text })]));
  }

  hear(node) {
    if (node.tag === "iq" && (node.attrs.type === "result" || node.attrs.type === "error")) {
      if (this.signed?.id === node.attrs.id) this.countersigned(node);
    } else if (node.tag === "iq") {
      const what = Array.isArray(node.content) ? node.content[0] : undefined;
      if (this.kind === "registration") this.unlinked(node, what);
      else this.linked(node, what);
    } else if ((node.tag === "ack" || node.tag === "receipt") && this.device) {
      this.device.queue = this.device.queue.filter((id) => id !== node.attrs.id);
    }
  }

  unlinked(node, what) {
    if (node.attrs.xmlns === "w:p") return this.result(node);
    if (what?.tag === "link_code_companion_reg") return this.code(node, what);
    const gate = this.gate;
    if (!gate) return this.error(node, 400, "bad-request");
    if (what.tag === "passkey_request_options") {
      return this.result(node, [n("passkey_request_options", {}, JSON.stringify(gate.options))]);
    }
    if (what.tag === "ref") {
      gate.ref = randomBytes(24).toString("base64");
      return this.result(node, [n("ref", {}, Buffer.from(gate.ref))]);
    }
    if (what.tag === "passkey_prologue") {
      const wrong = asserted(gate, what);
      const primary = wrong ? undefined : meet(gate, what);
      if (!primary) return this.error(node, wrong ?? 400, "bad-request");
      this.result(node);
      return this.notify("crsc_continuation", [n("primary_ephemeral_identity", {}, primary)]);
    }
    if (what.tag === "companion_nonce") return reveal(gate, what.content) ? this.result(node) : this.error(node, 400, "commitment");
    if (what.tag === "encrypted_pairing_request") {
      const secret = wish(gate, what.content, this);
      if (!secret) return this.error(node, 400, "bad-request");
      this.result(node);
      gate.paired = this.pair(gate.account, secret);
      return undefined;
    }
    return this.error(node, 400, "bad-request");
  }

  code(node, what) {
    const phone = /^(\d+)@s\.whatsapp\.net$/.exec(what.attrs.jid)?.[1];
    if (what.attrs.stage === "companion_finish") {
      this.result(node);
      return this.completed(what);
    }
    const shown = bytes(what, "companion_platform_display").toString();
    const right = phone && bytes(what, "companion_server_auth_key_pub").equals(this.noise) && NAMES.test(shown)
      && /^[1-9]$/.test(bytes(what, "companion_platform_id").toString()) && bytes(what, "link_code_pairing_nonce").length === 1;
    const wrapped = bytes(what, "link_code_pairing_wrapped_companion_ephemeral_pub");
    if (what.attrs.stage !== "companion_hello" || !right || wrapped.length !== 80) return this.error(node, 400, "bad-request");
    if (this.state.account(phone).throttled) return this.error(node, 429, "rate-overlimit");
    this.hello = { phone, wrapped, ref: randomBytes(32) };
    return this.result(node, [n("link_code_companion_reg", { stage: "companion_hello" }, [n("link_code_pairing_ref", {}, this.hello.ref)])]);
  }

  completed(what) {
    const waiting = this.typed;
    this.typed = undefined;
    waiting?.(what);
  }

  linked(node, what) {
    const device = this.device, { xmlns, type } = node.attrs;
    if (!device) return undefined;
    if (this.state.settings.replaced) return this.end(n("stream:error", {}, [n("conflict", { type: "replaced" })]));
    if (xmlns === "encrypt" && what?.tag === "count") return this.result(node, [n("count", { value: String(device.preKeys.size) })]);
    if (xmlns === "encrypt" && type === "set" && child(node, "list")) return this.keep(node);
    if (xmlns === "encrypt" && what?.tag === "digest") {
      if (device.preKeys.size === 0) return this.error(node, 404, "item-not-found");
      const list = [...device.preKeys.keys()].map((id) => n("id", {}, Buffer.from([id >> 16, (id >> 8) & 255, id & 255])));
      return this.result(node, [n("digest", {}, [n("registration", {}, device.regId), n("type", {}, Buffer.from([5])), n("list", {}, list), n("hash", {}, sha256(device.ident).subarray(0, 20))])]);
    }
    if (what?.tag === "remove-companion-device") {
      if (what.attrs.jid !== device.jid) return this.error(node, 403, "forbidden");
      this.state.devices.delete(device.jid);
      this.result(node);
      return this.end(n("stream:error", { code: "401" }, [n("conflict", { type: "device_removed" })]));
    }
    this.result(node, xmlns === "w:p" ? undefined : []);
    if (xmlns === "passive" && what?.tag === "active") this.deliver();
    return undefined;
  }

  /** One-time keys. */
  keep(node) {
    const device = this.device;
    const skey = child(node, "skey"), value = bytes(skey, "value");
    const right = bytes(node, "registration").equals(device.regId) && bytes(node, "type").equals(Buffer.from([5]))
      && bytes(node, "identity").equals(device.ident)
      && verify(device.ident, Buffer.concat([Buffer.from([5]), value]), bytes(skey, "signature"));
    const keys = children(child(node, "list"), "key").map((key) => [bytes(key, "id"), bytes(key, "value")]);
    if (!right || keys.length === 0 || keys.some(([id, key]) => id.length !== 3 || key.length !== 32)) return this.error(node, 406, "not-acceptable");
    for (const [id, key] of keys) device.preKeys.set(id.readUIntBE(0, 3), key.toString("base64"));
    return this.result(node);
  }
}
