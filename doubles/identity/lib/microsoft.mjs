// Microsoft's side: the sign-in service with its tenants, and Graph's userinfo, on one origin.

import { randomUUID } from 'node:crypto';
import { describe, pageError } from './aadsts.mjs';
import { adminConsent, approved, detour } from './approval.mjs';
import { bearer, callbackOf, provider, readForm, rewrite, setCallback } from './core.mjs';
import { beforeKeys, beforeUserinfo, bendCallback } from './faults.mjs';
import { failure } from './html.mjs';
import { atMicrosoft, PERSONAL } from './people.mjs';
import * as scopes from './scopes.mjs';
import { signIn } from './signin.mjs';
import { Tenants } from './tenants.mjs';
import { token } from './tokens.mjs';

const AUTHORIZATION = '/internal/authorize';

export function build(state) {
  const tenants = new Tenants(state);
  state.tenants = tenants;
  const house = {
    name: 'microsoft',
    routes: { authorization: AUTHORIZATION, token: '/internal/token', userinfo: '/oidc/userinfo', jwks: '/internal/keys' },
    scopes: scopes.ALL,
    claims: { openid: ['sub'], email: ['email'], profile: ['name', 'given_name', 'family_name', 'preferred_username'] },
    extraParams: ['tenant', 'domain_hint'],
    spell: scopes.spell,
    person: (person, client) => atMicrosoft(person, client),
    refusal: (person, params) => tenants.refusal(person, params.tenant, state.settings(params.client_id)),
    lasting: (code) => scopes.isLasting([...code.scopes]),
    granted: (client, person) => {
      const all = approved(state, client, person);
      return new Set([...all, ...state.ledger.entry(client, person).scopes]);
    },
    denial: () => ({ error: 'access_denied', error_description: describe(65004) }),
    beforeConsent: detour,
    consent: (asked) => ({ fixed: asked, boxes: [] }),
    errorPage,
  };
  const built = provider(state, house);
  built.use(async (ctx, next) => {
    const [, tenant, ...rest] = ctx.path.split('/');
    switch (`${ctx.method} ${rest.join('/')}`) {
      case 'GET oauth2/v2.0/authorize': return authorize(ctx, next, state, tenant);
      case 'POST oauth2/v2.0/token': return token(ctx, next, state, built, tenant);
      case 'GET v2.0/.well-known/openid-configuration': return discovery(ctx, state, tenant);
      case 'GET discovery/v2.0/keys': return keys(ctx, state);
      case 'GET v2.0/adminconsent':
      case 'POST v2.0/adminconsent': return adminConsent(ctx, state, tenant);
      default:
    }
    if (ctx.path === '/oidc/userinfo') return userinfo(ctx, next, state, built);
    if (ctx.path === '/introspect') return introspect(ctx, built);
    if (ctx.path.startsWith(`${AUTHORIZATION}/`)) return withCallback(ctx, next, state);
    if (ctx.path.startsWith('/signin/')) return next();
    ctx.status = 404;
    return undefined;
  });
  built.use(signIn(state, built, house));
  return built;
}

