// What one stand-in remembers, all of it in memory: its clients, the models of oidc-provider, who granted what, the
// faults that were asked for and the log of requests.

import { randomBytes } from 'node:crypto';
import { Faults } from './faults.mjs';

export const DAY = 24 * 60 * 60;

export class State {
  constructor(kind, origin) {
    this.kind = kind;
    this.origin = origin;
    // By client id: what the control side said about it.
    this.clients = new Map();
    // What oidc-provider stores: `Model:id` to payload.
    this.models = new Map();
    this.ledger = new Ledger();
    this.faults = new Faults();
    this.log = [];
    // By code: what the authorization request said that the token request has to know.
    this.codes = new Map();
    // By client and tenant: what an administrator has approved.
    this.approvals = new Map();
  }

  settings(client) {
    return this.clients.get(client) ?? {};
  }

  /** How long a client's refresh tokens live, in seconds. */
  refreshLifetime(client) {
    return this.settings(client).refresh_token_expires_in ?? 90 * DAY;
  }

  /** Notes a request; gives the entry, whose status is filled in later. */
  note(endpoint, ctx, params, client) {
    const entry = {
      number: this.log.length + 1,
      time: Date.now(),
      endpoint,
      method: ctx.method,
      path: ctx.originalUrl.split('?')[0],
      params,
      client,
      user_agent: ctx.get('user-agent'),
      authorization: ctx.get('authorization').split(' ')[0],
    };
    this.log.push(entry);
    return entry;
  }

  payloads(model) {
    const found = [];
    for (const [key, payload] of this.models) {
      if (key.startsWith(`${model}:`)) found.push([key, payload]);
    }
    return found;
  }

  /** Changes what is stored of a code or a token. */
  amend(model, id, changes) {
    Object.assign(this.models.get(`${model}:${id}`), changes);
  }

  /** A second token with all that the first one has; both stay good. */
  twin(model, id, lifetime) {
    const jti = randomBytes(32).toString('base64url');
    const iat = Math.floor(Date.now() / 1000);
    this.models.set(`${model}:${jti}`, { ...this.models.get(`${model}:${id}`), jti, iat, exp: iat + lifetime });
    return jti;
  }

  /** Ends grants together with every code and token that came of them; a sign-in that is under way goes on to consent. */
  destroyGrants(ids) {
    for (const [key, payload] of this.models) {
      if (key.startsWith('Interaction:')) continue;
      if (ids.has(payload.grantId) || (key.startsWith('Grant:') && ids.has(payload.jti))) this.models.delete(key);
    }
  }

  /** The person withdraws what they granted to a client, and to all clients of its project. */
  withdraw(client, account) {
    this.destroyGrants(this.ledger.forget(client, account));
  }

  /** Access tokens end before their time; refresh tokens live on. */
  expireAccess(client, account) {
    for (const [key, payload] of this.payloads('AccessToken')) {
      const meant = (!client || payload.clientId === client) && (!account || payload.accountId === account);
      if (meant) this.models.delete(key);
    }
  }
}

/** Who granted what to whom, beyond one browser's session. */
class Ledger {
  #entries = new Map();

  // A grant at Google is given to a project; its clients have the project's number before the hyphen.
  #key(client, account) {
    const project = /^(\d+)-.*\.apps\.googleusercontent\.com$/.exec(client)?.[1];
    return `${project ?? client}|${account}`;
  }

  entry(client, account) {
    const key = this.#key(client, account);
    if (!this.#entries.has(key)) this.#entries.set(key, { scopes: new Set(), grants: new Set() });
    return this.#entries.get(key);
  }

  forget(client, account) {
    const { grants } = this.entry(client, account);
    this.#entries.delete(this.#key(client, account));
    return grants;
  }
}

/** Storage for oidc-provider that tests can look into. */
export const adapter = (state) => class Adapter {
  constructor(model) {
    this.model = model;
  }

  #key(id) {
    return `${this.model}:${id}`;
  }

  async find(id) {
    if (this.model === 'Client') return state.clients.get(id)?.metadata;
    const payload = state.models.get(this.#key(id));
    return payload && { ...payload };
  }

  async findByUid(uid) {
    const found = state.payloads(this.model).find(([, payload]) => payload.uid === uid);
    return found && { ...found[1] };
  }

  async upsert(id, payload) {
    state.models.set(this.#key(id), { ...payload });
  }

  async consume(id) {
    state.models.get(this.#key(id)).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    state.models.delete(this.#key(id));
  }

  async revokeByGrantId(grantId) {
    for (const [key, payload] of state.models) {
      if (payload.grantId === grantId && !key.startsWith('Grant:')) state.models.delete(key);
    }
  }
};
