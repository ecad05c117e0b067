// Who lives behind an address. Everybody exists; what is stable about them is derived from the address, so that two
// stand-ins, or one that was started again, know the same person.

import { createHash } from 'node:crypto';

const digest = (text) => createHash('sha256').update(text).digest();

/** A GUID that is always the same for the same text. */
export function guid(text) {
  const hex = digest(text).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** An address as the stand-in keys people by it; nothing when it is none. */
export function address(text) {
  const found = String(text ?? '').trim().toLowerCase();
  return /^[^\s@]+@[^\s@]+$/.test(found) ? found : undefined;
}

export const domainOf = (person) => person.slice(person.lastIndexOf('@') + 1);

function names(person) {
  const words = person.slice(0, person.lastIndexOf('@')).split(/[._-]+/).filter(Boolean);
  const [given = 'Person', ...rest] = words.map((word) => word[0].toUpperCase() + word.slice(1));
  const family = rest.join(' ') || 'Example';
  return { name: `${given} ${family}`, given_name: given, family_name: family };
}

/** A person as Google knows them. */
export function atGoogle(person, origin) {
  // 21 digits, the first of them no zero, as Google's are.
  const number = 100000000000000000000n + (digest(`google ${person}`).readBigUInt64BE() % 100000000000000000000n);
  const domain = domainOf(person);
  return {
    sub: number.toString(),
    email: person,
    email_verified: true,
    ...names(person),
    picture: `${origin}/picture/${number}`,
    ...(['gmail.com', 'googlemail.com'].includes(domain) ? {} : { hd: domain }),
  };
}

/** The tenant of all personal accounts. */
export const PERSONAL = '9188040d-6c67-4c5b-b112-36a304b66dad';

export const isPersonal = (person) => ['outlook.com', 'hotmail.com'].includes(domainOf(person));

/** The tenant that a domain is. */
export const tenantOf = (domain) => (
  ['outlook.com', 'hotmail.com'].includes(domain) ? PERSONAL : guid(`tenant ${domain}`)
);

/** A person as Microsoft knows them; `sub` is another one for each client. */
export function atMicrosoft(person, client) {
  return {
    sub: digest(`pairwise ${client} ${person}`).toString('base64url'),
    oid: guid(`object ${person}`),
    tid: tenantOf(domainOf(person)),
    preferred_username: person,
    email: person,
    ...names(person),
  };
}
