// What no server should send, for the tests of clients.

import { deflateSync } from "node:zlib";
import { encodeNode, n } from "./node.mjs";

export const KINDS = ["oversized", "garbage", "nonode", "deep", "greedy", "bomb", "flood", "badrefs", "text", "unsealed"];

export function odd(kind, connection, frame) {
  const raw = (body) => connection.socket.send(frame(connection.transport.seal(body)));
  const list = (refs) => n("iq", { from: "s.whatsapp.net", type: "set", id: "1" }, [n("pair-device", {}, refs)]);
  switch (kind) {
    case "oversized": {
      // Announces sixteen megabytes and begins to send them.
      connection.socket.send(Buffer.concat([Buffer.from([255, 255, 255]), Buffer.alloc(60_000)]));
      const more = setInterval(() => (connection.socket.readyState === 1 ? connection.socket.send(Buffer.alloc(60_000)) : clearInterval(more)), 5);
      return;
    }
    case "garbage": return raw(Buffer.from(Array.from({ length: 400 }, (_, at) => (at * 7919) & 255)));
    case "nonode": return raw(Buffer.from([0, 248, 0]));
    case "deep": {
      let node = n("iq");
      for (let level = 0; level < 1_000; level++) node = n("iq", {}, [node]);
      return raw(encodeNode(node));
    }
    case "greedy": return raw(Buffer.concat([Buffer.from([0]), ...Array.from({ length: 100 }, () => Buffer.from([248, 2, 5, 249, 255, 255]))]));
    case "bomb": return raw(Buffer.concat([Buffer.from([2]), deflateSync(Buffer.alloc(50_000_000, 5))]));
    case "flood": {
      const more = setInterval(() => {
        if (connection.socket.readyState !== 1) return clearInterval(more);
        for (let count = 0; count < 200; count++) connection.send(n("notification", { from: "s.whatsapp.net", type: "devices", id: String(count) }));
        return undefined;
      }, 5);
      return;
    }
    case "badrefs": return connection.send(list([n("ref", {}, Buffer.from("a,b\n"))]));
    case "text": return connection.socket.send("hello");
    case "unsealed": return connection.socket.send(frame(encodeNode(list([]))));
    default: throw new Error(kind);
  }
}
