// How packets lie in a TCP stream: full (with a number and a checksum), abridged and intermediate, told apart by what comes
// first. Ends with an error where the bytes are no packets.

import { crc32 } from "node:zlib";
import { Broken } from "./errors.mjs";

/** The longest packet that is taken, in bytes. */
const LONGEST = 1 << 20;

const full = {
  name: "full",
  sent: 0,
  received: 0,
  unpack(bytes) {
    if (bytes.length < 4) return undefined;
    const length = bytes.readUInt32LE();
    if (length < 16 || length > LONGEST) throw new Broken(`a packet of ${length} bytes`);
    if (bytes.length < length) return undefined;
    if (bytes.readInt32LE(4) !== this.received) throw new Broken("packets out of order");
    if (bytes.readUInt32LE(length - 4) !== crc32(bytes.subarray(0, length - 4))) throw new Broken("a wrong checksum");
    this.received += 1;
    return { packet: bytes.subarray(8, length - 4), used: length };
  },
  pack(packet) {
    const out = Buffer.alloc(packet.length + 12);
    out.writeUInt32LE(out.length, 0);
    out.writeInt32LE(this.sent, 4);
    packet.copy(out, 8);
    out.writeUInt32LE(crc32(out.subarray(0, out.length - 4)), out.length - 4);
    this.sent += 1;
    return out;
  },
};

const abridged = {
  name: "abridged",
  unpack(bytes) {
    if (bytes.length < 1 || (bytes[0] === 0x7f && bytes.length < 4)) return undefined;
    const [head, length] = bytes[0] === 0x7f ? [4, bytes.readUIntLE(1, 3) * 4] : [1, bytes[0] * 4];
    if (length === 0 || length > LONGEST) throw new Broken(`a packet of ${length} bytes`);
    return bytes.length < head + length ? undefined : { packet: bytes.subarray(head, head + length), used: head + length };
  },
  pack(packet) {
    const words = packet.length / 4;
    const head = words < 0x7f ? Buffer.from([words]) : Buffer.from([0x7f, words & 255, (words >> 8) & 255, words >> 16]);
    return Buffer.concat([head, packet]);
  },
};

const intermediate = {
  name: "intermediate",
  unpack(bytes) {
    if (bytes.length < 4) return undefined;
    const length = bytes.readUInt32LE();
    if (length === 0 || length > LONGEST) throw new Broken(`a packet of ${length} bytes`);
    return bytes.length < 4 + length ? undefined : { packet: bytes.subarray(4, 4 + length), used: 4 + length };
  },
  pack(packet) {
    const head = Buffer.alloc(4);
    head.writeUInt32LE(packet.length);
    return Buffer.concat([head, packet]);
  },
};

/** The framing of one connection, from its first bytes on. */
export class Transport {
  #waiting = Buffer.alloc(0);
  #framing;

  get name() {
    return this.#framing?.name;
  }

  /** The packets that bytes complete. */
  *packets(bytes) {
    this.#waiting = this.#waiting.length ? Buffer.concat([this.#waiting, bytes]) : bytes;
    if (!this.#framing && !this.#begin()) return;
    for (;;) {
      const found = this.#framing.unpack(this.#waiting);
      if (!found) break;
      this.#waiting = this.#waiting.subarray(found.used);
      yield found.packet;
    }
    // A copy, so that a small rest does not keep the large piece that it came in.
    this.#waiting = Buffer.from(this.#waiting);
  }

  pack(packet) {
    return this.#framing.pack(packet);
  }

  /** An error of the transport's own, four bytes; in full transport it stands where a length would. */
  error(code) {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(-code);
    return this.#framing.name === "full" ? bytes : this.#framing.pack(bytes);
  }

  #begin() {
    const first = this.#waiting;
    if (first[0] === 0xef) {
      this.#framing = { ...abridged };
      this.#waiting = first.subarray(1);
    } else if (first.length >= 4) {
      const tagged = first.readUInt32LE() === 0xeeeeeeee;
      this.#framing = tagged ? { ...intermediate } : { ...full };
      this.#waiting = tagged ? first.subarray(4) : first;
    }
    return Boolean(this.#framing);
  }
}
