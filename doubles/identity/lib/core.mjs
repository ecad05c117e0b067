// What both stand-ins share: oidc-provider's settings, the reading of requests and the way a person's earlier grants
// are found again. What is a company's own comes in as `house`.

import { randomBytes } from 'node:crypto';
import Provider, { interactionPolicy } from 'oidc-provider';
import { adapter, DAY } from './state.mjs';
import { address } from './people.mjs';

/** Asks for an account, for a sign-in and for consent, in this order, each when it is due. */
function policy(house) {
  const { Check, Prompt, base } = interactionPolicy;
  const prompts = base();
  prompts.add(new Prompt({ name: 'select_account', requestable: true }), 0);
  prompts.get('login').checks.add(new Check('other_account', 'another account is meant', ({ oidc }) => {
    const signedIn = oidc.session.accountId;
    if (!signedIn || oidc.result?.login) return false;
    const hint = address(oidc.params.login_hint);
    return (hint !== undefined && hint !== signedIn) || house.refusal(signedIn, oidc.params, oidc.client) !== undefined;
  }));
  return prompts;
}

/** The certified provider, as this house runs it. */
export function provider(state, house) {
  const port = new URL(state.origin).port;
  const built = new Provider(state.origin, {
    adapter: adapter(state),
    jwks: state.keys.internal(),
    routes: house.routes,
    scopes: house.scopes,
    claims: house.claims,
    conformIdTokenClaims: false,
    extraParams: house.extraParams,
    responseTypes: ['code'],
    pkce: { required: () => false },
    cookies: {
      keys: [randomBytes(16).toString('hex')],
      // A browser keeps one jar for all ports of a host.
      names: Object.fromEntries(['session', 'interaction', 'resume'].map((name) => [name, `${house.name}_${port}_${name}`])),
    },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      clientCredentials: { enabled: house.name === 'microsoft' },
    },
    ttl: {
      AccessToken: (ctx, token) => state.settings(token.clientId).access_ttl ?? 3599,
      AuthorizationCode: 600,
      ClientCredentials: 3599,
      Grant: 180 * DAY,
      IdToken: 3599,
      Interaction: 3600,
      RefreshToken: (ctx, token) => state.refreshLifetime(token.clientId),
      Session: DAY,
    },
    expiresWithSession: () => false,
    issueRefreshToken: (ctx, client, code) => house.lasting(code),
    rotateRefreshToken: (ctx) => state.settings(ctx.oidc.client.clientId).strict_refresh === true,
    findAccount: (ctx, person, token) => ({
      accountId: person,
      claims: () => house.person(person, token?.clientId ?? ctx.oidc.client?.clientId),
    }),
    loadExistingGrant: (ctx) => earlierGrant(ctx, state, house),
    interactions: { policy: policy(house), url: (ctx, interaction) => `/signin/${interaction.uid}` },
    renderError: (ctx, out, error) => house.errorPage(ctx, out, error),
  });
  for (const event of ['grant', 'userinfo', 'authorization']) {
    built.on(`${event}.error`, (ctx, error) => { ctx.state.failure = error; });
  }
  built.on('server_error', (ctx, error) => {
    ctx.state.failure = error;
    console.error(error);
  });
  return built;
}

/** The grant that an authorization rests on: the consent just given, or what the person granted before. */
async function earlierGrant(ctx, state, house) {
  const { oidc } = ctx;
  const given = oidc.result?.consent?.grantId;
  if (given) return oidc.provider.Grant.find(given);
  const person = oidc.account.accountId;
  const scopes = house.granted(oidc.client.clientId, person);
  return scopes.size ? newGrant(oidc.provider, state, oidc.client.clientId, person, scopes) : undefined;
}

/** Makes a grant and writes it into the ledger. */
export async function newGrant(built, state, client, person, accepted, rejected = []) {
  const grant = new built.Grant({ accountId: person, clientId: client });
  const entry = state.ledger.entry(client, person);
  for (const scope of accepted) entry.scopes.add(scope);
  grant.addOIDCScope([...new Set([...entry.scopes, ...rejected])]);
  if (rejected.length) grant.rejectOIDCScope(rejected);
  entry.grants.add(await grant.save());
  return grant;
}

/** Reads a form; a repeated field becomes a list, which oidc-provider then refuses. */
export async function readForm(ctx) {
  const chunks = [];
  for await (const chunk of ctx.req) chunks.push(chunk);
  const form = Object.create(null);
  for (const [name, value] of new URLSearchParams(Buffer.concat(chunks).toString())) {
    form[name] = name in form ? [form[name], value].flat() : value;
  }
  // Where oidc-provider looks when the stream has been read.
  ctx.request.body = form;
  return form;
}

/** Credentials in the header become fields, as both companies take them either way. */
export function credentials(ctx, form) {
  const [scheme, value] = ctx.get('authorization').split(' ');
  if (scheme.toLowerCase() === 'basic') {
    const [id, ...secret] = Buffer.from(value ?? '', 'base64').toString().split(':');
    const decode = (text) => decodeURIComponent(text.replace(/\+/g, ' '));
    form.client_id = decode(id);
    form.client_secret = decode(secret.join(':'));
    delete ctx.req.headers.authorization;
  }
  // Token endpoints answer in JSON, whatever is asked for.
  ctx.req.headers.accept = 'application/json';
  return form.client_id;
}

/** The query of a request, as oidc-provider shall see it. */
export function rewrite(ctx, path, changes = {}) {
  const query = new URLSearchParams(ctx.querystring);
  for (const [name, value] of Object.entries(changes)) {
    query.delete(name);
    if (value !== undefined) query.set(name, value);
  }
  ctx.url = `${path}?${query}`;
}

/** The callback that a response leads to, or nothing when it leads elsewhere. */
export function callbackOf(ctx) {
  const location = ctx.response.get('location');
  const target = ctx.oidc?.params?.redirect_uri;
  if (!location || typeof target !== 'string') return undefined;
  const leads = location.split(/[?#]/)[0] === target.split('?')[0] && /[?&#](code|error)=/.test(location);
  // Errors about the response type come behind a `#`, where only scripts would look.
  return leads ? new URL(location.replace('#', location.includes('?') ? '&' : '?')) : undefined;
}

/** Leads to the callback with these parameters instead. */
export function setCallback(ctx, url, pairs) {
  const target = new URL(url);
  target.search = '';
  // Whatever query the application registered stays in front.
  const own = new URL(ctx.oidc.params.redirect_uri).searchParams;
  const query = new URLSearchParams([...own, ...pairs.filter(([, value]) => value !== undefined)]);
  ctx.set('location', `${target.origin}${target.pathname}?${query}`);
  ctx.body = '';
}

/** The live access token of a request's bearer header. */
export async function bearer(ctx, built) {
  const [scheme, value] = ctx.get('authorization').split(' ');
  return scheme.toLowerCase() === 'bearer' ? built.AccessToken.find(value) : undefined;
}