function discovery(ctx, state, tenant) {
  const id = state.tenants.idOf(tenant);
  if (!id) {
    ctx.status = 400;
    ctx.body = { error: 'invalid_tenant', error_description: describe(90002) };
    return;
  }
  const base = `${state.origin}/${tenant}`;
  ctx.body = {
    // For several tenants the issuer is a template, which has to be filled in from the token.
    issuer: `${state.origin}/${['common', 'organizations'].includes(tenant) ? '{tenantid}' : id}/v2.0`,
    authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
    token_endpoint: `${base}/oauth2/v2.0/token`,
    jwks_uri: `${base}/discovery/v2.0/keys`,
    userinfo_endpoint: `${state.origin}/oidc/userinfo`,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'],
    response_modes_supported: ['query'],
    response_types_supported: ['code'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    claims_supported: ['sub', 'iss', 'aud', 'exp', 'iat', 'nonce', 'preferred_username', 'name', 'tid', 'ver', 'email'],
    request_uri_parameter_supported: false,
  };
}

async function keys(ctx, state) {
  const entry = state.note('keys', ctx, {});
  if (!(await beforeKeys(ctx, state.faults))) {
    // The second key is for personal accounts alone, and says so.
    ctx.body = state.keys.set((second) => ({ issuer: `${state.origin}/${second ? PERSONAL : '{tenantid}'}/v2.0` }));
  }
  entry.status = ctx.status;
}

/** Microsoft's own page for whatever does not go back to the application. */
function errorPage(ctx, out, error) {
  const number = { invalid_redirect_uri: 50011, invalid_client: 700016 }[out.error];
  if (number) pageError(ctx, number);
  else failure(ctx, error?.statusCode ?? 400, 'microsoft', 'Sorry, but we’re having trouble signing you in.', `AADSTS900144: ${out.error_description}`);
}

async function authorize(ctx, next, state, tenant) {
  const query = { ...ctx.query };
  const entry = state.note('authorize', ctx, query, query.client_id);
  const settings = state.settings(query.client_id);
  const wrong = settings.client_id && state.tenants.misfit(tenant, settings);
  if (state.faults.take('authorize_dead_end', query.client_id)) {
    failure(ctx, 500, 'microsoft', 'Something went wrong', 'Sorry, we are having trouble. Try again later.');
  } else if (wrong) {
    pageError(ctx, wrong);
  } else {
    ctx.state.unfit = unfit(query);
    const { known } = scopes.read(query.scope);
    const single = typeof query.scope === 'string';
    // A request that will be refused asks for nothing, but its callback is still checked.
    const scope = ctx.state.unfit ? 'openid' : known.join(' ');
    rewrite(ctx, AUTHORIZATION, {
      ...(single ? { scope } : {}), ...(ctx.state.unfit ? { prompt: 'none' } : {}), tenant,
    });
    await withCallback(ctx, next, state);
  }
  entry.status = ctx.status;
}

/** What is wrong with a request that goes back to the application with an error. */
function unfit(query) {
  const prompt = [query.prompt ?? ''].flat().join(' ').trim();
  if (prompt.includes(' ') || !['', 'login', 'none', 'consent', 'select_account'].includes(prompt)) return ['invalid_request', 90023];
  const { known, unknown } = scopes.read(query.scope);
  return unknown.length || !known.length ? ['invalid_scope', 70011] : undefined;
}

async function withCallback(ctx, next, state) {
  await next();
  const url = callbackOf(ctx);
  if (!url) return;
  const { params, client } = ctx.oidc;
  const got = Object.fromEntries(url.searchParams);
  const { unfit: refused } = ctx.state;
  let pairs;
  if (refused) {
    pairs = [['error', refused[0]], ['error_description', describe(refused[1])], ['state', got.state]];
  } else if (got.error) {
    const said = got.error_description?.startsWith('AADSTS') ? got.error_description : describe(got.error === 'consent_required' ? 65001 : 70000);
    pairs = [['error', got.error], ['error_description', said], ['state', got.state]];
    if (said.startsWith('AADSTS65004')) pairs.push(['error_subcode', 'cancel']);
  } else {
    state.codes.set(got.code, { tenant: params.tenant });
    pairs = [['code', got.code], ['state', got.state], ['session_state', randomUUID()]];
  }
  setCallback(ctx, url, bendCallback(pairs, state.faults, client.clientId));
}

async function userinfo(ctx, next, state, built) {
  const found = await bearer(ctx, built);
  const entry = state.note('userinfo', ctx, { ...ctx.query }, found?.clientId);
  if (!beforeUserinfo(ctx, state.faults, found?.clientId)) {
    ctx.req.headers.accept = 'application/json';
    // This is Graph's; a token for another resource is none here.
    if (found && scopes.isGraph([...found.scopes])) await next();
    else ctx.status = 401;
    if (ctx.status === 200) {
      const other = state.faults.take('userinfo_other_sub', found.clientId);
      ctx.body = { ...ctx.body, sub: atMicrosoft(other ? 'somebody@else.example' : found.accountId, found.clientId).sub };
    } else {
      ctx.status = 401;
      ctx.body = {
        error: {
          code: 'InvalidAuthenticationToken',
          message: 'Access token validation failure. Invalid audience.',
          innerError: { date: new Date().toISOString().slice(0, 19), 'request-id': randomUUID() },
        },
      };
    }
  }
  entry.status = ctx.status;
}

/** For a mail server of the tests, which has to know whose token it was shown. Microsoft has no such thing. */
async function introspect(ctx, built) {
  const { token: value } = await readForm(ctx);
  const found = await built.AccessToken.find(value);
  ctx.body = found
    ? { active: true, username: found.accountId, email: found.accountId, scope: found.scope, client_id: found.clientId, exp: found.exp, token_type: 'Bearer' }
    : { active: false };
}

