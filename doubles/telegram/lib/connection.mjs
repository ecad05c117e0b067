// One connection of a client: opens what it sends, checks it as the service does, answers, and seals the answers. What the
// API's methods mean is not known here.

import { gunzipSync, gzipSync } from "node:zlib";
import { open, seal } from "./ciphers.mjs";
import { now, seconds } from "./clock.mjs";
import { Broken, Rpc } from "./errors.mjs";
import { Handshake } from "./handshake.mjs";
import { random } from "./keys.mjs";
import { answer, isKnown, unwrap } from "./methods.mjs";
import { bytes, isMethod, read, Reader, Unknown, Unreadable, write } from "./tl.mjs";
import { Transport } from "./transport.mjs";

const RPC_RESULT = 0xf35c6d01;
const CONTAINER = 0x73f1f8dc;
const GZIP = 0x3072cfa1;
/** The most messages in a container, the most bytes that are unpacked, and from how many on answers are packed. */
const MESSAGES = 1020;
const UNPACKED = 1 << 20;
const PACK = 512;
/** How far a message's time may be from ours, in seconds. */
const OLD = 300;
const NEW = 30;
/** How many messages of a session are remembered. */
const REMEMBERED = 1_000;

const int = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
};
const long = (value) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt.asIntN(64, value));
  return bytes;
};

/** What a client is told of a message that was not taken. */
const noted = ({ id, seqno }, object) => ({ body: write({ ...object, bad_msg_id: id, bad_msg_seqno: seqno }), content: false, asked: true });

export class Connection {
  init = null;
  key = null;
  subscribed = false;
  requests = [];
  broken = null;
  #session = null;
  #transport = new Transport();
  #handshake;
  #timer;
  #lastId = 0n;

  constructor(state, dc, socket) {
    Object.assign(this, { state, dc, socket, since: Date.now(), until: null });
    this.#handshake = new Handshake(state, dc);
    state.connected(this);
    socket.setNoDelay(true);
    socket.on("data", (bytes) => this.#data(bytes));
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(this.#timer);
      this.until = Date.now();
      this.key?.connections.delete(this);
      state.gone(this);
    });
  }

  get transport() {
    return this.#transport.name;
  }

  /** Sends an update that nobody asked for. */
  push(update) {
    if (!this.subscribed || !this.#session || this.state.silent(this.dc, "connect")) return;
    const body = write({ _: "updateShort", update, date: seconds() });
    this.#send([{ body, content: true, asked: false }]);
  }

  #data(bytes) {
    if (this.state.silent(this.dc, "connect")) return;
    try {
      for (const packet of this.#transport.packets(bytes)) this.#packet(packet);
    } catch (error) {
      if (!(error instanceof Broken || error instanceof Unreadable)) console.error(error);
      this.broken = error.message;
      this.socket.destroy();
    }
  }

  #packet(packet) {
    if (packet.length < 24) throw new Broken("a short packet");
    if (packet.readBigInt64LE() === 0n) return this.#plain(packet);
    const key = this.dc.keys.get(packet.subarray(0, 8).toString("hex"));
    if (!key) return this.#refuse(404);
    if (this.key && this.key !== key) throw new Broken("two keys on one connection");
    const plain = open(key.bytes, packet.subarray(8));
    if (!plain) throw new Broken("a wrong message key");
    if (plain.length < 48) throw new Broken("a wrong length");
    this.key = key;
    key.connections.add(this);
    const length = plain.readInt32LE(28);
    const padding = plain.length - 32 - length;
    if (length < 4 || length % 4 !== 0 || padding < 12 || padding > 1024) throw new Broken("a wrong length");
    this.#message(plain, { id: plain.readBigInt64LE(16), seqno: plain.readInt32LE(24), body: plain.subarray(32, 32 + length) });
  }

  /** Says that a key is unknown, with the transport's own error. */
  #refuse(code) {
    this.broken = `-${code}`;
    this.socket.end(this.#transport.error(code));
  }

