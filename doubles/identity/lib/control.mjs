// The side that only tests talk to: clients, faults, the log, and what happens behind a product's back.

import { randomUUID } from 'node:crypto';
import { FAULTS } from './faults.mjs';
import { address, atGoogle, tenantOf } from './people.mjs';

const SETTINGS = new Set([
  'client_id', 'client_secret', 'redirect_uris', 'name', 'access_ttl', 'refresh_token_expires_in',
  // Microsoft's alone.
  'audience', 'home_tenant', 'secret_expired', 'strict_refresh', 'email_claim', 'approval_domains', 'approval_error',
]);

class Wrong extends Error {}

const actions = {
  'POST /clients': (state, asked) => {
    const unknown = Object.keys(asked).filter((name) => !SETTINGS.has(name));
    if (unknown.length) throw new Wrong(`no such setting: ${unknown.join(', ')}`);
    const { client_id, client_secret, redirect_uris } = asked;
    if (!client_id || !client_secret || !redirect_uris?.length) throw new Wrong('client_id, client_secret and redirect_uris are needed');
    const metadata = {
      client_id,
      client_secret,
      redirect_uris,
      grant_types: ['authorization_code', 'refresh_token', ...(state.kind === 'microsoft' ? ['client_credentials'] : [])],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_post',
    };
    state.clients.set(client_id, { ...asked, metadata });
    return {};
  },
  'POST /faults': (state, asked) => {
    if (!FAULTS.has(asked.fault)) throw new Wrong(`no such fault: ${asked.fault}`);
    state.faults.set(asked);
    return {};
  },
  'GET /faults': (state) => state.faults.list(),
  'DELETE /faults': (state, asked) => {
    state.faults.clear(asked.client);
    return {};
  },
  'GET /log': (state, asked) => {
    const entries = state.log.filter((entry) => (!asked.client || entry.client === asked.client)
      && (!asked.endpoint || entry.endpoint === asked.endpoint));
    return { count: entries.length, entries };
  },
  'POST /revoke-user': (state, { client, address: person }) => {
    state.withdraw(client, address(person));
    return {};
  },
  'POST /expire-access': (state, { client, address: person }) => {
    state.expireAccess(client, address(person));
    return {};
  },
  'POST /rotate-keys': async (state) => {
    await state.keys.rotate();
    return {};
  },
  // A security event as Google signs it: `types` about a person, for a client; anything laid over the claims.
  'POST /security-event': async (state, asked) => {
    const { client, address: person, types = [], claims = {}, subject = {}, header, stranger } = asked;
    const sub = atGoogle(address(person), state.origin).sub;
    const about = { subject: { subject_type: 'iss-sub', iss: `${state.origin}/`, sub, ...subject } };
    const token = await state.keys.event({
      iss: `${state.origin}/`,
      aud: [client],
      iat: Math.floor(Date.now() / 1000),
      jti: randomUUID(),
      events: Object.fromEntries(types.map((type) => [type, about])),
      ...claims,
    }, { header, stranger });
    return { token };
  },
  'GET /tenant': (state, { domain }) => ({ tenant: state.tenants?.meet(domain) ?? tenantOf(domain) }),
};

/** Answers the control side. */
export const control = (state) => async (request, response) => {
  const reply = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  try {
    const url = new URL(request.url, 'http://control');
    const action = actions[`${request.method} ${url.pathname}`];
    if (!action) return reply(404, { error: `${request.method} ${url.pathname} is not known` });
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const asked = { ...Object.fromEntries(url.searchParams), ...(text ? JSON.parse(text) : {}) };
    return reply(200, await action(state, asked));
  } catch (error) {
    return reply(error instanceof Wrong || error instanceof SyntaxError ? 400 : 500, { error: error.message });
  }
};
