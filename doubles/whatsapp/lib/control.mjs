// The control side: plain HTTP with JSON bodies, for tests only.

import { createServer } from "node:http";
import { n } from "./node.mjs";
import { assertion, scan, type } from "./phone.mjs";
import { KINDS } from "./misbehave.mjs";
import { Wrong } from "./state.mjs";

const removed = () => n("stream:error", { code: "401" }, [n("conflict", { type: "device_removed" })]);

export function control(state) {
  const live = (qr) => {
    const ref = String(qr ?? "").split("#").pop().split(",")[0];
    const found = [...state.connections.values()].filter((one) => one.kind === "registration" && (!qr || one.refs?.some((known) => known.ref === ref)));
    if (found.length === 0) throw new Wrong(404, "no-connection");
    return found;
  };
  const device = (jid) => {
    const found = state.devices.get(jid);
    if (!found) throw new Wrong(404, "no-device");
    return found;
  };
  const calls = {
    "POST /accounts": (body) => {
      const account = state.account(body.phone);
      for (const name of ["passkey", "throttled", "platform", "name"]) if (name in body) account[name] = body[name];
      return { phone: account.phone, lid: account.lid };
    },
    "POST /settings": (body) => {
      for (const name of Object.keys(body)) if (!(name in state.settings)) throw new Wrong(400, name);
      if (body.misbehave && !KINDS.includes(body.misbehave)) throw new Wrong(400, "misbehave");
      return Object.assign(state.settings, body);
    },
    "POST /scan": (body) => scan(state, body),
    "POST /type": (body) => type(state, body),
    "POST /refresh": ({ qr }) => {
      for (const one of live(qr)) one.notify("companion_reg_refresh", [n("pair-device-rotate-qr")]);
      return {};
    },
    "POST /expire": ({ qr }) => {
      for (const one of live(qr)) for (const ref of one.refs ?? []) ref.until = 0;
      return {};
    },
    "POST /withdraw-code": ({ phone }) => {
      const { phone: digits } = state.account(phone);
      const found = [...state.connections.values()].filter((one) => one.hello?.phone === digits);
      for (const one of found) one.notify("link_code_companion_reg", [n("link_code_companion_reg", { stage: "refresh_code" })]);
      return { count: found.length };
    },
    "POST /drop": () => {
      for (const one of state.connections.values()) one.socket.terminate();
      return {};
    },
    "POST /passkey": (body) => assertion(state, body),
    "GET /passkey": ({ phone }) => {
      const { phone: digits } = state.account(phone);
      const gate = [...state.connections.values()].map((one) => one.gate).find((one) => one?.account.phone === digits);
      if (!gate) throw new Wrong(404, "no-gate");
      return { step: gate.step, code: gate.code };
    },
    "POST /unlink": ({ jid, silent }) => {
      device(jid);
      state.devices.delete(jid);
      if (!silent) state.online(jid)?.end(removed());
      return {};
    },
    "POST /failures": (body) => {
      if (!/^\d{3}$/.test(String(body.reason))) throw new Wrong(400, "reason");
      state.failures.push({ once: true, ...body });
      return {};
    },
    "DELETE /failures": () => {
      state.failures = [];
      return {};
    },
    "POST /server": ({ rotate, foreign }) => {
      if (rotate) state.authority.rotate();
      if (foreign !== undefined) state.authority.useForeign = foreign;
      return {};
    },
    "POST /messages": ({ jid, id }) => {
      device(jid).queue.push(String(id));
      return {};
    },
    "GET /devices": ({ jid }) => {
      const { lid, preKeys, queue, account } = device(jid);
      return { jid, lid, phone: account.phone, preKeys: Object.fromEntries(preKeys), queue, online: Boolean(state.online(jid)) };
    },
    "GET /log": () => {
      const all = [...state.past, ...state.connections.values()].sort((one, other) => one.id - other.id);
      return all.map(({ id, kind, pattern, payload, log, broken, routed }) => ({ id, kind, pattern, payload, log, broken, routed }));
    },
    "DELETE /log": () => {
      state.past = [];
      for (const one of state.connections.values()) one.log.length = 0;
      return {};
    },
  };
  const plain = (_, value) => (value?.type === "Buffer" && Array.isArray(value.data) ? { hex: Buffer.from(value.data).toString("hex") } : value);
  return createServer((request, response) => {
    const reply = (status, body) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body, plain));
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", async () => {
      try {
        const address = new URL(request.url, "http://double");
        const call = calls[`${request.method} ${address.pathname}`];
        if (!call) throw new Wrong(404, "no-such-call");
        const text = Buffer.concat(parts).toString();
        const body = text ? JSON.parse(text) : Object.fromEntries(address.searchParams);
        const result = await call(body);
        if (result?.error) throw new Wrong(409, result.error);
        reply(200, result);
      } catch (error) {
        if (!(error instanceof Wrong)) console.error(error);
        reply(error.status ?? 500, { error: error.message });
      }
    });
  });
}
