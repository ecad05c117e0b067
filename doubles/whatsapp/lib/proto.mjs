// A small reader and writer of protobuf, and the messages that the double understands. Fields it does not know are kept as
// `_<number>`, so that nothing a client says is lost from the log.

const U = "uint", B = "bytes", S = "string", M = (type) => ({ type });

export const types = {
  Handshake: { 2: ["clientHello", M("ClientHello")], 3: ["serverHello", M("ServerHello")], 4: ["clientFinish", M("ClientFinish")] },
  ClientHello: { 1: ["ephemeral", B], 2: ["static", B], 3: ["payload", B] },
  ServerHello: { 1: ["ephemeral", B], 2: ["static", B], 3: ["payload", B] },
  ClientFinish: { 1: ["static", B], 2: ["payload", B] },
  CertChain: { 1: ["leaf", M("Cert")], 2: ["intermediate", M("Cert")] },
  Cert: { 1: ["details", B], 2: ["signature", B] },
  CertDetails: { 1: ["serial", U], 2: ["issuerSerial", U], 3: ["key", B], 4: ["notBefore", U], 5: ["notAfter", U] },
  ClientPayload: {
    1: ["username", U], 3: ["passive", U], 5: ["userAgent", M("UserAgent")], 6: ["webInfo", M("WebInfo")], 7: ["pushName", S],
    12: ["connectType", U], 13: ["connectReason", U], 18: ["device", U], 19: ["devicePairingData", M("Pairing")], 33: ["pull", U],
    41: ["lidDbMigrated", U],
  },
  UserAgent: {
    1: ["platform", U], 2: ["appVersion", M("Version")], 3: ["mcc", S], 4: ["mnc", S], 5: ["osVersion", S], 7: ["device", S],
    8: ["osBuildNumber", S], 10: ["releaseChannel", U], 11: ["language", S], 12: ["country", S],
  },
  Version: { 1: ["primary", U], 2: ["secondary", U], 3: ["tertiary", U] },
  WebInfo: { 4: ["webSubPlatform", U] },
  Pairing: {
    1: ["regId", B], 2: ["keyType", B], 3: ["ident", B], 4: ["skeyId", B], 5: ["skeyVal", B], 6: ["skeySig", B],
    7: ["buildHash", B], 8: ["deviceProps", M("DeviceProps")],
  },
  DeviceProps: { 1: ["os", S], 2: ["version", M("Version")], 3: ["platformType", U], 4: ["requireFullSync", U], 5: ["history", M("History")] },
  History: {},
  AdvHmac: { 1: ["details", B], 2: ["hmac", B], 3: ["accountType", U] },
  AdvSigned: { 1: ["details", B], 2: ["accountSignatureKey", B], 3: ["accountSignature", B], 4: ["deviceSignature", B] },
  AdvDevice: { 1: ["rawId", U], 2: ["timestamp", U], 3: ["keyIndex", U], 4: ["accountType", U], 5: ["deviceType", U] },
  Companion: { 1: ["publicKey", B], 2: ["deviceType", U], 3: ["ref", S] },
  Prologue: { 1: ["companion", B], 2: ["commitment", M("Commitment")] },
  Commitment: { 1: ["hash", B] },
  Primary: { 1: ["publicKey", B], 2: ["nonce", B] },
  Sealed: { 1: ["payload", B], 2: ["iv", B] },
  Wish: { 1: ["publicKey", B], 2: ["identityKey", B], 3: ["advSecret", B] },
};

function varint(value) {
  const bytes = [];
  let rest = BigInt(value);
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return Buffer.from([...bytes, Number(rest)]);
}

export function encode(type, message) {
  const parts = [];
  for (const [number, [name, kind]] of Object.entries(types[type])) {
    const value = message[name];
    if (value === undefined) continue;
    if (kind === U) {
      parts.push(varint(Number(number) << 3), varint(value));
      continue;
    }
    const body = kind === B ? Buffer.from(value) : kind === S ? Buffer.from(value, "utf8") : encode(kind.type, value);
    parts.push(varint((Number(number) << 3) | 2), varint(body.length), body);
  }
  return Buffer.concat(parts);
}

export function decode(type, bytes) {
  const data = Buffer.from(bytes), message = {};
  let at = 0;
  const read = () => {
    let value = 0n, shift = 0n;
    for (;;) {
      if (at >= data.length || shift > 63n) throw new Error(`${type}: cut short`);
      const byte = data[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
      shift += 7n;
    }
  };
  while (at < data.length) {
    const key = Number(read()), number = key >> 3;
    const [name, kind] = types[type][number] ?? [`_${number}`, undefined];
    if ((key & 7) === 0) message[name] = Number(read());
    else if ((key & 7) === 2) {
      const length = Number(read());
      if (at + length > data.length) throw new Error(`${type}: cut short`);
      const body = data.subarray(at, (at += length));
      message[name] = kind === S ? body.toString("utf8") : kind?.type ? decode(kind.type, body) : Buffer.from(body);
    } else if ((key & 7) === 5) message[name] = data.readUInt32LE((at += 4) - 4);
    else throw new Error(`${type}: a field of another sort`);
  }
  return message;
}
