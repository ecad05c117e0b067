// Writes and reads TL objects as the lines of api.tl and mtproto.tl say. Objects are plain, with their name as `_`; a `long`
// is a BigInt, `bytes` and the wide numbers are Buffers. Owns no meaning.

import { readFileSync } from "node:fs";

const VECTOR = 0x1cb5c415;
/** The longest vector that is read. */
const LONGEST = 10_000;

export class Unreadable extends Error {}
export class Unknown extends Unreadable {
  constructor(id) {
    super(`no constructor ${id.toString(16)}`);
    this.id = id;
  }
}

const byId = new Map();
const byName = new Map();

function field(text) {
  const [name, whole] = text.split(":");
  const [, flags, bit, type] = /^(?:(\w+)\.(\d+)\?)?(.+)$/.exec(whole);
  return { name, flags, bit: Number(bit), type };
}

for (const file of ["mtproto.tl", "api.tl"]) {
  let method = false;
  for (const line of readFileSync(new URL(file, import.meta.url), "utf8").split("\n")) {
    if (line === "---functions---") method = true;
    if (!/^[a-z]/i.test(line)) continue;
    const [, name, id, fields] = /^([\w.]+)#([0-9a-f]+)(.*) = .*;$/i.exec(line);
    const made = { name, id: parseInt(id, 16), method, fields: fields.split(" ").filter((text) => text && !text.startsWith("{")).map(field) };
    byId.set(made.id, made);
    byName.set(name, made);
  }
}

class Writer {
  parts = [];
  raw(bytes) {
    this.parts.push(bytes);
  }
  int(value) {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value | 0);
    this.raw(bytes);
  }
  long(value) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt.asIntN(64, value));
    this.raw(bytes);
  }
  double(value) {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    this.raw(bytes);
  }
  bytes(value) {
    const short = value.length < 254;
    const head = short ? Buffer.from([value.length]) : Buffer.from([254, value.length & 255, (value.length >> 8) & 255, value.length >> 16]);
    this.raw(Buffer.concat([head, value, Buffer.alloc(-(head.length + value.length) & 3)]));
  }
  value(type, value) {
    const wide = /^int(128|256)$/.exec(type);
    const vector = /^([Vv])ector<(.+)>$/.exec(type);
    if (value === undefined) throw new Error(`a ${type} is missing`);
    if (type === "int" || type === "#") this.int(value);
    else if (type === "long") this.long(value);
    else if (type === "double") this.double(value);
    else if (type === "string") this.bytes(Buffer.from(value, "utf8"));
    else if (type === "bytes") this.bytes(value);
    else if (type === "Bool") this.object({ _: value ? "boolTrue" : "boolFalse" });
    else if (wide) {
      if (value.length !== wide[1] / 8) throw new Error(`${value.length} bytes for ${type}`);
      this.raw(value);
    } else if (vector) {
      if (vector[1] === "V") this.int(VECTOR);
      this.int(value.length);
      for (const one of value) this.value(vector[2], one);
    } else if (byName.has(type)) this.fields(byName.get(type), value);
    else this.object(value);
  }
  fields(made, value) {
    for (const known of Object.keys(value)) {
      if (known !== "_" && !made.fields.some((one) => one.name === known)) throw new Error(`${made.name} has no ${known}`);
    }
    for (const { name, flags, type } of made.fields) {
      if (type === "#") {
        const set = made.fields.filter((one) => one.flags === name && value[one.name] !== undefined && value[one.name] !== false);
        this.int(set.reduce((bits, one) => bits | (1 << one.bit), 0));
      } else if (type !== "true" && (!flags || (value[name] !== undefined && value[name] !== false))) this.value(type, value[name]);
    }
  }
  object(value) {
    if (Array.isArray(value)) return this.value(`Vector<${value.type ?? "Object"}>`, value);
    const made = byName.get(value._);
    if (!made) throw new Error(`no ${value._} in the schema`);
    this.int(made.id);
    this.fields(made, value);
  }
}

/** An object's bytes. An array is a vector of objects. */
export function write(value) {
  const writer = new Writer();
  writer.object(value);
  return Buffer.concat(writer.parts);
}

/** Bytes with their length, as `bytes` fields have it. */
export function bytes(value) {
  const writer = new Writer();
  writer.bytes(value);
  return Buffer.concat(writer.parts);
}

/** Reads from the front of bytes. Ends with `Unreadable` where they are not what the schema says. */
export class Reader {
  at = 0;
  constructor(bytes) {
    this.whole = bytes;
  }
  get left() {
    return this.whole.length - this.at;
  }
  raw(length) {
    if (length < 0 || length > this.left) throw new Unreadable("too short");
    this.at += length;
    return this.whole.subarray(this.at - length, this.at);
  }
  int() {
    return this.raw(4).readInt32LE();
  }
  id() {
    return this.raw(4).readUInt32LE();
  }
  long() {
    return this.raw(8).readBigInt64LE();
  }
  bytes() {
    const first = this.raw(1)[0];
    if (first === 255) throw new Unreadable("a length of 255");
    const [length, head] = first < 254 ? [first, 1] : [this.raw(3).readUIntLE(0, 3), 4];
    const value = this.raw(length);
    this.raw(-(head + length) & 3);
    return value;
  }
  value(type) {
    const wide = /^int(128|256)$/.exec(type);
    const vector = /^([Vv])ector<(.+)>$/.exec(type);
    if (type === "int" || type === "#") return this.int();
    if (type === "long") return this.long();
    if (type === "double") return this.raw(8).readDoubleLE();
    if (type === "string") return this.bytes().toString("utf8");
    if (type === "bytes") return this.bytes();
    if (type === "Bool") return this.object()._ === "boolTrue";
    if (wide) return this.raw(wide[1] / 8);
    if (!vector) return this.object();
    if (vector[1] === "V" && this.id() !== VECTOR) throw new Unreadable("no vector");
    const length = this.int();
    if (length < 0 || length > LONGEST) throw new Unreadable("a long vector");
    return Array.from({ length }, () => this.value(vector[2]));
  }
  object() {
    const id = this.id();
    const made = byId.get(id);
    if (!made) throw new Unknown(id);
    const value = { _: made.name };
    for (const { name, flags, bit, type } of made.fields) {
      const there = !flags || ((value[flags] >>> bit) & 1) === 1;
      if (type === "true") value[name] = there;
      else if (there) value[name] = this.value(type);
    }
    return value;
  }
}

/** The one object that bytes are. */
export function read(bytes) {
  const reader = new Reader(bytes);
  const value = reader.object();
  if (reader.left > 0) throw new Unreadable(`${reader.left} bytes too many`);
  return value;
}

/** Whether a name is a method's. */
export const isMethod = (name) => byName.get(name)?.method === true;
