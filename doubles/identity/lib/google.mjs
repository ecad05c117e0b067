// Google's side: everything on one origin, under Google's own paths.

import {
  bearer, callbackOf, credentials, provider, readForm, rewrite, setCallback,
} from './core.mjs';
import {
  afterToken, beforeKeys, beforeRevoke, beforeToken, beforeUserinfo, bendCallback,
} from './faults.mjs';
import { failure } from './html.mjs';
import { claimsOf, halfHash } from './keys.mjs';
import { atGoogle } from './people.mjs';
import { signIn } from './signin.mjs';

const API = 'https://www.googleapis.com/auth/';
const AUTHORIZATION = '/o/oauth2/v2/auth';

const SIGN_IN = ['openid', 'email', 'profile'];

// By its own spelling, as the console lists it.
const OTHERS = [
  'https://mail.google.com/',
  ...['gmail.modify', 'gmail.readonly', 'gmail.compose', 'gmail.insert', 'gmail.metadata', 'gmail.settings.basic',
    'gmail.send', 'gmail.labels', 'calendar', 'calendar.events', 'calendar.readonly', 'contacts',
    'contacts.readonly'].map((name) => API + name),
];

const SPELT = new Map([['email', `${API}userinfo.email`], ['profile', `${API}userinfo.profile`]]);
const UNSPELT = new Map([...SPELT].map(([short, long]) => [long, short]));

const spell = (scope) => SPELT.get(scope) ?? scope;
const spellAll = (scopes) => scopes.split(' ').filter(Boolean).map(spell).join(' ');
const SPELT_SIGN_IN = new Set(SIGN_IN.map(spell));

// Views inside of other applications, which Google does not show itself in.
const EMBEDDED = /; wv\)|\bFBA[NV]\b|\bInstagram\b|\bLine\/|(iPhone|iPad).*AppleWebKit(?!.*Safari\/)/;

export function build(state) {
  const house = {
    name: 'google',
    routes: {
      authorization: AUTHORIZATION, token: '/token', userinfo: '/v1/userinfo', jwks: '/internal/keys',
    },
    scopes: [...SIGN_IN, ...OTHERS],
    claims: { openid: ['sub', 'hd'], email: ['email', 'email_verified'], profile: ['name', 'given_name', 'family_name', 'picture'] },
    extraParams: ['access_type', 'include_granted_scopes', 'hd'],
    spell,
    person: (person) => atGoogle(person, state.origin),
    refusal: () => undefined,
    lasting: (code) => state.codes.get(code.jti)?.offline === true,
    granted: (client, person) => state.ledger.entry(client, person).scopes,
    denial: () => ({ error: 'access_denied', error_description: '' }),
    beforeConsent: () => undefined,
    // A lone permission is granted or not; more than one, or one beside the sign-in, get a box each.
    consent(scopes) {
      const fixed = scopes.filter((scope) => SIGN_IN.includes(scope));
      const others = scopes.filter((scope) => !SIGN_IN.includes(scope));
      return fixed.length + others.length > 1 ? { fixed, boxes: others } : { fixed: scopes, boxes: [] };
    },
    errorPage,
  };
  const built = provider(state, house);
  const routes = {
    'GET /.well-known/openid-configuration': (ctx) => metadata(ctx, state),
    'GET /oauth2/v3/certs': (ctx) => keys(ctx, state),
    'GET /.well-known/risc-configuration': (ctx) => {
      ctx.body = { issuer: `${state.origin}/`, jwks_uri: `${state.origin}/oauth2/v3/certs`, delivery_methods_supported: ['urn:ietf:rfc:8935'] };
    },
    'POST /token': (ctx, next) => token(ctx, next, state),
    'POST /revoke': (ctx) => revoke(ctx, state, built),
    'GET /v1/userinfo': (ctx, next) => userinfo(ctx, next, state, built),
    'POST /v1/userinfo': (ctx, next) => userinfo(ctx, next, state, built),
    'POST /introspect': (ctx) => introspect(ctx, built),
  };
  built.use(async (ctx, next) => {
    const route = routes[`${ctx.method} ${ctx.path}`];
    if (route) return route(ctx, next);
    if (ctx.path === AUTHORIZATION) return authorize(ctx, next, state, built);
    if (ctx.path.startsWith(`${AUTHORIZATION}/`)) return withCallback(ctx, next, state, built);
    if (ctx.path.startsWith('/signin/')) return next();
    ctx.status = 404;
    return undefined;
  });
  built.use(signIn(state, built, house));
  return built;
}

function metadata(ctx, state) {
  const found = state.faults.takeAny(['metadata_nameless', 'metadata_500']);
  const announced = discovery(state.origin);
  if (found?.fault === 'metadata_nameless') delete announced.authorization_response_iss_parameter_supported;
  if (found?.fault === 'metadata_500') {
    ctx.status = 500;
    ctx.body = { error: 'internal' };
    return;
  }
  ctx.body = announced;
}

