// An independent client's view of a running stand-in: openid-client, which is certified too, discovers it, signs a
// person in, reads the ID token, asks userinfo and refreshes. The stand-in would be worthless if only ours could.
//
// node check.mjs --kind google|microsoft --origin URL --control URL   (trust its authority by NODE_EXTRA_CA_CERTS)

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import * as client from 'openid-client';

const { values: { kind, origin, control } } = parseArgs({
  options: { kind: { type: 'string' }, origin: { type: 'string' }, control: { type: 'string' } },
});
const id = randomUUID();
const callback = 'http://127.0.0.1:9/callback';

const ask = async (method, path, body) => {
  const answer = await fetch(control + path, { method, body: JSON.stringify(body) });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
};

/** Walks through the pages as a browser without scripts does, and gives the callback. */
async function walk(start, address) {
  const jar = new Map();
  const form = { address, step: ['account', 'allow'] };
  let [url, init] = [start.href, {}];
  for (let steps = 0; steps < 12; steps += 1) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(url, { redirect: 'manual', ...init, headers: { cookie, accept: 'text/html' } });
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      jar.set(name, value);
    }
    const to = answer.headers.get('location');
    if (to?.startsWith(callback)) return new URL(to);
    if (to) {
      [url, init] = [new URL(to, url).href, {}];
      continue;
    }
    const page = await answer.text();
    const step = form.step.find((name) => page.includes(`value="${name}"`));
    assert.ok(answer.status === 200 && step, `${answer.status} ${page}`);
    const body = new URLSearchParams({ address: form.address, step });
    for (const [, scope] of page.matchAll(/name="scope" value="([^"]+)"/g)) body.append('scope', scope);
    init = { method: 'POST', body };
  }
  throw new Error('the pages do not end');
}

const houses = {
  google: {
    issuer: origin,
    address: 'ann.lee@example.com',
    scope: 'openid email profile https://mail.google.com/',
    extra: { access_type: 'offline', prompt: 'consent' },
    look(claims) {
      assert.match(claims.sub, /^\d{21}$/);
      assert.equal(claims.hd, 'example.com');
      assert.equal(claims.email, 'ann.lee@example.com');
      assert.equal(claims.email_verified, true);
    },
  },
  microsoft: {
    issuer: `${origin}/${(await ask('GET', '/tenant?domain=example.com')).tenant}/v2.0`,
    address: 'ann.lee@example.com',
    scope: 'openid email profile offline_access https://graph.microsoft.com/User.Read',
    extra: { prompt: 'select_account' },
    look(claims) {
      assert.equal(claims.iss, `${origin}/${claims.tid}/v2.0`);
      assert.equal(claims.preferred_username, 'ann.lee@example.com');
      assert.equal(claims.ver, '2.0');
    },
  },
};
const house = houses[kind];

await ask('POST', '/clients', { client_id: id, client_secret: 'a-secret', redirect_uris: [callback] });
const config = await client.discovery(new URL(house.issuer), id, undefined, client.ClientSecretPost('a-secret'));
client.enableNonRepudiationChecks(config);

const verifier = client.randomPKCECodeVerifier();
const [state, nonce] = [client.randomState(), client.randomNonce()];
const start = client.buildAuthorizationUrl(config, {
  redirect_uri: callback,
  scope: house.scope,
  state,
  nonce,
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  ...house.extra,
});
const back = await walk(start, house.address);
const tokens = await client.authorizationCodeGrant(config, back, {
  pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true,
});
const claims = tokens.claims();
house.look(claims);
const person = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
assert.equal(person.sub, claims.sub);
const again = await client.refreshTokenGrant(config, tokens.refresh_token);
assert.notEqual(again.access_token, tokens.access_token);
assert.equal(again.refresh_token !== undefined, kind === 'microsoft');
if (kind === 'google') {
  await client.tokenRevocation(config, tokens.refresh_token);
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), { error: 'invalid_grant' });
}
console.log(`${kind}: as an independent client expects it`);