  #plain(packet) {
    const length = packet.readInt32LE(16);
    if (length < 4 || length > packet.length - 20) throw new Broken("a wrong length");
    const body = write(this.#handshake.answer(read(packet.subarray(20, 20 + length))));
    this.socket.write(this.#transport.pack(Buffer.concat([long(0n), long(this.#messageId(true)), int(body.length), body])));
  }

  #message(plain, message) {
    const session = (this.#session = this.key.session(plain.readBigInt64LE(8)));
    const bad = this.#badness(session, message, plain.readBigInt64LE(0));
    if (bad === "seen") return;
    if (bad === 48) return this.#send([noted(message, { _: "bad_server_salt", error_code: 48, new_server_salt: this.key.salt })]);
    if (bad) return this.#send([noted(message, { _: "bad_msg_notification", error_code: bad })]);
    const replies = [];
    if (!session.greeted) {
      session.greeted = true;
      const body = write({ _: "new_session_created", first_msg_id: message.id, unique_id: random(), server_salt: this.key.salt });
      replies.push({ body, content: true, asked: false });
    }
    for (const one of this.#unpacked(message)) {
      const wrong = this.#misnumbered(session, one);
      if (wrong) replies.push(noted(one, { _: "bad_msg_notification", error_code: wrong }));
      else replies.push(...this.#reply(one));
    }
    this.#send(replies);
  }

  /** What is wrong with a message's place in its session, by the protocol's numbers. */
  #misnumbered(session, { id, seqno, body }) {
    const content = this.#isContent(body);
    if (content !== (seqno % 2 === 1)) return content ? 35 : 34;
    const { last } = session;
    if (!content) return 0;
    if (last && id > last.id && seqno <= last.seqno) return 32;
    if (last && id < last.id && seqno >= last.seqno) return 33;
    if (!last || id > last.id) session.last = { id, seqno };
    return 0;
  }

  /** What is wrong with a message, by the protocol's numbers. */
  #badness(session, { id }, salt) {
    const time = Number(id >> 32n);
    if (id & 3n) return 18;
    if (time < seconds() - OLD) return 16;
    if (time > seconds() + NEW) return 17;
    if (session.seen.has(id)) return "seen";
    if (!this.key.takesSalt(salt)) return 48;
    session.seen.add(id);
    if (session.seen.size > REMEMBERED) session.seen.delete(session.seen.values().next().value);
    return 0;
  }

  /** A container's messages, or the message itself; what was packed is unpacked. */
  #unpacked(message) {
    const { body } = message;
    if (body.readUInt32LE() !== CONTAINER) return [{ ...message, body: this.#loosened(body) }];
    const reader = new Reader(body.subarray(4));
    const count = reader.int();
    if (count < 1 || count > MESSAGES) throw new Broken("a wrong container");
    return Array.from({ length: count }, () => {
      const one = { id: reader.long(), seqno: reader.int(), body: reader.raw(reader.int()) };
      if (one.body.length < 4 || one.id >= message.id) throw new Broken("a wrong container");
      return { ...one, body: this.#loosened(one.body) };
    });
  }

  #loosened(body) {
    if (body.readUInt32LE() !== GZIP) return body;
    const packed = new Reader(body.subarray(4)).bytes();
    try {
      const inner = gunzipSync(packed, { maxOutputLength: UNPACKED });
      if (inner.length >= 4) return inner;
    } catch {
      // Said below.
    }
    throw new Broken("a wrong packed object");
  }

  /** Whether an object has to be acknowledged: every request, and nothing else that a client sends. */
  #isContent(body) {
    try {
      const { _: name } = read(body);
      return isMethod(name);
    } catch {
      return true;
    }
  }

