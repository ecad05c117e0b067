// Binary nodes. The dictionary is read from Baileys as data; reading and writing is this file's own.

import { inflateSync } from "node:zlib";
import { DOUBLE_BYTE_TOKENS, SINGLE_BYTE_TOKENS } from "baileys/lib/WABinary/constants.js";

const words = new Map();
DOUBLE_BYTE_TOKENS.forEach((list, page) => list.forEach((word, index) => words.set(word, [236 + page, index])));
SINGLE_BYTE_TOKENS.forEach((word, index) => word && words.set(word, [index]));

const DOMAINS = { "s.whatsapp.net": 0, lid: 1, hosted: 128, "hosted.lid": 129 };

/** A node: text and bytes are contents as they are, an array is children. */
export const n = (tag, attrs = {}, content = undefined) => ({ tag, attrs, content });

export const child = (node, tag) => (Array.isArray(node?.content) ? node.content.find((one) => one.tag === tag) : undefined);
export const children = (node, tag) => (Array.isArray(node?.content) ? node.content.filter((one) => one.tag === tag) : []);
export const bytes = (node, tag) => {
  const content = child(node, tag)?.content;
  if (content === undefined || Array.isArray(content)) throw new Error(`no ${tag}`);
  return Buffer.from(content);
};

function length(count) {
  if (count === 0) return Buffer.from([0]);
  return count < 256 ? Buffer.from([248, count]) : Buffer.from([249, count >> 8, count & 255]);
}

function raw(data) {
  const body = Buffer.from(data);
  const head = body.length < 256 ? [252, body.length] : [253, (body.length >> 16) & 15, (body.length >> 8) & 255, body.length & 255];
  return Buffer.concat([Buffer.from(head), body]);
}

function packed(text) {
  const digit = (c) => (c === "-" ? 10 : c === "." ? 11 : Number(c));
  const pairs = [];
  for (let at = 0; at < text.length; at += 2) pairs.push((digit(text[at]) << 4) | (at + 1 < text.length ? digit(text[at + 1]) : 15));
  return Buffer.from([255, pairs.length | (text.length % 2 ? 128 : 0), ...pairs]);
}

function string(text) {
  if (words.has(text)) return Buffer.from(words.get(text));
  if (/^[0-9.-]{1,127}$/.test(text)) return packed(text);
  const address = /^([^@:]*)(?::(\d+))?@([a-z.]+)$/.exec(text);
  if (!address) return raw(Buffer.from(text, "utf8"));
  const [, user, device, server] = address;
  if (device !== undefined && server in DOMAINS) {
    return Buffer.concat([Buffer.from([247, DOMAINS[server], Number(device)]), string(user)]);
  }
  return Buffer.concat([Buffer.from([250]), user ? string(user) : Buffer.from([0]), string(server)]);
}

function write(node) {
  const attrs = Object.entries(node.attrs).filter(([, value]) => value !== undefined);
  const parts = [length(1 + 2 * attrs.length + (node.content === undefined ? 0 : 1)), string(node.tag)];
  for (const [name, value] of attrs) parts.push(string(name), string(String(value)));
  if (Array.isArray(node.content)) parts.push(length(node.content.length), ...node.content.map(write));
  else if (typeof node.content === "string") parts.push(string(node.content));
  else if (node.content !== undefined) parts.push(raw(node.content));
  return Buffer.concat(parts);
}

export const encodeNode = (node) => Buffer.concat([Buffer.from([0]), write(node)]);

export function decodeNode(frame) {
  const data = frame[0] & 2 ? inflateSync(frame.subarray(1)) : frame.subarray(1);
  let at = 0;
  const byte = () => {
    if (at >= data.length) throw new Error("a node cut short");
    return data[at++];
  };
  const take = (count) => {
    if (at + count > data.length) throw new Error("a node cut short");
    return data.subarray(at, (at += count));
  };
  const number = (count) => take(count).reduce((all, one) => all * 256 + one, 0);
  const list = (tag) => {
    if (tag === 0) return 0;
    if (tag === 248) return byte();
    if (tag === 249) return number(2);
    throw new Error(`no list: ${tag}`);
  };
  const unpack = (hex) => {
    const size = byte();
    let text = "";
    for (const one of take(size & 127)) for (const half of [one >> 4, one & 15]) text += hex ? half.toString(16).toUpperCase() : "0123456789-.???\0"[half];
    return size & 128 ? text.slice(0, -1) : text;
  };
  const text = (tag) => {
    if (tag === 0) return "";
    if (tag >= 236 && tag <= 239) return DOUBLE_BYTE_TOKENS[tag - 236][byte()];
    if (tag < 236) return SINGLE_BYTE_TOKENS[tag];
    switch (tag) {
      case 252: return take(byte()).toString("utf8");
      case 253: return take(number(3) & 0xfffff).toString("utf8");
      case 254: return take(number(4)).toString("utf8");
      case 255: return unpack(false);
      case 251: return unpack(true);
      case 250: { const user = text(byte()); return `${user}@${text(byte())}`; }
      case 247: {
        const domain = byte(), device = byte(), user = text(byte());
        const server = Object.keys(DOMAINS).find((name) => DOMAINS[name] === domain) ?? "s.whatsapp.net";
        return `${user}${device ? `:${device}` : ""}@${server}`;
      }
      default: throw new Error(`no text: ${tag}`);
    }
  };
  const node = () => {
    const size = list(byte());
    if (size === 0) throw new Error("an empty node");
    const one = n(text(byte()));
    for (let pair = 0; pair < (size - 1) >> 1; pair++) {
      const name = text(byte());
      one.attrs[name] = text(byte());
    }
    if (size % 2 === 0) {
      const tag = byte();
      if (tag === 0 || tag === 248 || tag === 249) one.content = Array.from({ length: list(tag) }, node);
      else if (tag === 252) one.content = Buffer.from(take(byte()));
      else if (tag === 253) one.content = Buffer.from(take(number(3) & 0xfffff));
      else if (tag === 254) one.content = Buffer.from(take(number(4)));
      else one.content = text(tag);
    }
    return one;
  };
  const found = node();
  if (at !== data.length) throw new Error("more than a node");
  return found;
}

/** As the log shows it: bytes as hexadecimal. */
export function plain(node) {
  const content = Array.isArray(node.content) ? node.content.map(plain) : Buffer.isBuffer(node.content) ? { hex: node.content.toString("hex") } : node.content;
  return { tag: node.tag, attrs: node.attrs, ...(content === undefined ? {} : { content }) };
}