function discovery(origin) {
  return {
    issuer: origin,
    authorization_endpoint: origin + AUTHORIZATION,
    token_endpoint: `${origin}/token`,
    userinfo_endpoint: `${origin}/v1/userinfo`,
    revocation_endpoint: `${origin}/revoke`,
    jwks_uri: `${origin}/oauth2/v3/certs`,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    scopes_supported: SIGN_IN,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'],
    claims_supported: ['aud', 'email', 'email_verified', 'exp', 'family_name', 'given_name', 'iat', 'iss', 'name', 'picture', 'sub'],
    code_challenge_methods_supported: ['plain', 'S256'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    authorization_response_iss_parameter_supported: true,
  };
}

/** Google's own page for whatever does not go back to the application. */
function errorPage(ctx, out, error) {
  const known = {
    invalid_redirect_uri: [400, 'redirect_uri_mismatch'],
    invalid_client: [401, 'invalid_client'],
  };
  const [status, name] = known[out.error] ?? [error?.statusCode ?? 400, out.error];
  failure(ctx, status, 'google', 'Access blocked', `Error ${status}: ${name} (${out.error_description ?? ''})`);
}

async function authorize(ctx, next, state, built) {
  const query = { ...ctx.query };
  const entry = state.note('authorize', ctx, query, query.client_id);
  if (EMBEDDED.test(ctx.get('user-agent'))) {
    errorPage(ctx, { error: 'disallowed_useragent' }, { statusCode: 403 });
  } else if (state.faults.take('authorize_dead_end', query.client_id)) {
    failure(ctx, 500, 'google', 'Something went wrong', 'Sorry, something went wrong there. Try again.');
  } else {
    const scopes = [query.scope ?? ''].flat().join(' ').split(' ').filter(Boolean).map((scope) => UNSPELT.get(scope) ?? scope);
    const unknown = scopes.filter((scope) => !SIGN_IN.includes(scope) && !OTHERS.includes(scope));
    if (unknown.length || !scopes.length) {
      errorPage(ctx, { error: 'invalid_scope', error_description: unknown.join(' ') }, { statusCode: 400 });
    } else {
      if (typeof query.scope === 'string') rewrite(ctx, ctx.path, { scope: scopes.join(' ') });
      await withCallback(ctx, next, state, built);
    }
  }
  entry.status = ctx.status;
}

/** Gives the callback what Google adds to it. */
async function withCallback(ctx, next, state, built) {
  await next();
  const url = callbackOf(ctx);
  if (!url) return;
  const { params, client } = ctx.oidc;
  const got = Object.fromEntries(url.searchParams);
  const silent = (params.prompt ?? '').split(' ').includes('none');
  if (got.error && got.error !== 'access_denied' && !silent) {
    ctx.remove('location');
    errorPage(ctx, got, { statusCode: 400 });
    return;
  }
  let pairs = [['state', got.state], ['iss', state.origin]];
  if (got.error) {
    pairs = [['error', got.error], ...pairs];
  } else {
    const code = await built.AuthorizationCode.find(got.code);
    const consented = ctx.oidc.result?.consent !== undefined;
    state.codes.set(got.code, { offline: params.access_type === 'offline' && consented });
    const grant = await built.Grant.find(code.grantId);
    if (params.include_granted_scopes === 'true') {
      code.scope = [...new Set([...code.scope.split(' '), ...grant.getOIDCScope().split(' ')])].filter(Boolean).join(' ');
      state.amend('AuthorizationCode', got.code, { scope: code.scope });
    }
    const { hd } = atGoogle(code.accountId, state.origin);
    const granted = grant.getOIDCScopeFiltered(code.scope.split(' '));
    pairs.push(
      ['code', `4/0${got.code}`], ['scope', spellAll(granted)], ['authuser', '0'],
      ...(hd ? [['hd', hd]] : []), ['prompt', consented ? 'consent' : 'none'],
    );
  }
  setCallback(ctx, url, bendCallback(pairs, state.faults, client.clientId));
}

/** Google's words for what oidc-provider says. */
function tokenError(ctx, form, error) {
  const said = `${ctx.body?.error_description ?? ''} ${error?.error_detail ?? ''}`;
  const answer = (status, name, description) => {
    ctx.status = status;
    ctx.body = { error: name, error_description: description };
  };
  if (ctx.body?.error === 'invalid_client' || ctx.status === 401) {
    const found = /not found/.test(said) ? 'The OAuth client was not found.' : 'Unauthorized';
    return answer(401, 'invalid_client', found);
  }
  if (ctx.body?.error !== 'invalid_grant') return undefined;
  if (/redirect_uri mismatch/.test(said)) return answer(400, 'redirect_uri_mismatch', 'Bad Request');
  if (form.grant_type === 'refresh_token') return answer(400, 'invalid_grant', 'Token has been expired or revoked.');
  if (/PKCE|code_verifier/.test(said)) return answer(400, 'invalid_grant', 'Invalid code verifier.');
  return answer(400, 'invalid_grant', form.formed ? 'Bad Request' : 'Malformed auth code.');
}

async function token(ctx, next, state) {
  const form = await readForm(ctx);
  const client = credentials(ctx, form);
  const entry = state.note('token', ctx, { ...form }, client);
  if (!(await beforeToken(ctx, state.faults, client))) {
    // Google's codes begin so, and the slash is why they must be encoded.
    const formed = /^4\/0/.test(form.code ?? '');
    if (formed) form.code = form.code.slice(3);
    if (client && form.client_secret === undefined) {
      ctx.status = 400;
      ctx.body = { error: 'invalid_request', error_description: 'client_secret is missing.' };
    } else {
      await next();
      if (ctx.status === 200) await dress(ctx, form, state);
      else tokenError(ctx, { ...form, formed }, ctx.state.failure);
    }
  }
  entry.status = ctx.status;
}

async function dress(ctx, form, state) {
  const { body } = ctx;
  const { client, account, accessToken } = { client: ctx.oidc.client, account: ctx.oidc.account, accessToken: body.access_token };
  const settings = state.settings(client.clientId);
  if (form.grant_type === 'refresh_token') delete body.refresh_token;
  else if (body.refresh_token && settings.refresh_token_expires_in) {
    body.refresh_token_expires_in = settings.refresh_token_expires_in;
  }
  body.scope = spellAll(body.scope ?? '');
  if (body.id_token) {
    const { nonce, email, email_verified, name, given_name, family_name, picture, hd } = claimsOf(body.id_token);
    const now = Math.floor(Date.now() / 1000);
    const claims = JSON.parse(JSON.stringify({
      iss: state.origin, azp: client.clientId, aud: client.clientId, sub: atGoogle(account.accountId, state.origin).sub,
      hd, email, email_verified, at_hash: halfHash(accessToken),
      nonce: form.grant_type === 'refresh_token' ? undefined : nonce,
      name, picture, given_name, family_name, iat: now, exp: now + 3600,
    }));
    if (state.faults.take('id_token_missing', client.clientId)) delete body.id_token;
    else {
      const asked = { faults: state.faults, client: client.clientId, secret: settings.client_secret };
      body.id_token = await state.keys.sign(claims, state.keys.first, asked);
    }
  }
  afterToken(ctx, state.faults, client.clientId, SPELT_SIGN_IN);
}

async function keys(ctx, state) {
  const entry = state.note('keys', ctx, {});
  if (!(await beforeKeys(ctx, state.faults))) {
    ctx.set('cache-control', 'public, max-age=19800, must-revalidate');
    ctx.body = state.keys.set();
  }
  entry.status = ctx.status;
}

async function revoke(ctx, state, built) {
  const form = await readForm(ctx);
  const value = form.token ?? ctx.query.token;
  const found = (await built.RefreshToken.find(value)) ?? (await built.AccessToken.find(value));
  const entry = state.note('revoke', ctx, { ...form }, found?.clientId);
  await beforeRevoke(state.faults, found?.clientId);
  if (found) {
    // One token stands for all: Google ends everything that this person granted to the project.
    state.withdraw(found.clientId, found.accountId);
    ctx.status = 200;
    ctx.body = {};
  } else {
    ctx.status = 400;
    ctx.body = { error: 'invalid_token', error_description: 'Token expired or revoked' };
  }
  entry.status = ctx.status;
}

async function userinfo(ctx, next, state, built) {
  const client = (await bearer(ctx, built))?.clientId;
  const entry = state.note('userinfo', ctx, { ...ctx.query }, client);
  if (!beforeUserinfo(ctx, state.faults, client)) {
    ctx.req.headers.accept = 'application/json';
    await next();
    if (ctx.status === 200) {
      const other = state.faults.take('userinfo_other_sub', client);
      const person = other ? 'somebody.else@gmail.com' : ctx.oidc.account.accountId;
      ctx.body = { ...ctx.body, sub: atGoogle(person, state.origin).sub };
    } else if (ctx.status === 401) {
      ctx.body = { error: 'invalid_request', error_description: 'Invalid Credentials' };
    }
  }
  entry.status = ctx.status;
}

/** For a mail server of the tests, which has to know whose token it was shown. Google has no such thing. */
async function introspect(ctx, built) {
  const { token: value } = await readForm(ctx);
  const found = await built.AccessToken.find(value);
  ctx.body = found
    ? { active: true, username: found.accountId, email: found.accountId, scope: spellAll(found.scope), client_id: found.clientId, exp: found.exp, token_type: 'Bearer' }
    : { active: false };
}