  #reply({ id, body }) {
    const plainly = (object) => [{ body: write(object), content: false, asked: true }];
    let request;
    try {
      request = read(body);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      const what = error.id === body.readUInt32LE() ? "METHOD" : "CONSTRUCTOR";
      const text = error instanceof Unknown ? `INPUT_${what}_INVALID_${error.id}` : "INPUT_FETCH_ERROR";
      this.requests.push({ time: Date.now(), method: body.subarray(0, 4).reverse().toString("hex"), error: text });
      return this.#result(id, { _: "rpc_error", error_code: 400, error_message: text });
    }
    switch (request._) {
      case "ping_delay_disconnect":
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.socket.destroy(), request.disconnect_delay * 1000).unref();
      // falls through
      case "ping":
        return plainly({ _: "pong", msg_id: id, ping_id: request.ping_id });
      case "get_future_salts":
        return plainly({ _: "future_salts", req_msg_id: id, now: seconds(), salts: this.key.futureSalts(request.num) });
      case "msgs_state_req":
        return plainly({ _: "msgs_state_info", req_msg_id: id, info: this.#states(request.msg_ids) });
      case "destroy_session":
        return plainly({ _: "destroy_session_none", session_id: request.session_id });
      case "rpc_drop_answer":
        return this.#result(id, { _: "rpc_answer_unknown" });
      case "destroy_auth_key":
        this.dc.keys.delete(this.key.id);
        return plainly({ _: "destroy_auth_key_ok" });
      default:
        return isMethod(request._) ? this.#call(id, request) : [];
    }
  }

  /** For each message, whether it was received (4) or is not known (1). */
  #states(ids) {
    return Buffer.from(ids.map((id) => (this.#session.seen.has(id) ? 4 : 1)));
  }

  /** Answers a method of the API. */
  #call(id, request) {
    const entry = { time: Date.now(), method: request._ };
    try {
      const inner = unwrap(this, request);
      const { _: method, ...params } = inner;
      Object.assign(entry, { method, params });
      this.requests.push(entry);
      if (this.state.silent(this.dc, method)) {
        entry.silent = true;
        return [];
      }
      if (!isKnown(method)) throw new Rpc(400, "METHOD_INVALID");
      const result = answer(this.state, this, inner);
      entry.result = Array.isArray(result) ? "vector" : result._;
      return this.#result(id, result);
    } catch (error) {
      if (!(error instanceof Rpc)) throw error;
      entry.error = error.message;
      if (!this.requests.includes(entry)) this.requests.push(entry);
      return this.#result(id, { _: "rpc_error", error_code: error.code, error_message: error.message });
    }
  }

  #result(id, object) {
    const body = write(object);
    const packed = body.length > PACK && gzipSync(body);
    const inner = packed && packed.length < body.length ? Buffer.concat([int(GZIP), bytes(packed)]) : body;
    return [{ body: Buffer.concat([int(RPC_RESULT), long(id), inner]), content: true, asked: true }];
  }

  /** A server's message number: with 1 at its end for an answer, 3 for what nobody asked for. */
  #messageId(asked) {
    const ms = now();
    const time = (BigInt(Math.floor(ms / 1000)) << 32n) | (BigInt(ms % 1000) * 4_294_967n & ~3n);
    this.#lastId = time > this.#lastId ? time : this.#lastId + 4n;
    return this.#lastId + (asked ? 1n : 3n);
  }

  /** Sends messages, more than one in a container. */
  #send(messages) {
    if (messages.length === 0 || this.socket.destroyed) return;
    const session = this.#session;
    const number = (content) => (content ? session.contents++ * 2 + 1 : session.contents * 2);
    const wrap = ({ body, content, asked }) => Buffer.concat([long(this.#messageId(asked)), int(number(content)), int(body.length), body]);
    const inner = messages.map(wrap);
    const packed = () => wrap({ body: Buffer.concat([int(CONTAINER), int(inner.length), ...inner]), content: false, asked: true });
    const whole = inner.length === 1 ? inner[0] : packed();
    const plain = Buffer.concat([long(this.key.salt), long(session.id), whole]);
    this.socket.write(this.#transport.pack(Buffer.concat([this.key.name, seal(this.key.bytes, plain)])));
  }
}
