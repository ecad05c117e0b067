// The keys that sign ID tokens, and every way of signing them wrongly that a test may ask for.

import { createHash, createHmac, generateKeyPair, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { SignJWT } from 'jose';

const generate = promisify(generateKeyPair);

async function key() {
  const { publicKey, privateKey } = await generate('rsa', { modulusLength: 2048 });
  const kid = createHash('sha256').update(publicKey.export({ format: 'der', type: 'spki' })).digest('hex').slice(0, 40);
  const { n, e } = publicKey.export({ format: 'jwk' });
  return { kid, n, e, publicKey, privateKey };
}

export class Keys {
  /** Two keys, as both companies always show more than one; the second is Microsoft's for personal accounts. */
  static async generate() {
    const keys = new Keys();
    await keys.rotate();
    return keys;
  }

  /** From now on other keys sign, and the old ones are gone from the set. */
  async rotate() {
    [this.first, this.second] = await Promise.all([key(), key()]);
  }

  /** What oidc-provider wants to have of its own; its signatures are replaced before anybody sees them. */
  internal() {
    return { keys: [{ ...this.first.privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' }] };
  }

  /** The public set; `extra` gives further members of each key. */
  set(extra = () => ({})) {
    const one = ({ kid, n, e }, second) => ({ kty: 'RSA', use: 'sig', alg: 'RS256', kid, n, e, ...extra(second) });
    return { keys: [one(this.first, false), one(this.second, true)] };
  }

  /** Signs a security event (RFC 8417), or what claims to be one: `header` and `key` bend it. */
  async event(claims, { header = {}, stranger = false } = {}) {
    const { privateKey } = stranger ? await key() : this.first;
    const protectedHeader = { alg: 'RS256', typ: 'secevent+jwt', kid: this.first.kid, ...header };
    if (protectedHeader.alg === 'none') return `${part(protectedHeader)}.${part(claims)}.`;
    return new SignJWT(claims).setProtectedHeader(protectedHeader).sign(privateKey);
  }

  /** Signs claims, or does something else with them when a fault says so. */
  async sign(claims, signer, { faults, client, secret }) {
    bend(claims, faults, client);
    const taken = (fault) => faults.take(fault, client);
    let header = { alg: 'RS256', typ: 'JWT', kid: signer.kid };
    let { privateKey } = signer;
    if (taken('id_token_no_kid')) delete header.kid;
    if (taken('id_token_unknown_kid')) header.kid = randomUUID();
    if (taken('id_token_unknown_key')) ({ privateKey } = await key());
    if (taken('id_token_foreign_key')) {
      const other = signer === this.first ? this.second : this.first;
      header.kid = other.kid;
      ({ privateKey } = other);
    }
    if (taken('id_token_alg_none')) {
      header = { alg: 'none', typ: 'JWT' };
      return `${part(header)}.${part(claims)}.`;
    }
    const shared = taken('id_token_hs256_secret') ? secret
      : taken('id_token_hs256_public_key') ? signer.publicKey.export({ format: 'pem', type: 'spki' }) : undefined;
    if (shared !== undefined) {
      const body = `${part({ ...header, alg: 'HS256' })}.${part(claims)}`;
      return `${body}.${createHmac('sha256', shared).update(body).digest('base64url')}`;
    }
    const token = await new SignJWT(claims).setProtectedHeader(header).sign(privateKey);
    if (taken('id_token_no_signature')) return token.slice(0, token.lastIndexOf('.') + 1);
    if (!taken('id_token_bad_signature')) return token;
    const at = token.lastIndexOf('.') + 1;
    const signature = Buffer.from(token.slice(at), 'base64url');
    signature[7] ^= 1;
    return token.slice(0, at) + signature.toString('base64url');
  }
}

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** The claims inside a token, unchecked. */
export function claimsOf(token) {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
}

/** The left half of the access token's hash, as `at_hash` wants it. */
export function halfHash(token) {
  return createHash('sha256').update(token).digest().subarray(0, 16).toString('base64url');
}

/** Claims that say something wrong. */
function bend(claims, faults, client) {
  const now = Math.floor(Date.now() / 1000);
  const bends = {
    id_token_wrong_nonce: () => { claims.nonce = 'somebody-elses-nonce'; },
    id_token_no_nonce: () => { delete claims.nonce; },
    id_token_wrong_iss: () => { claims.iss = 'https://somebody-else.example'; },
    id_token_no_iss: () => { delete claims.iss; },
    id_token_no_aud: () => { delete claims.aud; },
    id_token_wrong_aud: () => { claims.aud = 'another-client'; },
    id_token_many_aud: () => { claims.aud = [claims.aud, 'another-client']; },
    id_token_expired: () => { claims.iat = now - 7200; claims.exp = now - 3600; delete claims.nbf; },
    id_token_iat_future: () => { claims.iat = now + 3600; claims.exp = now + 7200; },
    id_token_nbf_future: () => { claims.nbf = now + 3600; claims.exp = now + 7200; },
    id_token_no_sub: () => { delete claims.sub; },
    id_token_empty_sub: () => { claims.sub = ''; },
    id_token_wrong_tid: () => { claims.tid = randomUUID(); },
    id_token_no_tid: () => { delete claims.tid; },
    id_token_tid_no_guid: () => {
      claims.iss = claims.iss.replace(claims.tid, 'not-a-guid');
      claims.tid = 'not-a-guid';
    },
    id_token_of_tenant: (tenant) => {
      claims.iss = claims.iss.replace(claims.tid, tenant);
      claims.tid = tenant;
    },
  };
  for (const [fault, change] of Object.entries(bends)) {
    const taken = faults.take(fault, client);
    if (taken) change(taken.value);
  }
}
