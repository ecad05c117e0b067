// The faults that a test may ask for: each for one client or for all, once or until it is cleared.

export const FAULTS = new Set([
  // The ID token.
  'id_token_missing', 'id_token_wrong_nonce', 'id_token_no_nonce', 'id_token_wrong_iss', 'id_token_wrong_aud',
  'id_token_many_aud', 'id_token_no_iss', 'id_token_no_aud', 'id_token_no_signature', 'id_token_bad_signature', 'id_token_unknown_key', 'id_token_unknown_kid', 'id_token_no_kid',
  'id_token_alg_none', 'id_token_hs256_secret', 'id_token_hs256_public_key', 'id_token_expired',
  'id_token_iat_future', 'id_token_nbf_future', 'id_token_no_sub', 'id_token_empty_sub',
  // Microsoft's alone.
  'id_token_wrong_tid', 'id_token_no_tid', 'id_token_tid_no_guid', 'id_token_of_tenant', 'id_token_foreign_key',
  // The endpoints.
  'userinfo_other_sub', 'userinfo_401', 'userinfo_500',
  'token_400', 'token_401', 'token_500', 'token_503', 'token_html', 'token_huge', 'token_hang', 'token_cut', 'token_moved',
  'token_lost', 'token_no_refresh_token', 'token_fewer_scopes', 'token_no_token_type', 'token_no_expires_in',
  'keys_500', 'keys_hang', 'keys_empty',
  // Google's alone.
  'revoke_hang', 'metadata_nameless', 'metadata_500',
  // The way back.
  'callback_wrong_iss', 'callback_no_iss', 'callback_two_states', 'callback_two_codes', 'authorize_dead_end',
]);

export class Faults {
  #set = [];

  set({ fault, client, value, once = true }) {
    this.#set.push({ fault, client, value, once });
  }

  /** Clears a client's faults, or everybody's. */
  clear(client) {
    this.#set = client ? this.#set.filter((one) => one.client !== client) : [];
  }

  list() {
    return this.#set;
  }

  /** The fault of that name if it is set for this client; one that was meant once is used up. */
  take(fault, client) {
    const at = this.#set.findIndex((one) => one.fault === fault && (!one.client || one.client === client));
    if (at < 0) return undefined;
    const [found] = this.#set.slice(at);
    if (found.once) this.#set.splice(at, 1);
    return found;
  }

  /** The first of several that is set. */
  takeAny(names, client) {
    for (const name of names) {
      const found = this.take(name, client);
      if (found) return found;
    }
    return undefined;
  }
}

const wait = (seconds) => new Promise((done) => { setTimeout(done, seconds * 1000); });

/** Ends the connection without an answer. */
export function cut(ctx) {
  ctx.respond = false;
  ctx.req.socket.destroy();
}

/** Faults that stand before the token endpoint does anything; true when the request has been answered. */
export async function beforeToken(ctx, faults, client) {
  const hang = faults.take('token_hang', client);
  if (hang) await wait(hang.value ?? 30);
  const names = ['token_400', 'token_401', 'token_500', 'token_503', 'token_html', 'token_huge', 'token_cut',
    'token_moved'];
  const found = faults.takeAny(names, client);
  switch (found?.fault) {
    case undefined:
      return false;
    case 'token_400':
      ctx.status = 400;
      ctx.body = { error: 'invalid_grant', error_description: 'Asked for by the test.' };
      if (typeof found.value === 'object') Object.assign(ctx.body, found.value);
      else if (found.value) ctx.body.error = found.value;
      return true;
    case 'token_401':
      ctx.status = 401;
      ctx.body = { error: 'invalid_client', error_description: 'Asked for by the test.' };
      return true;
    case 'token_503':
      ctx.set('retry-after', String(found.value ?? 7));
      // Falls through.
    case 'token_500':
      ctx.status = Number(found.fault.slice(-3));
      ctx.body = { error: 'temporarily_unavailable' };
      return true;
    case 'token_html':
      ctx.type = 'html';
      ctx.body = '<!doctype html><link rel="icon" href="data:,"><title>Sign in</title><p>A page, where nobody expected one.</p>';
      return true;
    case 'token_moved':
      ctx.status = 307;
      ctx.set('location', found.value);
      return true;
    case 'token_huge':
      ctx.type = 'json';
      ctx.body = `{"access_token":"${'x'.repeat(2 * 1024 * 1024)}","token_type":"Bearer","expires_in":3599}`;
      return true;
    default:
      cut(ctx);
      return true;
  }
}

/** Faults in a reply that is otherwise good. */
export function afterToken(ctx, faults, client, signIn) {
  const { body } = ctx;
  if (faults.take('token_no_refresh_token', client)) delete body.refresh_token;
  if (faults.take('token_no_token_type', client)) delete body.token_type;
  if (faults.take('token_no_expires_in', client)) delete body.expires_in;
  const fewer = faults.take('token_fewer_scopes', client);
  if (fewer) {
    const stays = Array.isArray(fewer.value) ? (scope) => !fewer.value.includes(scope) : (scope) => signIn.has(scope);
    body.scope = body.scope.split(' ').filter(stays).join(' ');
  }
  if (faults.take('token_lost', client)) cut(ctx);
}

/** Faults of the keys endpoint; true when the request has been answered. */
export async function beforeKeys(ctx, faults) {
  const found = faults.takeAny(['keys_500', 'keys_hang', 'keys_empty']);
  if (!found) return false;
  if (found.fault === 'keys_hang') {
    await wait(found.value ?? 30);
    return false;
  }
  ctx.status = found.fault === 'keys_500' ? 500 : 200;
  ctx.body = found.fault === 'keys_500' ? { error: 'internal' } : { keys: [] };
  return true;
}

/** Holds a revocation open before it happens. */
export async function beforeRevoke(faults, client) {
  const hang = faults.take('revoke_hang', client);
  if (hang) await wait(hang.value ?? 5);
}

/** Faults of userinfo; true when the request has been answered. */
export function beforeUserinfo(ctx, faults, client) {
  const found = faults.takeAny(['userinfo_401', 'userinfo_500'], client);
  if (!found) return false;
  ctx.status = Number(found.fault.slice(-3));
  ctx.body = { error: found.fault === 'userinfo_401' ? 'invalid_token' : 'internal' };
  return true;
}

/** Faults of the way back, on the list of parameters that the callback is about to get. */
export function bendCallback(pairs, faults, client) {
  let bent = pairs;
  if (faults.take('callback_no_iss', client)) bent = bent.filter(([name]) => name !== 'iss');
  if (faults.take('callback_wrong_iss', client)) {
    bent = [...bent.filter(([name]) => name !== 'iss'), ['iss', 'https://somebody-else.example']];
  }
  for (const [fault, doubled] of [['callback_two_states', 'state'], ['callback_two_codes', 'code']]) {
    if (faults.take(fault, client)) bent = [...bent, ...bent.filter(([name]) => name === doubled)];
  }
  return bent;
}
