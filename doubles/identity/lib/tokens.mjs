// Microsoft's token endpoint: what is asked before oidc-provider, and what is made of its answer.

import { randomUUID } from 'node:crypto';
import { numberFor, tokenError } from './aadsts.mjs';
import { credentials, readForm } from './core.mjs';
import { afterToken, beforeToken } from './faults.mjs';
import { claimsOf } from './keys.mjs';
import { atMicrosoft, PERSONAL } from './people.mjs';
import { expand, narrow, read, resourceOf, SIGN_IN, spell } from './scopes.mjs';

/** Serves `/{tenant}/oauth2/v2.0/token`. */
export async function token(ctx, next, state, built, tenant) {
  const form = await readForm(ctx);
  const client = credentials(ctx, form);
  const entry = state.note('token', ctx, { ...form }, client);
  if (!(await beforeToken(ctx, state.faults, client))) {
    ctx.url = '/internal/token';
    const asked = { ctx, next, state, built, tenant, form, client };
    const wrong = caller(asked) ?? await (grants[form.grant_type] ?? unsupported)(asked);
    if (wrong) tokenError(ctx, wrong);
  }
  entry.status = ctx.status;
}

/** Whether this application may ask here; the number of the error when not. */
function caller({ state, tenant, form, client }) {
  if (!client) return 90014;
  const id = state.tenants.idOf(tenant);
  if (!id) return 90002;
  const settings = state.settings(client);
  if (!settings.client_id) return 700016;
  const misfit = state.tenants.misfit(tenant, settings);
  if (misfit && form.grant_type !== 'client_credentials') return misfit;
  if (form.client_secret === undefined) return 7000218;
  if (form.client_secret !== settings.client_secret) return 7000215;
  return settings.secret_expired ? 7000222 : undefined;
}

const unsupported = () => 70003;

const grants = {
  async authorization_code(asked) {
    const { state, tenant, form, built } = asked;
    const made = state.codes.get(form.code);
    if (made && made.tenant !== tenant) return 700005;
    const code = await built.AuthorizationCode.find(form.code);
    return redeem(asked, code?.scope);
  },
  async refresh_token(asked) {
    const kept = await asked.built.RefreshToken.find(asked.form.refresh_token);
    return redeem(asked, kept?.scope);
  },
  async client_credentials({ ctx, next, state, tenant, form, client }) {
    const id = state.tenants.idOf(tenant);
    if (tenant === 'common' || id === PERSONAL) return 9001023;
    const home = state.settings(client).home_tenant;
    if (id !== 'organizations' && home && id !== home) return 700016;
    const { known, unknown, resources } = read(form.scope);
    if (unknown.length || resources.length !== 1 || known.length !== 1 || !known[0].endsWith('/.default')) return 70011;
    delete form.scope;
    await next();
    if (ctx.status !== 200) return numberFor(form, ctx.body, ctx.state.failure);
    const { access_token, expires_in } = ctx.body;
    ctx.body = { token_type: 'Bearer', expires_in, ext_expires_in: expires_in, access_token };
    afterToken(ctx, state.faults, client, new Set());
    return undefined;
  },
};

/** A code or a refresh token becomes an access token for one resource. */
async function redeem({ ctx, next, state, built, form, client }, held = '') {
  const granted = held.split(' ').filter(Boolean);
  const { known, unknown, resources } = read(form.scope);
  if (unknown.length) return 70011;
  if (resources.length > 1) return 28000;
  const resource = resources[0] ?? granted.map(resourceOf).find(Boolean);
  const wanted = known.filter((scope) => resourceOf(scope) && !scope.endsWith('/.default'));
  if (granted.length && resources.length) {
    const missing = wanted.filter((scope) => !granted.includes(scope));
    if (missing.length || !granted.some((scope) => resourceOf(scope) === resource)) return 65001;
  }
  delete form.scope;
  const old = form.refresh_token;
  await next();
  if (ctx.status !== 200) return numberFor(form, ctx.body, ctx.state.failure);
  const { body } = ctx;
  const access = await built.AccessToken.find(body.access_token);
  const asked = wanted.length ? [...expand(known).filter((scope) => resourceOf(scope)), ...SIGN_IN] : granted;
  const scope = narrow(access.scope.split(' '), resource).filter((one) => asked.includes(one));
  state.amend('AccessToken', body.access_token, { scope: scope.join(' ') });
  // Each use gives a new refresh token, and the old one stays good until its own end.
  if (form.grant_type === 'refresh_token' && body.refresh_token === old) body.refresh_token = state.twin('RefreshToken', old, state.refreshLifetime(client));
  const reply = {
    token_type: 'Bearer',
    scope: scope.map(spell).join(' '),
    expires_in: body.expires_in,
    ext_expires_in: body.expires_in,
    access_token: body.access_token,
    refresh_token: body.refresh_token,
  };
  if (body.id_token && !state.faults.take('id_token_missing', client)) {
    reply.id_token = await idToken(state, client, access.accountId, claimsOf(body.id_token), form);
  }
  ctx.body = JSON.parse(JSON.stringify(reply));
  afterToken(ctx, state.faults, client, new Set(SIGN_IN));
  return undefined;
}

/** The ID token as Microsoft would have written it, from what oidc-provider put in. */
async function idToken(state, client, person, { nonce, email, name }, form) {
  const settings = state.settings(client);
  const { sub, oid, tid, preferred_username } = atMicrosoft(person, client);
  const now = Math.floor(Date.now() / 1000);
  const profile = name === undefined ? {} : { name, preferred_username };
  const claims = JSON.parse(JSON.stringify({
    aud: client, iss: `${state.origin}/${tid}/v2.0`, iat: now, nbf: now, exp: now + 3600,
    email: settings.email_claim === false ? undefined : email,
    ...profile, nonce: form.grant_type === 'refresh_token' ? undefined : nonce,
    oid, sub, tid, uti: randomUUID(), ver: '2.0',
  }));
  const signer = tid === PERSONAL ? state.keys.second : state.keys.first;
  return state.keys.sign(claims, signer, { faults: state.faults, client, secret: settings.client_secret });
}
